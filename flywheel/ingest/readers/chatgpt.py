"""ChatGPT's data export: the trees of `conversations.json`, and the thumbs of `message_feedback.json`.

OpenAI publishes no contract for it; this is what exports are seen to hold. Hidden messages and what the model wrote to
its tools are no answers. The export names no person: it is one person's.
"""

from collections.abc import Iterator
from typing import Any

from flywheel.capture.events import Event, Rated
from flywheel.ingest import chat
from flywheel.ingest.reader import Reader, reading, short
from flywheel.ingest.trees import Node, answer_id, responses
from flywheel.settings import Source

THUMBS = {"thumbs_up": 1.0, "thumbs_down": -1.0, "thumbsUp": 1.0, "thumbsDown": -1.0}


def reader(source: Source) -> Reader:
    workload = source.workload or source.name

    def events(value: dict[str, Any]) -> Iterator[Event]:
        talk = isinstance(value.get("mapping"), dict)
        return _conversation(value, workload) if talk else iter([_thumb(value, workload)])

    return reading(recognises, events, "a conversation or a feedback of ChatGPT's export")


def recognises(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return isinstance(value.get("mapping"), dict) or (
        {"conversation_id", "rating"} <= value.keys() and value["rating"] in list(THUMBS)
    )


def _conversation(value: dict[str, Any], workload: str) -> Iterator[Event]:
    talk = value.get("conversation_id") or value.get("id")
    if not isinstance(talk, str):
        raise ValueError("field conversation_id: missing")
    nodes = {name: _node(name, written, value) for name, written in value["mapping"].items()}
    yield from responses(nodes, talk, {"workload": workload})


def _node(name: str, written: Any, around: dict[str, Any]) -> Node:
    if not isinstance(written, dict):
        raise ValueError(f"field mapping.{name}: not an object; saw `{short(written)}`")
    message = written.get("message")
    message = message if isinstance(message, dict) else {}
    match message:
        case {"author": {"role": str(role)}}:
            text = _text(message)
        case _:
            role, text = "system", ""  # the root holds no message
    parent, about = written.get("parent"), _about(message)
    at = message.get("create_time") or around.get("create_time")
    return Node(
        parent=parent if isinstance(parent, str) else None,
        role=role,
        text=text,
        at=chat.moment(at, f"mapping.{name}.message.create_time"),
        model=chat.name(about.get("model_slug") or around.get("default_model_slug"), "model_slug") or "unknown",
    )


def _text(message: dict[str, Any]) -> str:
    content, aside = message.get("content"), message.get("recipient") not in (None, "all")
    if aside or _about(message).get("is_visually_hidden_from_conversation") or not isinstance(content, dict):
        return ""
    parts = content.get("parts") or []
    return chat.content([each for each in parts if each] if isinstance(parts, list) else parts, "message")


def _about(message: dict[str, Any]) -> dict[str, Any]:
    about = message.get("metadata")
    return about if isinstance(about, dict) else {}


def _thumb(value: dict[str, Any], workload: str) -> Rated:
    talk, message = value["conversation_id"], value.get("message_id") or value.get("id")
    if not isinstance(talk, str) or not isinstance(message, str):
        raise ValueError(f"field message_id: missing; saw `{short(value)}`")
    return Rated(
        id=f"{answer_id(talk, message)}:rated",
        at=chat.moment(value.get("create_time"), "create_time"),
        workload=workload,
        conversation=talk,
        answer=answer_id(talk, message),
        value=THUMBS[value["rating"]],
    )
