"""Open WebUI's exports: feedback, each with a snapshot of its chat, and whole chats.

A chat is a tree of messages. A snapshot repeats the chat as it was, so the same answer comes with every feedback on its
chat and is one event. A chat's own `annotation` counts only where no feedback record tells of it.
"""

from collections.abc import Iterator
from typing import Any

from flywheel.capture.events import Event, Rated
from flywheel.ingest import chat
from flywheel.ingest.reader import Reader, reading, short
from flywheel.ingest.trees import Node, answer_id, responses
from flywheel.settings import Source


def reader(source: Source) -> Reader:
    workload = source.workload or source.name

    def events(value: dict[str, Any]) -> Iterator[Event]:
        return _feedback(value, workload) if "snapshot" in value else _chat(value, workload)

    return reading(recognises, events, "a feedback or a chat of Open WebUI")


def recognises(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return {"data", "meta", "snapshot"} <= value.keys() or isinstance(_history(value), dict)


def _feedback(value: dict[str, Any], workload: str) -> Iterator[Event]:
    match value:
        case {"id": str(name), "meta": {"chat_id": str(talk), "message_id": str(message)}, "data": dict(data)}:
            user = chat.name(value.get("user_id"), "user_id")
        case _:
            raise ValueError(f"field meta: no chat_id and message_id; saw `{short(value.get('meta'))}`")
    snapshot = value["snapshot"].get("chat") if isinstance(value["snapshot"], dict) else None
    if isinstance(snapshot, dict) and (history := _history(snapshot) or snapshot.get("history")):
        yield from _answers(history, talk, {"workload": workload, "user": user})
    yield Rated(
        id=name,
        at=chat.moment(value.get("created_at"), "created_at"),
        workload=workload,
        conversation=talk,
        user=user,
        answer=answer_id(talk, message),
        value=_opinion(data.get("rating"), "data.rating"),
        comment=_words(data),
    )


def _chat(value: dict[str, Any], workload: str) -> Iterator[Event]:
    talk, user = chat.name(value.get("id"), "id"), chat.name(value.get("user_id"), "user_id")
    history = _history(value)
    if not talk:
        raise ValueError("field id: missing")
    yield from _answers(history, talk, {"workload": workload, "user": user})
    for name, message in history["messages"].items():
        match message:
            case {"annotation": {"rating": int() as rating}} if not message.get("feedbackId"):
                yield Rated(
                    id=f"{answer_id(talk, name)}:rated",
                    at=chat.moment(message.get("timestamp"), f"messages.{name}.timestamp"),
                    workload=workload,
                    conversation=talk,
                    user=user,
                    answer=answer_id(talk, name),
                    value=_opinion(rating, f"messages.{name}.annotation.rating"),
                    comment=_words(message["annotation"]),
                )


def _history(value: dict[str, Any]) -> Any:
    """Where a chat keeps its messages."""
    match value:
        case {"chat": {"history": {"messages": dict()} as history}}:
            return history
    return None


def _answers(history: Any, talk: str, common: dict[str, Any]) -> Iterator[Event]:
    if not isinstance(history, dict) or not isinstance(history.get("messages"), dict):
        raise ValueError(f"field history.messages: not an object; saw `{short(history)}`")
    nodes = {name: _node(name, message) for name, message in history["messages"].items()}
    yield from responses(nodes, talk, common)


def _node(name: str, written: Any) -> Node:
    said, field = chat.message(written, f"messages.{name}"), f"messages.{name}.timestamp"
    done = written.get("done") is not False  # an answer that was still being written
    parent, model = written.get("parentId"), written.get("model")
    return Node(
        parent=parent if isinstance(parent, str) else None,
        role=said.role,
        text=said.content if done else "",
        at=chat.moment(written.get("timestamp"), field),
        model=model if isinstance(model, str) and model else "unknown",
    )


def _opinion(rating: Any, field: str) -> float:
    if rating not in (1, -1, "1", "-1") or isinstance(rating, bool):
        raise ValueError(f"field {field}: neither 1 nor -1; saw `{short(rating)}`")
    return float(rating)


def _words(opinion: dict[str, Any]) -> str | None:
    said = [opinion[name] for name in ("reason", "comment") if opinion.get(name) and isinstance(opinion[name], str)]
    return ": ".join(said) or None
