"""The native log: exactly what `docs/events.schema.json` describes, any UTC offset allowed in `at`.

This is the exact word on what a native record means. `flywheel.ingest.fast` reads the plain ones a thousand at a time
and hands everything it is not sure of to this reader.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import msgspec

from flywheel.capture.events import KINDS, VERSION, Event, Message, Response, outside_limits
from flywheel.ingest.reader import Reader, Rejected, moment, sentence, short
from flywheel.settings import Source

FIELDS = {name: {each.name for each in fields(kind)} for name, kind in KINDS.items()}
MESSAGE = {each.name for each in fields(Message)}


def reader(source: Source) -> Reader:
    return native


def recognises(value: Any) -> bool:
    """A bad one too: it is no row of a table for want of its kind or its version."""
    if not isinstance(value, dict):
        return False
    return value.get("kind") in list(KINDS) or ("v" in value and ("kind" in value or "at" in value))


def native(value: Any) -> list[Event] | Rejected:
    if not isinstance(value, dict):
        return Rejected(f"not a JSON object; saw `{short(value)}`")
    written = dict(value)
    kind = written.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        return Rejected(f"field kind: no such event; saw `{short(kind)}`; allowed: {', '.join(KINDS)}")
    version = written.get("v")
    if version != VERSION:
        return Rejected(f"field v: no such version of the contract; saw `{short(version)}`; allowed: {VERSION}")
    return _event(kind, written)


def _event(kind: str, written: dict[str, Any]) -> list[Event] | Rejected:
    if unknown := written.keys() - FIELDS[kind]:
        return _unknown(written, min(unknown), f"{kind} has no such field")
    try:
        if "at" in written:
            written["at"] = _at(written["at"])
        event = msgspec.convert(written, KINDS[kind])
    except (msgspec.ValidationError, OverflowError) as error:
        return Rejected(sentence(error, written))
    if isinstance(event, Response):
        for message in written["prompt"]:
            if unknown := message.keys() - MESSAGE:
                return _unknown(message, min(unknown), "a message of the prompt has no such field")
    beyond = outside_limits(event)
    return Rejected(beyond) if beyond else [event]


def _at(written: Any) -> str:
    try:
        return moment(written)
    except (msgspec.ValidationError, OverflowError) as error:
        raise msgspec.ValidationError(f"{error} - at `$.at`") from None


def _unknown(written: Mapping[str, Any], name: str, what: str) -> Rejected:
    return Rejected(f"field {name}: {what}; saw `{short(written[name])}`")
