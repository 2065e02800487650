"""What could not be read: look at it, and try it again after a reader or a mapping was mended.

A record that can be read now becomes events like any other and leaves quarantine in the same commit; `ingest_files`
gets a row of its own for it, with a negative `quarantined`, so that the sums of a file still hold.
"""

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from flywheel.errors import BadInput
from flywheel.ingest import files
from flywheel.ingest.batch import Batch, commit, decided
from flywheel.ingest.chunks import Chunk
from flywheel.ingest.documents import Record, again
from flywheel.ingest.files import File, Place
from flywheel.ingest.parts import Part, read
from flywheel.ingest.rows import SCHEMA
from flywheel.ingest.stage import alone, next_time
from flywheel.ingest.strict import decode
from flywheel.ingest.tally import Taken, Tally
from flywheel.lake import Lake
from flywheel.settings import Columns, Source

PLACE = ["batch", "source", "file", "offset", "record"]
QUOTED = re.compile(r"""".*"|`.*`|'.*'""", re.DOTALL)
SAID = re.compile(r"""the row has|["`'(]""")  # from here on a record may be quoted
NAMES = {
    *SCHEMA,
    *Columns.model_fields,
    "at",
    "v",
    "how",
    "arguments",
    "query",
    "documents",
    "empty",
    "comment",
    "request",
}


def quarantined(lake: Lake) -> pl.DataFrame:
    """Where every record in quarantine lies and why, with a short id to call it by, in the order of files."""
    rows = lake.scan("quarantine").select(*PLACE, "reason").collect().sort("source", "file", "record", "batch")
    ids = [hashlib.sha256("\0".join(map(str, place)).encode()).hexdigest()[:12] for place in rows.select(PLACE).rows()]
    return rows.with_columns(id=pl.Series(ids, dtype=pl.String))


def reasons(lake: Lake) -> pl.DataFrame:
    """How many records are there for which reason, the most common first; nothing of the records is in these words."""
    counted = lake.scan("quarantine").group_by("reason").len("records").collect()
    plain = counted.with_columns(pl.Series("reason", [_plain(reason) for reason in counted["reason"]], dtype=pl.String))
    summed = plain.group_by("reason").agg(pl.col("records").sum())
    return summed.sort(["records", "reason"], descending=[True, False])


def _plain(reason: str) -> str:
    """A reason without the value seen and without a name that only the record knows."""
    said = SAID.split(QUOTED.sub("...", reason.partition(";")[0]), maxsplit=1)[0].strip()
    name, colon, what = said.removeprefix("field ").partition(":")
    if said.startswith("field ") and re.split(r"[.\[]", name)[0] not in NAMES:
        return f"field ...{colon}{what}"
    return said or "a record that says too much to be shown here"


def one(lake: Lake, id: str) -> dict[str, Any]:
    """The record of that id or of an id that begins so, with its raw bytes."""
    found = quarantined(lake).filter(pl.col("id").str.starts_with(id))
    if len(found) != 1:
        what = "no record in quarantine has this id" if found.is_empty() else "several records have ids that begin so"
        raise BadInput(what, seen=id, do="`flywheel quarantine list` names them")
    return _with_bytes(lake, found).row(0, named=True)


def _with_bytes(lake: Lake, rows: pl.DataFrame) -> pl.DataFrame:
    return lake.scan("quarantine").select(*PLACE, "raw").join(rows.lazy(), on=PLACE).collect()


def retry(lake: Lake, sources: Sequence[Source], *, now: datetime, salt: str, ids: Collection[str] = ()) -> Taken:
    """Read the records of these sources once more, or only those of these ids; what is still bad stays as it is."""
    by_name = {source.name: source for source in sources}
    with alone(lake):
        if decided(lake.home):
            commit(lake)
        told, batch, reached = Tally(lake), Batch(lake), files.places(lake)
        chosen = quarantined(lake).filter(pl.col("source").is_in(list(by_name)))
        chosen = chosen.filter(pl.col("id").is_in(list(ids))) if ids else chosen
        released: list[str] = []
        for (source, name, _), rows in chosen.group_by("source", "file", "batch", maintain_order=True):
            file = File(by_name[str(source)], str(name), Path(str(name)))
            place = reached.get((str(source), str(name)), Place())
            part, good = _again(file, place, _with_bytes(lake, rows), now, salt)
            released += good
            if good:
                batch.add(part)
        if not released:
            return Taken(records=len(chosen), quarantined=len(chosen))
        if events := batch.gathered(all=True):
            batch.write(*events)
        batch.release(chosen.filter(pl.col("id").is_in(released)).select("batch", "source", "file", "record"))
        batch.close(next_time(lake, now), told)
        commit(lake)
        return replace(told.taken(0), records=len(chosen), quarantined=len(chosen) - len(released))


def _again(file: File, place: Place, rows: pl.DataFrame, now: datetime, salt: str) -> tuple[Part, list[str]]:
    """The records of one file that can be read now, and their ids."""
    kind = files.suffix(file.path)
    by_number: dict[int, str] = {}
    records: list[Record] = []
    for number, row in enumerate(rows.iter_rows(named=True), start=1):
        value = again(kind, row["raw"]) if kind in files.DOCUMENTS else decode(row["raw"])
        records.append(Record(row["offset"], number, row["raw"], value))
        by_number[number] = row["id"]
    start = place._replace(records=0)
    chunk = Chunk(file=file, start=start, end=place.end, head=place.head, content=records, torn=place.torn)
    part = read(chunk, now=now, salt=salt)
    bad = set(part.bad["record"])
    good = [record for record in records if record.number not in bad]
    part = part._replace(found=len(good), bad=part.bad.clear())
    return part, [by_number[record.number] for record in good]
