"""One chunk read: its rows, masked and keyed, and what could not be read with the reason.

The plain lines of a native log are read at once (`fast`), everything else record by record. Chunks know nothing of each
other and are read side by side; what the lake already has, or a chunk before, belongs in `batch`.
"""

import threading
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import duckdb
import numpy as np
import polars as pl

from flywheel.ingest import fast
from flywheel.ingest.chunks import Chunk
from flywheel.ingest.documents import Record
from flywheel.ingest.lines import Lines
from flywheel.ingest.reader import Reader, Rejected, short
from flywheel.ingest.readers import reader_for
from flywheel.ingest.rows import Row, frame, row, sealed
from flywheel.tables import Quarantine

AHEAD = timedelta(days=1)
FEW = 150  # lines that are read one by one in the time it takes to ask DuckDB anything
NATIVE = ("auto", "native")  # the formats of which a plain native line is one
BAD = {name: dtype for name, dtype in Quarantine.create_empty().schema.items() if name != "batch"}


class Part(NamedTuple):
    """What a chunk came to; `records` says of each row which record of the file it is from.

    The chunk's own bytes are gone: of them only their `size` and how many records were `found` are left.
    """

    chunk: Chunk
    size: int
    found: int
    rows: pl.DataFrame
    records: pl.Series
    bad: pl.DataFrame
    masked: Counter[str]

    @property
    def idle(self) -> bool:
        """It says only that the file still ends in something incomplete."""
        return not self.found and self.chunk.end == self.chunk.start.end


def read(chunk: Chunk, *, now: datetime, salt: str) -> Part:
    connection, latest = _connection(), now + AHEAD
    reader = reader_for(chunk.file.source)
    rows, taken = frame([]), np.empty(0, np.int64)
    if isinstance(chunk.content, Lines) and chunk.file.source.format in NATIVE and len(chunk.content) > FEW:
        rows, plain = fast.plain(chunk.content, latest, connection)
        taken = plain.to_numpy()
    others, numbers, bad = _one_by_one(chunk, np.delete(np.arange(len(chunk.content)), taken), reader, latest)
    records = pl.Series([*(chunk.start.records + 1 + taken), *numbers], dtype=pl.UInt32)
    rows, masked = sealed(pl.concat([rows, frame(others)]), chunk.file.source.name, salt)
    bare = replace(chunk, content=[])
    return Part(bare, chunk.size, len(chunk.content), rows, records, pl.DataFrame(bad, schema=BAD), masked)


def _one_by_one(
    chunk: Chunk, places: np.ndarray, reader: Reader, latest: datetime
) -> tuple[list[Row], list[int], list[Row]]:
    rows, numbers, bad = [], [], []
    for at in places:
        record = chunk.record(at)
        found = understood(record.value, reader, latest)
        if isinstance(found, Rejected):
            bad.append(_bad(chunk, record, found.reason))
        else:
            rows += found
            numbers += [record.number] * len(found)
    return rows, numbers, bad


def understood(value: Any, reader: Reader, latest: datetime) -> list[Row] | Rejected:
    """The rows of one record, or why there are none."""
    events = value if isinstance(value, Rejected) else reader(value)
    if isinstance(events, Rejected):
        return events
    rows = [row(event) for event in events]
    for each in rows:
        if each["time"] > latest:
            return Rejected(f"field at: more than a day ahead of the clock; saw `{each['time'].isoformat()}`")
    return rows or Rejected(f"nothing happens in it; saw `{short(value)}`")


def _bad(chunk: Chunk, record: Record, reason: str) -> Row:
    where = {"offset": record.offset, "record": record.number}
    return {"source": chunk.file.source.name, "file": chunk.file.name, "reason": reason, "raw": record.raw} | where


_threads = threading.local()


def _connection() -> duckdb.DuckDBPyConnection:
    """One for each thread: chunks are read side by side, each by one core."""
    if not hasattr(_threads, "connection"):
        _threads.connection = duckdb.connect(config={"threads": 1, "autoinstall_known_extensions": "false"})
        _threads.connection.execute("SET TimeZone = 'UTC'")
    return _threads.connection
