"""One step of a trace as an event: an answer of a model, a call of a tool, a search; whichever tool traced it.

How the steps hang together belongs in `traces`, what a field of a format means in its reader, what an input or an
output says in `calls`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Literal

from flywheel.capture.events import Message, Response, Retrieval, ToolCall
from flywheel.ingest import calls
from flywheel.ingest.reader import canonical

Kind = Literal["answer", "tool", "retrieval", "step"]
KINDS: dict[str, Kind] = {
    **dict.fromkeys(["GENERATION", "LLM", "CHAT_MODEL", "CHAT", "TEXT_COMPLETION", "GENERATE_CONTENT"], "answer"),
    **dict.fromkeys(["TOOL", "EXECUTE_TOOL"], "tool"),
    **dict.fromkeys(["RETRIEVER", "RETRIEVAL"], "retrieval"),
}
TOLD_BY = ("openinference.span.kind", "gen_ai.operation.name", "traceloop.span.kind", "mlflow.spanType")
TOOL_NAMES = ("gen_ai.tool.name", "tool.name", "ai.toolCall.name")
DOCUMENT_IDS = ("id", "doc_uri", "source", "url", "href", "document.id")


def kind_of(said: Any, attributes: Mapping[str, Any]) -> Kind:
    """By the first word that says it: the format's own type, or an attribute of some convention."""
    for word in (said, *(attributes.get(name) for name in TOLD_BY)):
        if isinstance(word, str) and word.upper() in KINDS:
            return KINDS[word.upper()]
    return "step"


@dataclass(frozen=True, kw_only=True, eq=False)
class Span:
    """One step of a trace; times as events spell them."""

    id: str
    kind: Kind
    start: str
    end: str
    parent: str | None = None
    name: str = ""
    input: Any = None
    output: Any = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    model: str = "unknown"
    prompt_version: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost: float | None = None
    error: str | None = None
    told: list[Message] | None = None
    """What it was given, where only the spans around it say so."""

    @cached_property
    def turns(self) -> list[Message] | None:
        """What it answered, if it told that as messages."""
        found = calls.messages(self.output)
        return calls.answered(self.attributes) if found is None else found

    @cached_property
    def text(self) -> str:
        """What it answered: the turns after the last that is not the model's own."""
        if self.turns is None:
            return calls.plain(self.output)
        said: list[str] = []
        for turn in self.turns:
            said = [*said, turn.content] if turn.role == "assistant" else []
        return "\n".join(each for each in said if each)

    @cached_property
    def asked(self) -> list[Message] | None:
        """What it was given, if it told that as messages; a response of OpenAI repeats its instructions."""
        if self.told is not None:
            return self.told
        found = calls.messages(self.input)
        found = calls.given(self.attributes) if found is None else found
        match calls.opened(self.output):
            case {"object": "response", "instructions": str(rules)} if rules and found:
                return found if found[0].role == "system" else [Message(role="system", content=rules), *found]
        return found

    @property
    def prompt(self) -> list[Message]:
        """What it was given; what is no messages is the user's one turn."""
        if self.asked is not None:
            return self.asked
        match calls.opened(self.input):
            case dict(named) if len(named) == 1:  # a function's one argument
                text = calls.plain(next(iter(named.values())))
            case other:
                text = calls.plain(other if isinstance(other, dict | list) else self.input)
        return [Message(role="user", content=text)] if text else []

    @property
    def latency_ms(self) -> float:
        took = datetime.fromisoformat(self.end) - datetime.fromisoformat(self.start)
        return max(0.0, took / timedelta(milliseconds=1))


def response(span: Span, common: Mapping[str, Any]) -> Response:
    """Samples of one prompt are siblings; a span that does not tell its messages has none."""
    told = [[each.role, each.content] for each in span.asked or []]
    return Response(
        **common,
        id=span.id,
        at=span.end,
        parent=hashlib.sha256(canonical(told).encode()).hexdigest()[:32] if told else f"{span.id}:asked",
        prompt=span.prompt,
        text=span.text,
        model=span.model,
        prompt_version=span.prompt_version,
        tokens_in=span.tokens_in,
        tokens_out=span.tokens_out,
        cost=span.cost,
        latency_ms=span.latency_ms,
    )


def tool_ended(span: Span, answer: str, common: Mapping[str, Any]) -> ToolCall:
    result = calls.opened(span.output)
    failed = isinstance(result, dict) and result.get("status") == "error"
    return ToolCall(
        **common,
        id=span.id,
        at=span.end,
        answer=answer,
        name=tool_name(span),
        arguments=calls.arguments(span.input),
        text=returned(span),
        error=span.error or (returned(span) if failed else None),
        latency_ms=span.latency_ms,
    )


def returned(span: Span) -> str:
    """What a tool returned, as text."""
    result = calls.opened(span.output)
    match result:
        case {"type": "tool", "content": content}:  # LangChain's message
            return calls.plain(content)
    return calls.plain(result if isinstance(result, dict | list) and calls.messages(result) else span.output)


def retrieved(span: Span, answer: str, common: Mapping[str, Any]) -> Retrieval:
    asked, found = calls.opened(span.input), calls.opened(span.output)
    match asked:
        case {"query": str(query)} | {"question": str(query)} | {"input": str(query)}:
            pass
        case _:
            query = calls.plain(asked)
    found = found.get("documents", found) if isinstance(found, dict) else found
    documents = [document_id(each) for each in found] if isinstance(found, list) else []
    return Retrieval(
        **common, id=span.id, at=span.end, answer=answer, query=query, documents=documents, empty=found in ([], None)
    )


def document_id(document: Any) -> str:
    """The name a document goes by; without one, a hash of it."""
    about = document if isinstance(document, dict) else {}
    inside = about.get("metadata") if isinstance(about.get("metadata"), dict) else {}
    names = [each.get(name) for name in DOCUMENT_IDS for each in (about, inside or {})]
    return (
        next((name for name in names if isinstance(name, str) and name), "")
        or (hashlib.sha256(canonical(document).encode()).hexdigest()[:32])
    )


def tool_name(span: Span) -> str:
    told = [span.attributes.get(name) for name in TOOL_NAMES]
    return next((name for name in told if isinstance(name, str) and name), span.name) or "unknown"
