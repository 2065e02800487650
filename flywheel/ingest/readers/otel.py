"""OpenTelemetry's GenAI telemetry as OTLP JSON: one export request a line, of spans or of logs.

Messages stand in `gen_ai.input.messages` and `gen_ai.output.messages`, in older emitters in an event for each message
(`gen_ai.user.message` to `gen_ai.choice`, on the span or in the log) or in flat attributes (`gen_ai.prompt.0.content`,
`llm.input_messages.0.message.content`). A request is read alone: a trace that several requests carry is joined by the
ids of its spans. `gen_ai.evaluation.result` is an opinion on its span; no attribute of the standard tells who gave it,
so that a program did unless one of `SAID_BY` names a person.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from flywheel.capture.events import Event
from flywheel.ingest import calls, chat
from flywheel.ingest.opinions import EVALUATOR, opinions
from flywheel.ingest.reader import Reader, reading, short
from flywheel.ingest.spans import Span, kind_of, retrieved, tool_ended
from flywheel.ingest.traces import Trace
from flywheel.settings import Source

TURNS = {f"gen_ai.{role}.message": role for role in ("system", "user", "assistant", "tool")}
CHOICE, DETAILS, EVALUATION = "gen_ai.choice", "gen_ai.client.inference.operation.details", "gen_ai.evaluation.result"
TURNS_OF_OLD = {"gen_ai.content.prompt": "gen_ai.prompt", "gen_ai.content.completion": "gen_ai.completion"}
SAID_BY = ("gen_ai.evaluation.source", "gen_ai.evaluation.evaluator.type", "annotator_kind")
PERSON = {"human", "person", "user"}
CONVERSATION = ("gen_ai.conversation.id", "session.id", "traceloop.association.properties.session_id")
USER = ("user.id", "enduser.id", "enduser.pseudo.id")
MODEL = ("gen_ai.response.model", "gen_ai.request.model", "llm.model_name")
TOKENS_IN = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
TOKENS_OUT = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion")
INPUT = ("gen_ai.tool.call.arguments", "gen_ai.retrieval.query.text", "traceloop.entity.input", "input.value")
OUTPUT = ("gen_ai.tool.call.result", "gen_ai.retrieval.documents", "traceloop.entity.output", "output.value")
RESOURCE = {"service.name": "service", "deployment.environment.name": "environment"}


@dataclass(frozen=True, kw_only=True)
class Said:
    """An event on a span or in the log, about a span."""

    name: str
    at: str
    attributes: Mapping[str, Any]
    body: Any = None


@dataclass(kw_only=True)
class Logged:
    """What one request tells of one span."""

    span: dict[str, Any] | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)

    def hear(self, said: Said) -> None:
        self.said.append(said)
        if said.name == DETAILS:  # the span's own attributes, logged apart from it
            self.attributes |= said.attributes


def reader(source: Source) -> Reader:
    workload = source.workload or source.name

    def events(value: dict[str, Any]) -> Iterator[Event]:
        for trace, logged in _traces(value).items():
            yield from _events(trace, logged, workload)

    return reading(
        recognises, events, "an export request of OpenTelemetry (OTLP JSON with resourceSpans or resourceLogs)"
    )


def recognises(value: Any) -> bool:
    return isinstance(value, dict) and any(
        isinstance(value.get(name), list) for name in ("resourceSpans", "resourceLogs")
    )


def _events(trace: str, logged: dict[str, Logged], workload: str) -> Iterator[Event]:
    whole = Trace(_span(name, each) for name, each in logged.items())
    told = [each.attributes for each in logged.values()]
    talk, user = (next(filter(None, (_named(each, names) for each in told)), None) for names in (CONVERSATION, USER))
    common: dict[str, Any] = {"workload": workload, "conversation": talk or trace or None, "user": user}
    tags = {name: tag for each in logged.values() for name, tag in each.tags.items()}
    yield from (whole.events if whole.answers else partial(_apart, whole))({**common, "tags": tags})
    opinions = [(name, said) for name, each in logged.items() for said in each.said if said.name == EVALUATION]
    for name, said in opinions:
        about = whole.about(name)
        yield from _evaluated(said, name, about.id if about else name, common)
    if not (whole.answers or opinions) and any(each.kind == "answer" for each in whole.spans.values()):
        raise ValueError(
            "a call of a model without its messages; the product does not capture them "
            "(OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT)"
        )


def _apart(trace: Trace, common: Mapping[str, Any]) -> Iterator[Event]:
    """Tools and searches whose answer came in another request: what they hang below stands for it."""
    for span in trace.spans.values():
        if span.kind == "tool":
            yield tool_ended(span, span.parent or span.id, common)
        elif span.kind == "retrieval":
            yield retrieved(span, span.parent or span.id, common)


def _evaluated(said: Said, span: str, answer: str, common: Mapping[str, Any]) -> Iterator[Event]:
    told = said.attributes
    person = any(isinstance(by := told.get(each), str) and by.lower() in PERSON for each in SAID_BY)
    score, label, why = (
        told.get(f"gen_ai.evaluation.{each}") for each in ("score.value", "score.label", "explanation")
    )
    words = [each for each in ([label] if score is not None else []) + [why] if isinstance(each, str) and each]
    named = chat.name(told.get("gen_ai.evaluation.name"), "gen_ai.evaluation.name")
    about = {**common, "id": f"{span}:{named}:{said.at}", "at": said.at, "answer": answer}
    about |= {"component": None if person else EVALUATOR, "user": _named(told, USER) if person else None}
    yield from opinions(label if score is None else score, name=named, comment=": ".join(words), common=about)


# ---- spans ----------------------------------------------------------------------------------------------------------


def _span(name: str, logged: Logged) -> Span:
    said = sorted(logged.said, key=lambda each: each.at)
    attributes = dict(logged.attributes)
    for each in said:
        if each.name in TURNS_OF_OLD and (inside := TURNS_OF_OLD[each.name]) in each.attributes:
            attributes[inside] = each.attributes[inside]
    asked = [_turn(each, TURNS[each.name]) for each in said if each.name in TURNS]
    choices = [_turn(each, "assistant") for each in said if each.name == CHOICE]
    kind = kind_of(None, attributes)
    if kind == "step" and "gen_ai.operation.name" not in attributes and (choices or calls.answered(attributes)):
        kind = "answer"
    span = logged.span or {}
    start = span.get("startTimeUnixNano") or (said[0].at if said else None)
    begun = chat.moment(start, "startTimeUnixNano")
    return Span(
        id=name,
        kind=kind,
        parent=chat.name(span.get("parentSpanId"), "parentSpanId"),
        name=chat.name(span.get("name"), "name") or "",
        start=begun,
        end=chat.moment(span.get("endTimeUnixNano") or start, "endTimeUnixNano"),
        input=asked or _first(attributes, INPUT),
        output=choices[0] if choices else _first(attributes, OUTPUT),
        attributes=attributes,
        model=_named(attributes, MODEL) or "unknown",
        tokens_in=chat.number(_first(attributes, TOKENS_IN)),
        tokens_out=chat.number(_first(attributes, TOKENS_OUT)),
        error=_error(span.get("status"), attributes),
    )


def _turn(said: Said, role: str) -> dict[str, Any]:
    """A message as its event tells it: in the body, in one attribute as JSON, or in several attributes."""
    inside = calls.opened(said.attributes.get("gen_ai.event.content"))
    told = next((each for each in (said.body, inside) if isinstance(each, dict)), said.attributes)
    opened = {name: calls.opened(each) if name in ("message", "tool_calls") else each for name, each in told.items()}
    return opened if isinstance(opened.get("message"), dict) else {"role": role, **opened}


def _error(status: Any, attributes: Mapping[str, Any]) -> str | None:
    match status:
        case {"code": 2 | "STATUS_CODE_ERROR", "message": str(told)} if told:
            return told
        case {"code": 2 | "STATUS_CODE_ERROR"}:
            return _named(attributes, ("error.type",)) or "error"
    return None


# ---- OTLP -----------------------------------------------------------------------------------------------------------


def _traces(request: dict[str, Any]) -> dict[str, dict[str, Logged]]:
    """What the request tells, by trace and span."""
    traces: dict[str, dict[str, Logged]] = {}
    for tags, span in _inside(request, "resourceSpans", "scopeSpans", "spans"):
        logged = _place(traces, span)
        logged.span, logged.tags = span, tags
        logged.attributes |= _attributes(span.get("attributes"))
        for event in chat.objects(span.get("events"), "events"):
            logged.hear(_said(event, event.get("name")))
    for tags, record in _inside(request, "resourceLogs", "scopeLogs", "logRecords"):
        attributes = _attributes(record.get("attributes"))
        said = _said(record, record.get("eventName") or attributes.get("event.name"))
        if said.name in (*TURNS, CHOICE, DETAILS, EVALUATION):
            logged = _place(traces, record)
            logged.tags = logged.tags or tags
            logged.hear(said)
    return traces


def _place(traces: dict[str, dict[str, Logged]], found: dict[str, Any]) -> Logged:
    name, trace = chat.name(found.get("spanId"), "spanId"), chat.name(found.get("traceId"), "traceId")
    if not name:
        raise ValueError(f"field spanId: missing; saw `{short(found)}`")
    return traces.setdefault(trace or "", {}).setdefault(name, Logged())


def _said(event: dict[str, Any], name: Any) -> Said:
    at = event.get("timeUnixNano") or event.get("observedTimeUnixNano")
    return Said(
        name=name if isinstance(name, str) else "",
        at=chat.moment(at, "timeUnixNano"),
        attributes=_attributes(event.get("attributes")),
        body=_value(event.get("body")),
    )


def _inside(request: dict[str, Any], resources: str, scopes: str, items: str) -> Iterator[tuple[dict[str, str], Any]]:
    for resource in chat.objects(request.get(resources), resources):
        about = resource.get("resource")
        told = _attributes(about.get("attributes")) if isinstance(about, dict) else {}
        tags = {tag: told[name] for name, tag in RESOURCE.items() if isinstance(told.get(name), str)}
        for scope in chat.objects(resource.get(scopes), scopes):
            for item in chat.objects(scope.get(items), items):
                yield tags, item


def _attributes(written: Any) -> dict[str, Any]:
    if not isinstance(written, list):
        return {}
    return {each["key"]: _value(each.get("value")) for each in written if isinstance(each, dict) and _keyed(each)}


def _keyed(pair: dict[str, Any]) -> bool:
    return isinstance(pair.get("key"), str)


def _value(written: Any) -> Any:
    """The value inside an AnyValue; whole numbers are text in OTLP JSON."""
    match written:
        case {"stringValue": value} | {"boolValue": value} | {"doubleValue": value}:
            return value
        case {"intValue": str(digits)} if digits.lstrip("-").isdecimal() and len(digits) < 20:
            return int(digits)
        case {"intValue": int(value)}:
            return value
        case {"arrayValue": dict(inside)}:
            values = inside.get("values")
            return [_value(each) for each in values] if isinstance(values, list) else []
        case {"kvlistValue": dict(inside)}:
            return _attributes(inside.get("values"))
    return None


def _first(attributes: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((attributes[name] for name in names if attributes.get(name) is not None), None)


def _named(attributes: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    found = _first(attributes, names)
    return found if isinstance(found, str) and found else None
