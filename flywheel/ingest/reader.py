"""What every reader shares: one decoded source record in, events out, or the reason why not.

A reader is made from its source's settings and never raises on data. It says what a record means and nothing else:
which bytes are a record belongs in `chunks`, whether they are sound JSON in `strict`, masking in `mask`, keys in
`rows`. A new format is one file in `readers/`.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgspec

from flywheel.capture.events import Event


@dataclass(frozen=True)
class Rejected:
    """Why a record is not events: the field, what is wrong with it, the value seen."""

    reason: str


class Reader(Protocol):
    """The events of one record, their times as `moment` spells them, or the reason why there are none."""

    def __call__(self, value: Any) -> list[Event] | Rejected: ...


def reading(
    recognises: Callable[[Any], bool], events: Callable[[dict[str, Any]], Iterable[Event]], what: str
) -> Reader:
    """A reader of the objects it recognises; a ValueError of `events` is the reason why one is not read."""

    def read(value: Any) -> list[Event] | Rejected:
        if not recognises(value):
            return Rejected(f"not {what}; saw `{short(value)}`")
        try:
            return list(events(value)) or Rejected("no answer in it")
        except (ValueError, OverflowError, RecursionError) as error:
            return Rejected(str(error) or "too deep")

    return read


def moment(written: Any) -> str:
    """The one spelling of a time with an offset: equal moments have equal keys; ValidationError if it is none."""
    time = msgspec.convert(written, datetime)
    if time.tzinfo is None:
        raise msgspec.ValidationError("a time without its offset from UTC")
    return spelled(time)


def spelled(time: datetime) -> str:
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def uuid_moment(written: str) -> str:
    """The time inside a version 7 UUID: its first 48 bits count milliseconds."""
    milliseconds = int(written.replace("-", "")[:12], 16)
    return spelled(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds))


def canonical(value: Any) -> str:
    """The one compact JSON text of a value, its keys sorted."""
    return msgspec.json.encode(value, order="sorted").decode()


def hashed(value: Any) -> str:
    """The id of what has none: equal values have equal ids."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:32]


def tool_call(name: Any, arguments: Any) -> str:
    """A tool call as a prompt or an answer shows it. Its id says nothing to a model and differs between equal calls."""
    return canonical({"type": "tool_call", "name": name, "arguments": arguments})


def sentence(error: Exception, written: Mapping[str, Any]) -> str:
    """msgspec's words, with the field in front and the value seen behind."""
    what, _, path = str(error).replace("`", "").partition(" - at $.")
    if not path and (missing := re.fullmatch(r"Object missing required field (\w+)", what)):
        return f"field {missing[1]}: missing"
    name = re.split(r"[.\[]", path)[0]
    if name not in written:
        return what
    return f"field {path}: {what[0].lower()}{what[1:]}; saw `{short(written[name])}`"


def short(value: Any) -> str:
    """A value as a reason shows it."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (RecursionError, TypeError, ValueError):
        return "..."
    return text if len(text) <= 60 else text[:57] + "..."
