"""Spans of a trace as events: answers of models, calls of tools, searches; whichever tool traced them.

Instrumentation nests: an agent calls a framework, the framework a client, and each logs the same answer. It counts
once, as the innermost span that tells its messages. What a field of a format means belongs in its reader, what an input
or an output says in `calls`.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Literal

from flywheel.capture.events import Event, Message, Response, Retrieval, ToolCall
from flywheel.ingest import calls
from flywheel.ingest.reader import canonical, tool_call

Kind = Literal["answer", "tool", "retrieval", "step"]
KINDS: dict[str, Kind] = {
    **dict.fromkeys(["GENERATION", "LLM", "CHAT_MODEL", "CHAT", "TEXT_COMPLETION", "GENERATE_CONTENT"], "answer"),
    **dict.fromkeys(["TOOL", "EXECUTE_TOOL"], "tool"),
    **dict.fromkeys(["RETRIEVER", "RETRIEVAL"], "retrieval"),
}
TOLD_BY = ("openinference.span.kind", "gen_ai.operation.name", "traceloop.span.kind", "mlflow.spanType")
TOOL_NAMES = ("gen_ai.tool.name", "tool.name", "ai.toolCall.name")
DOCUMENT_IDS = ("id", "doc_uri", "source", "url", "href", "document.id")
CALLED = re.compile(r'"name":("(?:[^"\\]|\\.)*"),"type":"tool_call"\}$')
DEEPEST = 100  # spans inside each other


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


class Trace:
    """The spans of one trace, and which of them are its answers."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self.spans = {each.id: each for each in sorted(spans, key=lambda each: (each.start, each.id))}
        self.answers = self._answers()
        self._calls: dict[str, list[Span]] = {}  # the answers in which a call stands, by its line and by its tool
        self._below: dict[str, list[Span]] = {}
        for answer in self.answers:
            for above in self._way(answer):
                self._below.setdefault(above.id, []).append(answer)
            for line in answer.text.split("\n"):
                if called := CALLED.search(line):
                    self._calls.setdefault(line, []).append(answer)
                    self._calls.setdefault(called[1], []).append(answer)

    def events(self, common: Mapping[str, Any]) -> Iterator[Event]:
        kept = {each.id for each in self.answers}
        for span in self.spans.values() if kept else ():
            if span.id in kept:
                yield response(span, common)
            elif span.kind == "tool":
                yield tool_ended(span, self._caller(span).id, common)
            elif span.kind == "retrieval":
                yield retrieved(span, self._used_by(span).id, common)

    def about(self, span: str | None) -> Span | None:
        """The answer that feedback on this span, or on the whole trace, speaks of: the last one in it."""
        within = self._within(span)
        if not within and span in self.spans and self.answers:
            return self._caller(self.spans[span])  # a tool of it
        return within[-1] if within else None

    def saying(self, span: str | None, text: str) -> Span | None:
        """The last answer in there whose words are these: the one that a correction of them speaks of."""
        said = (each for each in reversed(self._within(span)) if each.text.strip() == text.strip())
        return next(said, None)

    def _within(self, span: str | None) -> list[Span]:
        """The answers that are this span or stand below it, else the one around it; without a span all of them."""
        if span is None:
            return self.answers
        around = self._way(self.spans[span]) if span in self.spans else []
        return self._below.get(span) or [each for each in around if each in self._below.get(each.id, ())]

    def _answers(self) -> list[Span]:
        said = {each.id: each for each in self.spans.values() if each.kind == "answer" and each.text}
        around = {name: [above for above in self._way(each)[1:] if above.id in said] for name, each in said.items()}
        holds = Counter(above.id for each in around.values() for above in each)
        kept: dict[str, Span] = {}
        for name, span in said.items():
            if not holds[name]:
                tells = [above for above in around[name] if holds[above.id] == 1 and above.turns is not None]
                best = tells[0] if tells and span.turns is None else span
                kept[best.id] = best
        return sorted(kept.values(), key=lambda each: (each.start, each.id))

    def _way(self, span: Span) -> list[Span]:
        """From a span up to the root, the span first."""
        way: dict[str, Span] = {}
        at: Span | None = span
        while at is not None and at.id not in way and len(way) < DEEPEST:
            way[at.id] = at
            at = self.spans.get(at.parent or "")
        return list(way.values())

    def _caller(self, span: Span) -> Span:
        """The answer that called this tool: in these words, by its name, or the last before it."""
        name = tool_name(span)
        for called in (tool_call(name, calls.arguments(span.input)), canonical(name)):
            before = [each for each in self._calls.get(called, ()) if each.start <= span.start]
            if before:
                return before[-1]
        return next((each for each in reversed(self.answers) if each.start <= span.start), self.answers[0])

    def _used_by(self, span: Span) -> Span:
        """The answer after a search is the one that used it."""
        return next((each for each in self.answers if each.start >= span.start), self.answers[-1])


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
    text = calls.plain(result if isinstance(result, dict | list) and calls.messages(result) else span.output)
    match result:
        case {"type": "tool", "content": content}:  # LangChain's message
            text = calls.plain(content)
    failed = isinstance(result, dict) and result.get("status") == "error"
    return ToolCall(
        **common,
        id=span.id,
        at=span.end,
        answer=answer,
        name=tool_name(span),
        arguments=calls.arguments(span.input),
        text=text,
        error=span.error or (text if failed else None),
        latency_ms=span.latency_ms,
    )


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
