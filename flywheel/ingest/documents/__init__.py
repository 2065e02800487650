"""The records of a file that is not one JSON document a line: `.json`, `.csv`, `.tsv` and `.parquet`.

A record is the exact bytes between two borders; a bad one never takes a neighbour with it while its end can be told.
`json_values`, `table` and `parquet` find the borders, the first two in a `window` over the stream. Lines belong in
`growing`, decompressing in `streams`, soundness of a JSON document in `strict`, what a record means in `reader`.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flywheel.ingest import strict
from flywheel.ingest.documents import json_values, parquet, table
from flywheel.ingest.documents.window import Record, Torn, Window
from flywheel.ingest.reader import Rejected
from flywheel.ingest.streams import opened, stream_kind

__all__ = ["Record", "Torn", "again", "documents"]


def documents(path: Path, *, settled: bool = False) -> Iterator[Record | Torn]:
    """All records of a file in their order; only a plain file can end in `Torn`, for no other can grow.

    A plain table's last row without its newline is whole when the file is `settled`: nobody wrote on it meanwhile.
    """
    suffixes = [part.lower() for part in path.suffixes]
    packed = bool(suffixes) and suffixes[-1] in (".gz", ".zst")
    suffix = "".join(suffixes[-2:-1] if packed else suffixes[-1:])
    if suffix == ".parquet":
        yield from parquet.rows(path, packed)
        return
    growing = stream_kind(path) == "plain"
    with opened(path) as stream:
        yield from _records(suffix, Window(stream), growing, settled or not growing)


def again(suffix: str, raw: bytes) -> Any | Rejected:
    """The value of one record from its raw bytes alone."""
    if suffix in (".json", ".parquet"):
        return strict.decode(raw)
    found = list(_records(suffix, Window(io.BytesIO(raw)), False, True))
    if len(found) == 1 and isinstance(found[0], Record):
        return found[0].value
    return Rejected(f"a header and one row are needed, these are {len(found)} rows")


def _records(suffix: str, window: Window, growing: bool, settled: bool) -> Iterator[Record | Torn]:
    match suffix:
        case ".json":
            yield from json_values.values(window, growing)
        case ".csv" | ".tsv":
            yield from table.rows(window, growing, settled, b"," if suffix == ".csv" else b"\t")
        case _:
            raise ValueError(f"no documents in a {suffix or 'nameless'} file")
