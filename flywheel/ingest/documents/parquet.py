"""The rows of a Parquet file as JSON says them.

Which Parquet types JSON has a word for is said here, what a column means in `readers.table`.
"""

from collections.abc import Iterator
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from flywheel.ingest import strict
from flywheel.ingest.documents.window import BLOCK, HEAD_BYTES, Record
from flywheel.ingest.reader import Rejected, short

ROWS = 128  # at a time


def rows(path: Path, packed: bool) -> Iterator[Record]:
    """Rows as JSON says them: times (with an offset if they have one) and decimals as text, NaN as null."""
    with path.open("rb") as handle:
        head = handle.read(HEAD_BYTES)
        if packed:
            reason = "a compressed Parquet file: Parquet compresses by itself, store it plain"
            yield Record(0, 1, head, Rejected(reason))
        elif head.strip():
            yield from _parquet_rows(handle, head)


def _parquet_rows(handle: BinaryIO, head: bytes) -> Iterator[Record]:
    """All rows; where they cannot be read further, the rest of the file is one rejected record."""
    number = 0
    try:
        file = pq.ParquetFile(handle, pre_buffer=False, buffer_size=BLOCK)
        names = file.schema_arrow.names
        if len(set(names)) < len(names):
            raise ValueError(f"two columns have one name in {short(names)}")
        for group in range(file.num_row_groups):  # a batch must not mix a sound group with a damaged one
            for batch in file.iter_batches(batch_size=ROWS, row_groups=[group]):
                for row in batch.to_pylist():
                    number += 1
                    yield _parquet_row(row, number)
    except (OSError, ValueError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk, not the data
            raise
        reason = f"the Parquet file cannot be read from row {number + 1} on: {short(str(error))}"
        yield Record(number and number + 1, number + 1, head, Rejected(reason))


def _parquet_row(row: dict[str, Any], number: int) -> Record:
    unfit = next((f"column {name}: {why}" for name, cell in row.items() if (why := _unfit(cell))), "")
    if unfit:  # Python's spelling, so that it is never taken for the row
        return Record(number, number, repr(row).encode(errors="backslashreplace")[:HEAD_BYTES], Rejected(unfit))
    raw = msgspec.json.encode(row, enc_hook=_text, order="deterministic")
    value = strict.decode(raw)
    return Record(number, number, raw if len(raw) <= strict.RECORD_BYTES else raw[:HEAD_BYTES], value)


def _unfit(cell: Any) -> str:
    """Why JSON has no word for a value; empty when it has."""
    match cell:
        case dict():
            return next(filter(None, map(_unfit, cell.values())), "")
        case list() | tuple():
            return next(filter(None, map(_unfit, cell)), "")
        case float() if cell in (float("inf"), float("-inf")):
            return "an infinite number"
        case None | str() | int() | float() | Decimal() | date() | time() | UUID():
            return ""
    return f"{type(cell).__name__} has no place in JSON"


def _text(cell: Any) -> str:
    """What msgspec does not know: a time in nanoseconds, which Arrow gives as a subclass."""
    return cell.isoformat()
