"""The loop everybody writes: `json.loads` line by line, with the rules of the native contract, into Parquet.

Plain Python as one would write it for production: rules are looked up in tables made once, texts seen before are not
masked again, rows are written in batches. Masking is `flywheel.ingest.mask`, text by text. It has less to do than ours:
it knows no restart, no commit, no conflicting ids, and trusts `json.loads`.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import MISSING, fields
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from glob import glob
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from flywheel.capture.events import KINDS, VERSION, Message
from flywheel.ingest.mask import mask, mask_json, user_hash
from flywheel.tables import Events

BATCH, SALT = 10_000, "salt"
EVENTS = Events.create_empty().to_arrow().schema
QUARANTINE = pa.schema({"file": pa.string(), "record": pa.int64(), "reason": pa.string(), "raw": pa.binary()})

NULL = type(None)
TYPES: dict[Any, set[type]] = {
    str: {str}, int: {int}, float: {int, float}, bool: {bool},
    str | None: {str, NULL}, int | None: {int, NULL}, float | None: {int, float, NULL}, bool | None: {bool, NULL},
    dict[str, str]: {dict}, dict[str, Any]: {dict}, list[str]: {list}, list[Message]: {list},
}  # fmt: skip
FIELDS, REQUIRED, LIMITS = {}, {}, {}
for name, kind in KINDS.items():
    FIELDS[name] = {"kind": {str}} | {each.name: TYPES[each.type] for each in fields(kind)}
    REQUIRED[name] = {each.name for each in fields(kind) if each.default is each.default_factory is MISSING}
    bounds = [(each.name, each.metadata) for each in fields(kind) if "minimum" in each.metadata]
    LIMITS[name] = [(field, limits["minimum"], limits["maximum"]) for field, limits in bounds]
MESSAGE = {each.name for each in fields(Message)}
TEXTS = ["text", "comment", "query", "error"]
COLUMNS = {*EVENTS.names} - {"prompt", "tags"}
DETAIL = ["how", "arguments", "query", "documents", "empty"]
ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":"), default=str)


class Invalid(Exception):
    """The record breaks a rule."""


def run(path: str, folder: Path, now: datetime) -> dict[str, int]:
    counts: Counter[str] = Counter()
    seen: set[bytes] = set()
    with Table(folder / "events.parquet", EVENTS) as events, Table(folder / "quarantine.parquet", QUARANTINE) as bad:
        for file, record, line in lines(path):
            try:
                event = read(line, now)
            except (ValueError, RecursionError, Invalid) as error:
                bad.add({"file": file, "record": record, "reason": str(error), "raw": line})
                counts["quarantined"] += 1
                continue
            key = hashlib.sha256(text_of(event).encode())
            if key.digest() in seen:
                counts["repeated"] += 1
                continue
            seen.add(key.digest())
            counts["accepted"] += 1
            hide(event)
            events.add(row(event) | {"key": key.hexdigest(), "source": "product", "id_conflict": False})
    return dict(counts)


def lines(path: str) -> Iterator[tuple[str, int, bytes]]:
    for file in sorted(glob(path)):  # noqa: PTH207 (an absolute pattern)
        with Path(file).open("rb") as handle:
            for record, line in enumerate(handle, 1):
                yield file, record, line


def read(line: bytes, now: datetime) -> dict[str, Any]:
    """The event of a line, its time as the contract spells it; ValueError or Invalid if there is none."""
    event = json.loads(line)
    if not isinstance(event, dict):
        raise Invalid("not a JSON object")
    kind = event.get("kind")
    if kind not in FIELDS:
        raise Invalid(f"kind: no such event: {kind!r:.60}")
    if event.get("v") != VERSION:
        raise Invalid(f"v: no such version: {event.get('v')!r:.60}")
    if missing := REQUIRED[kind] - event.keys():
        raise Invalid(f"{min(missing)}: missing")
    allowed = FIELDS[kind]
    for name, value in event.items():
        if name not in allowed:
            raise Invalid(f"{name}: unknown field")
        if type(value) not in allowed[name]:
            raise Invalid(f"{name}: wrong type: {value!r:.60}")
    check_inside(event)
    for name, low, high in LIMITS[kind]:
        if event.get(name) is not None and not low <= event[name] <= high:
            raise Invalid(f"{name}: beyond its limits: {event[name]}")
    time = datetime.fromisoformat(event["at"])
    if time.tzinfo is None:
        raise Invalid("at: a time without its offset from UTC")
    if time > now + timedelta(days=1):
        raise Invalid(f"at: more than a day ahead of the clock: {time}")
    event["at"] = time.astimezone(UTC)
    return event


def check_inside(event: dict[str, Any]) -> None:
    for message in event.get("prompt", ()):
        if type(message) is not dict or message.keys() != MESSAGE or not all(type(v) is str for v in message.values()):
            raise Invalid(f"prompt: not a message: {message!r:.60}")
    for value in (*event.get("tags", {}).values(), *event.get("documents", ())):
        if type(value) is not str:
            raise Invalid(f"tags, documents: not text: {value!r:.60}")


def hide(event: dict[str, Any]) -> None:
    """Replace secrets and personal data in what people and tools wrote, and the user by a hash."""
    for name in TEXTS:
        if event.get(name):
            event[name] = masked(event[name])
    for message in event.get("prompt", ()):
        message["content"] = masked(message["content"])
    if arguments := event.get("arguments"):
        event["arguments"] = json.loads(mask_json(text_of(arguments), SALT)[0])
    if event.get("user"):
        event["user"] = user_hash(event["user"], SALT)


@lru_cache(10_000)  # a conversation's earlier messages come again in every prompt
def masked(text: str) -> str:
    return mask(text, SALT)[0]


def row(event: dict[str, Any]) -> dict[str, Any]:
    made = {name: value for name, value in event.items() if name in COLUMNS}
    made |= {"time": event["at"], "tags": text_of(event.get("tags", {})), "may_train": event.get("may_train", True)}
    if "prompt" in event:
        made["prompt"] = text_of(event["prompt"])
    if "comment" in event:
        made["text"] = event["comment"]
    if detail := {name: event[name] for name in DETAIL if name in event}:
        made["detail"] = text_of(detail)
    return made


def text_of(value: Any) -> str:
    return ENCODER.encode(value)


class Table:
    """A Parquet file written in batches of rows."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.writer, self.schema, self.rows = pq.ParquetWriter(path, schema, compression="zstd"), schema, []

    def __enter__(self) -> "Table":
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()
        self.writer.close()

    def add(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        if len(self.rows) == BATCH:
            self.flush()

    def flush(self) -> None:
        self.writer.write_table(pa.Table.from_pylist(self.rows, self.schema))
        self.rows.clear()
