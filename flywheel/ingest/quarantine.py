"""What could not be read: look at it, and try it again after a reader or a mapping was mended.

A record that can be read now becomes events like any other and leaves quarantine in the same commit; `ingest_files`
gets a row of its own for it, with a negative `quarantined`, so that the sums of a file still hold.
"""

import hashlib
from collections.abc import Collection, Sequence
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
from flywheel.ingest.stage import alone, next_time
from flywheel.ingest.strict import decode
from flywheel.ingest.tally import Taken, Tally
from flywheel.lake import Lake
from flywheel.settings import Source

PLACE = ["batch", "source", "file", "offset", "record"]


def quarantined(lake: Lake) -> pl.DataFrame:
    """Every record in quarantine, with a short id to call it by, in the order of files."""
    rows = lake.read("quarantine").sort("source", "file", "record", "batch")
    ids = [hashlib.sha256("\0".join(map(str, place)).encode()).hexdigest()[:12] for place in rows.select(PLACE).rows()]
    return rows.with_columns(id=pl.Series(ids, dtype=pl.String))


def one(lake: Lake, id: str) -> dict[str, Any]:
    """The record of that id or of an id that begins so."""
    found = quarantined(lake).filter(pl.col("id").str.starts_with(id))
    if len(found) != 1:
        what = (
            "no record in quarantine has this id" if found.is_empty() else "several records have an id that begins so"
        )
        raise BadInput(what, seen=id, do="`flywheel quarantine list` names them")
    return found.row(0, named=True)


def retry(lake: Lake, sources: Sequence[Source], *, now: datetime, salt: str, ids: Collection[str] = ()) -> Taken:
    """Read the records of these sources once more, or only those of these ids; what is still bad stays as it is."""
    by_name = {source.name: source for source in sources}
    with alone(lake):
        if decided(lake.home):
            commit(lake)
        told, batch, reached = Tally(lake), Batch(lake), files.places(lake)
        everything = quarantined(lake)
        chosen = everything.filter(pl.col("source").is_in(list(by_name)))
        chosen = chosen.filter(pl.col("id").is_in(list(ids))) if ids else chosen
        released: list[str] = []
        for (source, name, _), rows in chosen.group_by("source", "file", "batch", maintain_order=True):
            file = File(by_name[str(source)], str(name), Path(str(name)))
            part, ids_read = _again(file, reached.get((str(source), str(name)), Place()), rows, now, salt)
            released += ids_read
            if ids_read:
                batch.add(part)
        if not released:
            return Taken(quarantined=len(chosen))
        if events := batch.gathered(all=True):
            batch.write(*events)
        left = everything.filter(~pl.col("id").is_in(released))
        touched = everything.filter(pl.col("id").is_in(released))["batch"].unique()
        batch.release(left.filter(pl.col("batch").is_in(touched.implode())).drop("id"), touched.to_list(), released)
        batch.close(next_time(lake, now), told)
        commit(lake)
        return told.taken(0)


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
