"""An event as a row of the table `events`: its key, and where each field goes.

A field goes to the column of its own name. Four do not: `at` is `time` there, `prompt` and `tags` become JSON text,
and a rating's `comment` goes to `text`. Whatever has no column (`how`, `arguments`, `query`, `documents`, `empty`)
goes into `detail` together, one JSON object under those names; it is null where an event says none of them.
"""

import hashlib
from dataclasses import fields
from datetime import datetime
from typing import Any

import msgspec

from flywheel.capture.events import KINDS, Event, as_record
from flywheel.tables import Events

Row = dict[str, Any]

APART = {"at", "tags", "prompt", "comment", "v"}
NAMES = {name: [each.name for each in fields(kind) if each.name not in APART] for name, kind in KINDS.items()}
COPIED = {kind: [name for name in names if name in Events.columns()] for kind, names in NAMES.items()}
DETAIL = {kind: [name for name in names if name not in Events.columns()] for kind, names in NAMES.items()}


def row(event: Event, source: str) -> Row:
    """The row of an event whose `at` is in UTC; `id_conflict` is known only beside other rows."""
    record = as_record(event)
    made = {name: getattr(event, name) for name in COPIED[event.kind]}
    made |= {"source": source, "kind": event.kind, "key": key(source, record)}
    made |= {"time": datetime.fromisoformat(event.at), "tags": _text(event.tags)}
    if "prompt" in record:
        made["prompt"] = _text(record["prompt"])
    if "comment" in record:
        made["text"] = record["comment"]
    if detail := {name: record[name] for name in DETAIL[event.kind] if name in record}:
        made["detail"] = _text(detail)
    return made


def key(source: str, record: Row) -> str:
    """(source, kind, id, content) in one hash; fields at their default and the order of keys do not count."""
    return hashlib.sha256(_text([source, record["kind"], record["id"], record]).encode()).hexdigest()


def _text(value: Any) -> str:
    return msgspec.json.encode(value, order="sorted").decode()
