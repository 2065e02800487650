"""One source record in, events out: a reader for each log format. There is one so far, the native one.

A reader never raises on data: what it cannot read it rejects, with a reason that names the field and the value seen.
Which bytes are a record belongs in `files`; what holds for events of every format is checked in `batch`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from flywheel.capture.events import KINDS, VERSION, Event, Message, Response, outside_limits


@dataclass(frozen=True)
class Rejected:
    """Why a record is not events."""

    reason: str


class Reader(Protocol):
    """The events of one record, their times in UTC, or the reason why there are none."""

    def __call__(self, record: bytes) -> list[Event] | Rejected: ...


FIELDS = {name: {each.name for each in fields(kind)} for name, kind in KINDS.items()}
MESSAGE = {each.name for each in fields(Message)}
DEPTH = 100  # far below what Python's stack can take, so that where ingest runs decides nothing


def native(record: bytes) -> list[Event] | Rejected:
    """A line of the native log: exactly what `docs/events.schema.json` describes, any UTC offset allowed in `at`."""
    try:
        written = msgspec.json.decode(record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Rejected(f"not a line of JSON ({error})")
    if not isinstance(written, dict):
        return Rejected(f"not a JSON object; saw `{_short(written)}`")
    kind = written.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        return Rejected(f"field kind: no such event; saw `{_short(kind)}`; allowed: {', '.join(KINDS)}")
    version = written.get("v")
    if version != VERSION:
        return Rejected(f"field v: no such version of the contract; saw `{_short(version)}`; allowed: {VERSION}")
    return _event(kind, written)


def _event(kind: str, written: dict[str, Any]) -> list[Event] | Rejected:
    if unknown := written.keys() - FIELDS[kind]:
        return _unknown(written, min(unknown), f"{kind} has no such field")
    if _deeper(written.get("arguments"), DEPTH):
        return Rejected(f"field arguments: nested more than {DEPTH} deep")
    try:
        if "at" in written:
            written["at"] = utc(written["at"])
        event = msgspec.convert(written, KINDS[kind])
    except (msgspec.ValidationError, OverflowError) as error:
        return Rejected(_sentence(error, written))
    if isinstance(event, Response):
        for message in written["prompt"]:
            if unknown := message.keys() - MESSAGE:
                return _unknown(message, min(unknown), "a message of the prompt has no such field")
    beyond = outside_limits(event)
    return Rejected(beyond) if beyond else [event]


def utc(written: Any) -> str:
    """The one spelling of a moment, so that equal moments have equal keys."""
    try:
        moment = msgspec.convert(written, datetime)
        if moment.tzinfo is None:
            raise msgspec.ValidationError("a time without its offset from UTC")
        return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    except (msgspec.ValidationError, OverflowError) as error:
        raise msgspec.ValidationError(f"{error} - at `$.at`") from None


def _deeper(value: Any, than: int) -> bool:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return than < 0 or any(_deeper(each, than - 1) for each in inside if isinstance(each, dict | list))


def _unknown(written: Mapping[str, Any], name: str, what: str) -> Rejected:
    return Rejected(f"field {name}: {what}; saw `{_short(written[name])}`")


def _sentence(error: Exception, written: Mapping[str, Any]) -> str:
    """msgspec's words, with the field in front and the value seen behind."""
    what, _, path = str(error).replace("`", "").partition(" - at $.")
    if missing := re.fullmatch(r"Object missing required field (\w+)", str(error).replace("`", "")):
        return f"field {missing[1]}: missing"
    name = re.split(r"[.\[]", path)[0]
    if name not in written:
        return what
    return f"field {path}: {what[0].lower()}{what[1:]}; saw `{_short(written[name])}`"


def _short(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "..."
    return text if len(text) <= 60 else text[:57] + "..."
