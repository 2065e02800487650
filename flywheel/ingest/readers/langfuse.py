"""Langfuse's traces: the JSON export of a trace with its observations and scores, and rows of the table export.

A trace is read whole: its generations are answers, its tools and retrievers belong to them, a score on the trace speaks
of its last answer, a correction of the answer whose words it corrects. A row of the tables `observations` and `scores`
is read alone: its conversation is its trace, an answer that two generations tell counts twice, and a score finds its
answer only if it names the observation. A row of the table `traces` says nothing that those do not.

What Langfuse's evaluators computed has the component `evaluator`: it is no person's opinion.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from flywheel.capture.events import Edited, Event, Outcome, Rated
from flywheel.ingest import calls, cells, chat
from flywheel.ingest.opinions import EVALUATOR, opinions
from flywheel.ingest.reader import Reader, reading, short
from flywheel.ingest.spans import Span, kind_of, response, retrieved, tool_ended
from flywheel.ingest.traces import Trace
from flywheel.settings import Source

ABOUT = {"sessionId", "userId", "projectId", "timestamp", "scores", "environment"}  # what a trace says of itself
OBSERVATION = {"traceId", "type", "startTime"}
SCORE = {"name", "source", "dataType"}
TRACE = {"sessionId", "userId", "bookmarked"}


def reader(source: Source) -> Reader:
    workload = source.workload or source.name

    def events(value: dict[str, Any]) -> Iterator[Event]:
        if (found := _trace(value)) is not None:
            return _whole(*found, workload)
        row = _camel(value)
        if row.keys() >= SCORE:
            return iter(list(_scored(row, None, {"workload": workload, "conversation": _conversation(row)})))
        if row.keys() >= OBSERVATION:
            return iter([_observed(row, workload)])
        raise ValueError("a row of the table traces, which says nothing that observations and scores do not")

    return reading(recognises, events, "a trace of Langfuse, or a row of its observations or scores")


def recognises(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    row = _camel(value)
    return _trace(value) is not None or any(row.keys() >= marks for marks in (OBSERVATION, SCORE, TRACE))


def _trace(value: dict[str, Any]) -> tuple[dict[str, Any], list[Any]] | None:
    """The trace and its observations, beside each other or one inside the other."""
    match value:
        case {"trace": dict(trace), "observations": list(observations)}:
            return trace, observations
        case {"observations": list(observations)} if ABOUT & value.keys():
            return value, observations
    return None


def _camel(row: dict[str, Any]) -> dict[str, Any]:
    """A row under the names of the API; the tables of ClickHouse have other ones."""
    made = {}
    for name, cell in row.items():
        first, *rest = name.split("_")
        made["".join([first, *(part.capitalize() for part in rest)])] = cell
    return made


# ---- a trace --------------------------------------------------------------------------------------------------------


def _whole(about: dict[str, Any], observations: list[Any], workload: str) -> Iterator[Event]:
    trace = Trace(_span(_camel(each)) for each in chat.objects(observations, "observations"))
    name = chat.name(about.get("id"), "trace.id")
    user = chat.name(about.get("userId"), "trace.userId")
    common: dict[str, Any] = {"workload": workload, "user": user}
    common["conversation"] = chat.name(about.get("sessionId"), "trace.sessionId") or name
    yield from trace.events({**common, "tags": _tags(about)})
    for given in ("scores", "corrections"):
        for scored in map(_camel, chat.objects(about.get(given), given)):
            yield from _scored(scored, _spoken_of(scored, about, trace) or name, common)


def _spoken_of(score: dict[str, Any], about: dict[str, Any], trace: Trace) -> str | None:
    """The answer; None where a correction is of no answer's words: it waits, since it would be an edit of others."""
    named = chat.name(score.get("observationId"), "scores.observationId")
    found = trace.about(named)
    if score.get("dataType") != "CORRECTION" or (found and found.id == named):
        return found.id if found else named
    whole = trace.spans.get(named or "")
    corrected = calls.opened(about.get("output")) if whole is None else whole.output
    if isinstance(corrected, str) and corrected.startswith('"'):
        corrected = calls.opened(corrected)  # a trace's output is JSON text, often of JSON text
    turns = calls.messages(corrected)
    if corrected is not None:
        said = turns[-1].content if turns else calls.plain(corrected)
        found = trace.saying(named, said)
    return found.id if found else named


def _tags(about: dict[str, Any]) -> dict[str, str]:
    """What slices can be made of: the trace's name and environment, and its tags, each `yes`."""
    tags = about.get("tags") if isinstance(about.get("tags"), list) else []
    told = {name: about.get(name) for name in ("name", "environment", "release")}
    said = {f"trace_{name}" if name == "name" else name: tag for name, tag in told.items()}
    return {tag: "yes" for tag in tags or [] if isinstance(tag, str)} | {
        name: tag for name, tag in said.items() if isinstance(tag, str) and tag
    }


# ---- an observation -------------------------------------------------------------------------------------------------


def _span(row: dict[str, Any]) -> Span:
    name = chat.name(row.get("id"), "observations.id")
    if not name:
        raise ValueError("field observations.id: missing")
    about = calls.opened(row.get("metadata"))
    attributes = calls.opened(about.get("attributes")) if isinstance(about, dict) else None
    attributes = attributes if isinstance(attributes, dict) else {}
    start = _time(row.get("startTime"), "observations.startTime")
    usage = row.get("usageDetails") if isinstance(row.get("usageDetails"), dict) else {}
    output = row.get("output")
    kind = kind_of(row.get("type"), attributes)
    match calls.opened(output):
        case {"type": "tool", "content": _} if kind == "step":
            kind = "tool"  # LangChain's message of a tool
    version = [chat.name(row.get(each), each) for each in ("promptName", "promptVersion")]
    return Span(
        id=name,
        kind=kind,
        parent=chat.name(row.get("parentObservationId"), "observations.parentObservationId"),
        name=chat.name(row.get("name"), "observations.name") or "",
        start=start,
        end=_time(row["endTime"], "observations.endTime") if row.get("endTime") else start,
        input=row.get("input"),
        output=output,
        attributes=attributes,
        model=chat.name(row.get("model") or row.get("providedModelName"), "observations.model") or "unknown",
        prompt_version=":".join(each for each in version if each) or None,
        tokens_in=chat.number((usage or {}).get("input")),
        tokens_out=chat.number((usage or {}).get("output")),
        cost=_amount(row.get("totalCost")),
        error=_error(row),
    )


def _error(row: dict[str, Any]) -> str | None:
    if row.get("level") != "ERROR":
        return None
    return chat.name(row.get("statusMessage"), "observations.statusMessage") or "error"


def _amount(written: Any) -> float | None:
    with suppress(cells.Unreadable):
        return None if written is None else float(cells.number(written))
    return None


def _time(written: Any, field: str) -> str:
    return chat.moment(written, field)


def _observed(row: dict[str, Any], workload: str) -> Event:
    """A row alone; which answer called a tool is not known, so that what the row hangs below stands for it."""
    span, conversation = _span(row), _conversation(row)
    common: dict[str, Any] = {"workload": workload, "conversation": conversation}
    common["user"] = chat.name(row.get("userId"), "userId")
    around = span.parent or conversation or span.id
    if span.kind == "answer" and span.text:
        return response(span, common)
    if span.kind == "tool":
        return tool_ended(span, around, common)
    if span.kind == "retrieval":
        return retrieved(span, around, common)
    raise ValueError(f"field type: neither an answer nor a tool nor a search; saw `{short(row['type'])}`")


def _conversation(row: dict[str, Any]) -> str | None:
    return chat.name(row.get("sessionId"), "sessionId") or chat.name(row.get("traceId"), "traceId")


# ---- a score --------------------------------------------------------------------------------------------------------


def _scored(score: dict[str, Any], answer: str | None, around: Mapping[str, Any]) -> Iterator[Event]:
    name = chat.name(score.get("id"), "scores.id")
    answer = answer or chat.name(score.get("observationId"), "scores.observationId") or around["conversation"]
    if not name or not answer:
        raise ValueError(f"field scores.{'observationId' if name else 'id'}: missing")
    person = score.get("source") != "EVAL"
    common: dict[str, Any] = {**around, "id": name, "at": _time(score.get("timestamp"), "scores.timestamp")}
    common |= {"answer": answer, "component": None if person else EVALUATOR}
    common["user"] = chat.name(score.get("authorUserId"), "scores.authorUserId") or (
        around.get("user") if score.get("source") == "API" else None
    )
    if score.get("dataType") == "CORRECTION":
        yield from [_correction(score, common)] if person else []
    else:
        yield from _measured(score, common)


def _correction(score: dict[str, Any], common: Mapping[str, Any]) -> Edited:
    for text in (score.get("longStringValue"), score.get("value"), score.get("stringValue")):
        if isinstance(text, str) and text:
            return Edited(**common, text=text)
    raise ValueError(f"field scores.longStringValue: a correction without its text; saw `{short(text)}`")


def _measured(score: dict[str, Any], common: dict[str, Any]) -> Iterator[Rated | Outcome]:
    value = score.get("value")
    if score.get("dataType") in ("CATEGORICAL", "TEXT"):
        said: Any = next(
            (each for each in (score.get("stringValue"), score.get("longStringValue"), value) if each), None
        )
        said = said if isinstance(said, str) else None
    elif (said := _amount(value)) is None:
        raise ValueError(f"field scores.value: not a number; saw `{short(value)}`")
    elif score.get("dataType") == "BOOLEAN":
        said = said != 0
    name = chat.name(score.get("name"), "scores.name")
    yield from opinions(said, name=name, comment=score.get("comment"), common=common)
