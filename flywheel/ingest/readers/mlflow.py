"""MLflow's traces with their assessments, as `Trace.to_json()` writes them: those of MLflow 3 and the older ones.

Spans of type CHAT_MODEL or LLM are answers; where there is none, the traced function is what answered. A person's
feedback is an opinion on the trace's last answer or on the span's it names; what they expected in its place
(`expected_response`, `expected_output`) is an edit. Feedback of a judge or of code has the component `evaluator`, and
what those expected is no edit. How traces come out of a server belongs in `harvest`.
"""

import base64
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from flywheel.capture.events import Edited, Event
from flywheel.ingest import calls, chat
from flywheel.ingest.opinions import EVALUATOR, opinions
from flywheel.ingest.reader import Reader, hashed, reading, short
from flywheel.ingest.spans import Span, kind_of
from flywheel.ingest.traces import Trace
from flywheel.settings import Source

EXPECTED = ("expected_response", "expected_output")
OWN = "mlflow."  # how the tags begin that say nothing of the product


def reader(source: Source) -> Reader:
    workload = source.workload or source.name

    def events(value: dict[str, Any]) -> Iterator[Event]:
        return _events(value["info"], value["data"]["spans"], workload)

    return reading(recognises, events, "a trace of MLflow")


def recognises(value: Any) -> bool:
    match value:
        case {"info": dict(info), "data": {"spans": list()}}:
            return bool({"trace_id", "request_id"} & info.keys())
    return False


def _events(info: dict[str, Any], logged: list[Any], workload: str) -> Iterator[Event]:
    name = chat.name(info.get("trace_id") or info.get("request_id"), "info.trace_id")
    about = info.get("trace_metadata") or info.get("request_metadata")
    about = about if isinstance(about, dict) else {}
    common: dict[str, Any] = {
        "workload": workload,
        "conversation": chat.name(about.get("mlflow.trace.session"), "mlflow.trace.session") or name,
        "user": chat.name(about.get("mlflow.trace.user"), "mlflow.trace.user"),
    }
    trace = _trace([_span(each) for each in logged])
    yield from trace.events({**common, "tags": _tags(info)})
    for assessment in chat.objects(info.get("assessments"), "info.assessments"):
        if assessment.get("valid") is not False:  # else another one overrides it
            yield from _assessed(assessment, trace, name, common)


def _trace(spans: list[Span]) -> Trace:
    """Where no model was traced, the outermost function is what answered."""
    if any(each.kind == "answer" for each in spans):
        return Trace(spans)
    return Trace(replace(each, kind="answer") if not each.parent and each.kind == "step" else each for each in spans)


def _tags(info: dict[str, Any]) -> dict[str, str]:
    tags = info.get("tags") if isinstance(info.get("tags"), dict) else {}
    found = {name: tag for name, tag in (tags or {}).items() if isinstance(tag, str) and not name.startswith(OWN)}
    traced = (tags or {}).get("mlflow.traceName")
    return {**found, "trace_name": traced} if isinstance(traced, str) else found


# ---- spans ----------------------------------------------------------------------------------------------------------


def _span(written: Any) -> Span:
    match written:
        case {"span_id": str(name), "start_time_unix_nano": start, "end_time_unix_nano": end}:
            parent, status = written.get("parent_span_id"), written.get("status")
            code, told = (status.get("code"), status.get("message")) if isinstance(status, dict) else (None, None)
        case {"context": {"span_id": str(name)}, "start_time": start, "end_time": end}:
            parent, code, told = written.get("parent_id"), written.get("status_code"), written.get("status_message")
        case _:
            raise ValueError(f"field data.spans: a span without its id or times; saw `{short(written)}`")
    logged = written.get("attributes")
    attributes = {each: calls.opened(text) for each, text in logged.items()} if isinstance(logged, dict) else {}
    usage = attributes.get("mlflow.chat.tokenUsage")
    usage = usage if isinstance(usage, dict) else {}
    cost = attributes.get("mlflow.llm.cost")
    spent = cost.get("total_cost") if isinstance(cost, dict) else None
    failed = isinstance(code, str) and code.endswith("ERROR")
    begun = chat.moment(start, "data.spans.start_time")
    return Span(
        id=span_id(name),
        kind=kind_of(attributes.get("mlflow.spanType"), attributes),
        parent=span_id(parent) if isinstance(parent, str) and parent else None,
        name=chat.name(written.get("name"), "data.spans.name") or "",
        start=begun,
        end=begun if end is None else chat.moment(end, "data.spans.end_time"),
        input=attributes.get("mlflow.spanInputs"),
        output=attributes.get("mlflow.spanOutputs"),
        attributes=attributes,
        model=_model(attributes),
        tokens_in=chat.number(usage.get("input_tokens")),
        tokens_out=chat.number(usage.get("output_tokens")),
        cost=float(spent) if isinstance(spent, int | float) and not isinstance(spent, bool) else None,
        error=(told if isinstance(told, str) and told else "error") if failed else None,
    )


def span_id(written: str) -> str:
    """The hexadecimal digits of an id in any of its spellings: digits, digits after 0x, base64."""
    if len(written) == 12:
        with suppress(ValueError):
            return base64.b64decode(written, validate=True).hex()
    return written.removeprefix("0x")


def _model(attributes: Mapping[str, Any]) -> str:
    """What answered if the span says it, else what was asked for."""
    sides = (attributes.get("mlflow.spanOutputs"), attributes.get("mlflow.spanInputs"))
    told = [attributes.get("mlflow.llm.model"), *(side.get("model") for side in sides if isinstance(side, dict))]
    return next((each for each in told if isinstance(each, str) and each), "unknown")


# ---- assessments ----------------------------------------------------------------------------------------------------


def _assessed(said: dict[str, Any], trace: Trace, trace_name: str | None, common: Mapping[str, Any]) -> Iterator[Event]:
    by = said["source"] if isinstance(said.get("source"), dict) else {}
    person, named = by.get("source_type") == "HUMAN", said.get("span_id")
    answer = trace.about(span_id(named) if isinstance(named, str) and named else None)
    about: dict[str, Any] = {
        **common,
        "id": chat.name(said.get("assessment_id"), "assessment_id") or hashed(said),
        "at": chat.moment(said.get("last_update_time") or said.get("create_time"), "last_update_time"),
        "user": (chat.name(by.get("source_id"), "source_id") if person else None)
        or (common["user"] if person else None),
        "answer": answer.id if answer else named or trace_name,
    }
    name = chat.name(said.get("assessment_name") or said.get("name"), "assessment_name")
    match said:
        case {"feedback": dict(feedback)} if feedback.get("value") is not None:
            about["component"] = None if person else EVALUATOR
            yield from opinions(feedback["value"], name=name, comment=said.get("rationale"), common=about)
        case {"expectation": {"value": str(text)}} if person and name in EXPECTED and text:
            yield Edited(**about, text=text)
