"""OpenAI's own records: stored chat completions, and files of preferences.

A stored completion does not hold what was asked: the API gives that by another call. A record is the completion with
its messages under `messages`, as `GET /v1/chat/completions/{id}/messages` returns them (the object or its `data`). A
record of a preference file (`input`, `preferred_output`, `non_preferred_output`) is two answers and an opinion on each.
"""

from collections.abc import Iterator
from typing import Any

from flywheel.capture.events import Event, Rated, Response
from flywheel.ingest import chat
from flywheel.ingest.reader import Reader, hashed, reading
from flywheel.settings import Source

PREFERENCE = {"input", "preferred_output", "non_preferred_output"}
SIDES = {"preferred_output": 1.0, "non_preferred_output": -1.0}


def reader(source: Source) -> Reader:
    workload = source.workload or source.name

    def events(value: dict[str, Any]) -> Iterator[Event]:
        return _preference(value, workload) if value.keys() >= PREFERENCE else _completion(value, workload)

    return reading(recognises, events, "a chat completion or a preference")


def recognises(value: Any) -> bool:
    return isinstance(value, dict) and (value.get("object") == "chat.completion" or value.keys() >= PREFERENCE)


def _completion(value: dict[str, Any], workload: str) -> Iterator[Event]:
    asked = value.get("messages")
    if isinstance(asked, dict):
        asked = asked.get("data")
    if asked is None:
        raise ValueError(
            "field messages: missing; a stored completion does not say what was asked: put what "
            "GET /v1/chat/completions/{id}/messages returns under `messages`"
        )
    prompt, said = chat.messages(asked, "messages"), chat.answers(value, "")
    usage = value["usage"] if isinstance(value.get("usage"), dict) else {}
    tags = value["metadata"] if isinstance(value.get("metadata"), dict) else {}
    identity = chat.name(value.get("id"), "id") or hashed(value)
    for place, answer in enumerate(said):
        yield Response(
            id=identity if len(said) == 1 else f"{identity}:{place}",
            at=chat.moment(value.get("created"), "created"),
            workload=workload,
            user=chat.name(value.get("input_user"), "input_user"),
            tags={name: tag for name, tag in tags.items() if isinstance(tag, str)},
            parent=hashed([[each.role, each.content] for each in prompt]),
            prompt=prompt,
            text=answer.content,
            model=chat.name(value.get("model"), "model") or "unknown",
            model_version=chat.name(value.get("system_fingerprint"), "system_fingerprint"),
            tokens_in=chat.number(usage.get("prompt_tokens")),
            tokens_out=chat.number(usage.get("completion_tokens")) if len(said) == 1 else None,
        )


def _preference(value: dict[str, Any], workload: str) -> Iterator[Event]:
    """It names no time, so its events carry the first one there is."""
    given = value["input"]
    prompt = chat.messages(given.get("messages") if isinstance(given, dict) else given, "input.messages")
    identity, at = hashed(value), chat.moment(0, "created")
    for side, opinion in SIDES.items():
        turns = chat.messages(value[side], side)
        if not turns:
            raise ValueError(f"field {side}: empty")
        common: dict[str, Any] = {"at": at, "workload": workload}
        answer, text = f"{identity}:{side}", "\n".join(turn.content for turn in turns)
        parent = hashed([[each.role, each.content] for each in prompt])
        yield Response(**common, id=answer, parent=parent, prompt=prompt, text=text, model="unknown")
        yield Rated(**common, id=f"{answer}:rated", answer=answer, value=opinion)
