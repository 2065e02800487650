"""One batch: what its lines come to, decided once, then committed until it is done.

Delta has no commit across tables, and what a line comes to depends on the clock and on what is already there. So the
decision is kept in a folder first, as the rows to be written, and every commit is taken from there and can be
repeated. A run killed anywhere either decided nothing yet, or left a decision that the next run finishes as it
stands.
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl

from flywheel.ingest.files import Chunk, Line
from flywheel.ingest.reader import Reader, Rejected
from flywheel.ingest.rows import Row, row
from flywheel.lake import Lake
from flywheel.tables import Events, IngestFiles, Quarantine

AHEAD = timedelta(days=1)
ID = ["source", "kind", "id"]
SCHEMAS = {
    "events": Events.create_empty().schema,
    "flagged": Events.create_empty().schema,
    "quarantine": Quarantine.create_empty().schema,
    "ingest_files": IngestFiles.create_empty().schema,
}


class Decision(NamedTuple):
    """Rows to be written; `flagged` are rows already there whose id turned out to be in conflict."""

    events: pl.DataFrame
    flagged: pl.DataFrame
    quarantine: pl.DataFrame
    ingest_files: pl.DataFrame

    @property
    def batch(self) -> str:
        return self.ingest_files["batch"][0]


class Read(NamedTuple):
    """What one line came to: rows, or the reason why not."""

    line: Line
    rows: list[Row]
    reason: str


# ---- decide ---------------------------------------------------------------------------------------------------------


def decide(lake: Lake, chunks: Sequence[Chunk], reader: Reader, *, now: datetime, time: datetime) -> Decision:
    """What these chunks add to the lake as it stands; `now` is the clock, `time` the place in the order of ingests."""
    read = [[_read(line, chunk.file.source, reader, now) for line in chunk.lines] for chunk in chunks]
    found = _frame("events", [each for of_chunk in read for line in of_chunk for each in line.rows])
    found = found.unique("key", maintain_order=True)
    stored = lake.scan("events").select(*ID, "key", "id_conflict").join(found.lazy(), on=ID, how="semi").collect()
    events, flagged = _flag_conflicts(lake, found.join(stored, on="key", how="anti"), stored)

    batch, known = _batch_id(chunks), set(stored["key"])
    quarantine, files = [], []
    for chunk, of_chunk in zip(chunks, read, strict=True):
        bad = [line for line in of_chunk if line.reason]
        quarantine += [_bad_row(chunk, line) | {"batch": batch} for line in bad]
        taken = _file_row(chunk, accepted=_accepted(of_chunk, known), bad=len(bad))
        files.append(taken | {"batch": batch, "time": time})
    return Decision(events, flagged, _frame("quarantine", quarantine), _frame("ingest_files", files))


def _read(line: Line, source: str, reader: Reader, now: datetime) -> Read:
    events = reader(line.raw)
    if isinstance(events, Rejected):
        return Read(line, [], events.reason)
    rows = [row(event, source) for event in events]
    for each in rows:
        if each["time"] > now + AHEAD:
            return Read(line, [], f"field at: more than a day ahead of the clock; saw `{each['time'].isoformat()}`")
    return Read(line, rows, "")


def _flag_conflicts(lake: Lake, fresh: pl.DataFrame, stored: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The new rows and those already there that must change: an id with two contents is marked on all of them."""
    twice = pl.concat([fresh.select(ID), stored.select(ID)]).group_by(ID).len().filter(pl.col("len") > 1).select(ID)
    unmarked = stored.filter(~pl.col("id_conflict")).join(twice, on=ID, how="semi")["key"]
    flagged = lake.scan("events").filter(pl.col("key").is_in(unmarked.implode())).collect()
    marked = fresh.drop("id_conflict").join(twice.with_columns(id_conflict=True), on=ID, how="left")
    return marked.with_columns(pl.col("id_conflict").fill_null(False)), flagged.with_columns(id_conflict=True)


def _accepted(lines: Sequence[Read], known: set[str]) -> int:
    """How many lines say something new; `known` grows by what they say."""
    accepted = 0
    for line in lines:
        keys = {each["key"] for each in line.rows}
        accepted += not keys <= known
        known |= keys
    return accepted


def _batch_id(chunks: Sequence[Chunk]) -> str:
    """What is taken, from where; the batch before it tells two takes of a file that came back unchanged apart."""
    taken = [[*chunk.file[:2], chunk.start.batch, chunk.start.end, chunk.end, chunk.head] for chunk in chunks]
    return hashlib.sha256(json.dumps(taken).encode()).hexdigest()[:16]


def _file_row(chunk: Chunk, *, accepted: int, bad: int) -> Row:
    records = len(chunk.lines)
    counts = {"records": records, "accepted": accepted, "repeated": records - accepted - bad, "quarantined": bad}
    place = {"start": chunk.start.end, "end": chunk.end, "head": chunk.head, "pending": int(chunk.torn)}
    return {"source": chunk.file.source, "file": chunk.file.name} | counts | place


def _bad_row(chunk: Chunk, read: Read) -> Row:
    where = {"offset": read.line.offset, "record": read.line.record}
    return {"source": chunk.file.source, "file": chunk.file.name, "reason": read.reason, "raw": read.line.raw} | where


def _frame(table: str, rows: Sequence[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMAS[table])


# ---- commit ---------------------------------------------------------------------------------------------------------


def keep(home: Path, decision: Decision) -> None:
    """Make the decision final: all of it or nothing of it."""
    half = home / "ingest" / "half"
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(mode=0o700, parents=True)  # raw bytes are in there
    for name, frame in decision._asdict().items():
        frame.write_parquet(half / f"{name}.parquet")
    half.rename(home / "ingest" / "decided")


def kept(home: Path) -> Decision | None:
    """The decision that waits to be committed, if there is one."""
    folder = home / "ingest" / "decided"
    if not folder.exists():
        return None
    return Decision(*(pl.read_parquet(folder / f"{name}.parquet") for name in Decision._fields))


def commit(lake: Lake, decision: Decision) -> None:
    """Write the rows, `ingest_files` last; any of it may have happened before. Then the decision is forgotten."""
    if len(decision.events):
        lake.append("events", decision.events, decision.batch)
    if len(decision.flagged):
        lake.replace("events", decision.flagged, {"key": decision.flagged["key"].to_list()})
    if len(decision.quarantine):
        lake.append("quarantine", decision.quarantine, decision.batch)
    lake.append("ingest_files", decision.ingest_files, decision.batch)
    folder = lake.home / "ingest" / "decided"
    shutil.rmtree(folder.rename(folder.with_name("half")))
