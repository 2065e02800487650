"""TensorZero's tables as JSON: chat and json inferences, and boolean, float, comment and demonstration feedback.

Input, output and demonstrations are JSON text inside JSON in older exports, plain JSON in newer ones; both give equal
events. Feedback names an inference or an episode and does not say which, so its target stands in `answer`; what it
joins is found elsewhere. A tool call of an output is part of the answer's text and no event: its result is not known.
"""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from flywheel.capture.events import Edited, Event, Message, Outcome, Rated, Response, outside_limits
from flywheel.ingest.reader import (
    Reader,
    Rejected,
    canonical,
    moment,
    sentence,
    short,
    tool_call,
    uuid_moment,
)
from flywheel.ingest.strict import decode
from flywheel.settings import Source

EVALUATION = "tensorzero::evaluation_name::"  # how the metrics begin that TensorZero's own evaluators compute
EVALUATOR = "tensorzero::evaluator_name"
PERSON = "tensorzero::human_feedback"  # a person's word on such a metric, given in TensorZero's UI
PLAUSIBLE = ("2020", "2100")  # a time in an id that is no version 7 UUID counts only between these years


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What the records of all tables carry. Fields that say nothing to the wheel are not named here."""

    id: str
    tags: dict[str, str] | None = None
    created_at: Any = None
    timestamp: Any = None


@dataclass(frozen=True, kw_only=True)
class Inference(Stored):
    function_name: str
    variant_name: str
    episode_id: str
    input: Any
    output: Any
    processing_time_ms: float | None = None


@dataclass(frozen=True, kw_only=True)
class Metric(Stored):
    target_id: str
    metric_name: str
    value: bool | float


@dataclass(frozen=True, kw_only=True)
class Comment(Stored):
    target_id: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Demonstration(Stored):
    inference_id: str
    value: Any


Row = Inference | Metric | Comment | Demonstration
MARKS: dict[type[Row], set[str]] = {
    Inference: {"function_name", "variant_name"},
    Metric: {"metric_name", "target_id"},
    Comment: {"target_type", "target_id"},
    Demonstration: {"inference_id", "value"},
}


def reader(source: Source) -> Reader:
    def tensorzero(value: Any) -> list[Event] | Rejected:
        table = _table(value)
        if table is None:
            return Rejected(f"not a record of TensorZero's inference or feedback tables; saw `{short(value)}`")
        try:
            event = _event(msgspec.convert(value, table), source)
        except (msgspec.ValidationError, OverflowError) as error:
            return Rejected(sentence(error, value))
        except (ValueError, RecursionError) as error:
            return Rejected(str(error))
        beyond = outside_limits(event)
        return Rejected(beyond) if beyond else [event]

    return tensorzero


def recognises(value: Any) -> bool:
    return _table(value) is not None


def _table(value: Any) -> type[Row] | None:
    keys = set(value) if isinstance(value, dict) else set()
    return next((table for table, marks in MARKS.items() if marks <= keys), None)


def _event(row: Row, source: Source) -> Event:
    common: dict[str, Any] = {"id": row.id, "at": _at(row), "tags": row.tags or {}}
    if isinstance(row, Inference):
        return _response(row, **common, workload=source.workload or row.function_name)
    common["workload"] = source.workload or source.name  # feedback does not name its function
    if isinstance(row, Metric):
        return _measured(row, **common)
    if isinstance(row, Comment):
        common["id"] = f"comment:{row.id}"  # a boolean of the same id is another rating
        return Rated(**common, answer=row.target_id, value=0.0, comment=row.value)
    return Edited(**common, answer=row.inference_id, text=_answer("value", row.value))


def _response(row: Inference, **common: Any) -> Response:
    given = _opened("input", row.input)
    asked = canonical([row.function_name, given])
    return Response(
        **common,
        conversation=row.episode_id,
        component=row.function_name,
        parent=hashlib.sha256(asked.encode()).hexdigest()[:32],  # samples of one prompt are siblings
        prompt=_prompt(given),
        text=_answer("output", row.output),
        model=row.variant_name,
        latency_ms=row.processing_time_ms,
    )


def _measured(row: Metric, **common: Any) -> Rated | Outcome:
    """`component` tells what a program computed, so that no one takes it for a person's opinion."""
    tags = row.tags or {}
    computed = (row.metric_name.startswith(EVALUATION) or EVALUATOR in tags) and tags.get(PERSON) != "true"
    common |= {"answer": row.target_id, "name": row.metric_name, "component": "evaluator" if computed else None}
    if isinstance(row.value, bool):
        return Rated(**common, value=1.0 if row.value else -1.0)
    return Outcome(**common, value=row.value)


def _at(row: Row) -> str:
    """The time in a version 7 id: it has milliseconds, and does not depend on whether an export names the time too."""
    try:
        version = UUID(row.id).version
        inside = uuid_moment(row.id)
    except (ValueError, OverflowError):
        version, inside = None, ""
    written = row.created_at or row.timestamp
    if version == 7 or (not written and PLAUSIBLE[0] <= inside < PLAUSIBLE[1]):
        return inside
    if not written:
        raise ValueError(f"field id: no time in it, and none beside it; saw `{short(row.id)}`")
    for spelling in (written, f"{written}Z"):  # ClickHouse writes UTC and leaves that unsaid
        with suppress(msgspec.ValidationError, OverflowError):
            return moment(spelling)
    raise ValueError(f"field {'created_at' if row.created_at else 'timestamp'}: not a time; saw `{short(written)}`")


def _opened(field: str, value: Any) -> Any:
    opened = decode(value.encode()) if isinstance(value, str) else value
    if isinstance(opened, Rejected):
        raise ValueError(f"field {field}: {opened.reason}; saw `{short(value)}`")
    return opened


# ---- text -----------------------------------------------------------------------------------------------------------


def _prompt(given: Any) -> list[Message]:
    match given:
        case {"messages": list(messages)}:
            system = given.get("system")
        case _:
            raise ValueError(f"field input: no list of messages; saw `{short(given)}`")
    said = [] if system is None else [Message(role="system", content=_block(system, "system"))]
    return said + [_message(each) for each in messages]


def _message(written: Any) -> Message:
    match written:
        case {"role": str(role), "content": str(text)}:
            return Message(role=role, content=text)
        case {"role": str(role), "content": list(blocks)}:
            return Message(role=role, content="\n".join(_block(each, role) for each in blocks))
    raise ValueError(f"field input: a message without its role or content; saw `{short(written)}`")


def _answer(field: str, written: Any) -> str:
    match _opened(field, written):
        case {"raw": str(raw)}:
            return raw  # as the model wrote it: the order of its keys is part of what it learned
        case {"parsed": parsed}:
            return "" if parsed is None else canonical(parsed)
        case list(blocks):
            said = [each for each in blocks if not (isinstance(each, dict) and each.get("type") == "thought")]
            return "\n".join(_block(each, "assistant") for each in said)  # what it thought is not what it answered
    raise ValueError(f"field {field}: neither a list of blocks nor raw text; saw `{short(written)}`")


def _block(block: Any, role: str) -> str:
    """A block of any age as text: plain text as it is, the arguments of the role's own template, else its JSON."""
    match block:
        case str(text) | {"type": "text", "text": str(text)} | {"type": "text" | "raw_text", "value": str(text)}:
            return text
        case {"type": "text", "value": arguments} | {"type": "text", "arguments": arguments}:
            return canonical(arguments)
        case {"type": "template", "name": name, "arguments": arguments} if name == role:
            return canonical(arguments)
        case {"type": "tool_call"}:
            return _tool_call(block)
        case {"type": "tool_result", "name": name, "result": result}:
            return canonical({"type": "tool_result", "name": name, "result": result})
    return canonical(block)


def _tool_call(block: dict[str, Any]) -> str:
    """What was called with what; the raw words where TensorZero could not make sense of them."""
    name, arguments = block.get("name"), block.get("arguments")
    if arguments is None:
        arguments = block.get("raw_arguments")
    if isinstance(arguments, str):
        opened = decode(arguments.encode())
        arguments = arguments if isinstance(opened, Rejected) else opened
    return tool_call(block.get("raw_name") if name is None else name, arguments)
