"""One batch: what its chunks come to, decided once, then committed until it is done.

Delta has no commit across tables, and what a record comes to depends on the clock and on what is already there. So the
decision is kept in a folder first, as the files to be added, and every commit is taken from there and can be repeated.
A run killed anywhere either decided nothing yet, or left a decision that the next run finishes as it stands.
"""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from flywheel.ingest import tally
from flywheel.ingest.chunks import Chunk
from flywheel.ingest.parts import Part
from flywheel.ingest.rows import identity
from flywheel.lake import Lake, conforming, validated
from flywheel.tables import Events, IngestFiles, Quarantine

BATCH_BYTES = 300 * 2**20  # of logs
BATCH_ROWS = 300_000
FILE_ROWS = 25_000  # what a file is written with, at least, while there are more
BAD_BYTES = 32 * 2**20  # of records that could not be read, before they are written
FILES = IngestFiles.create_empty().schema
NO_EVENTS = Events.create_empty()


class Batch:
    """What one commit will add, gathered part by part in a folder; `lake` is as it was when the batch was begun."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.folder = lake.home / "ingest" / "half"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700, parents=True)  # raw bytes are in there
        self.chunks: list[Chunk] = []
        self.counts: list[int] = []  # of their records
        self.bad: Counter[tuple[str, str]] = Counter()
        self.masked: Counter[str] = Counter()
        self.index: list[pl.DataFrame] = []  # of each row: what it takes to decide about it
        self._seen: set[str] = set()
        self._unwritten: list[pl.DataFrame] = []
        self._bad_unwritten: list[pl.DataFrame] = []
        self._files_written = self._waiting = self._bad_bytes = 0
        self._rows = self._bytes = 0
        self._released: Sequence[str] = ()

    @property
    def full(self) -> bool:
        return self._bytes >= BATCH_BYTES or self._rows >= BATCH_ROWS

    def add(self, part: Part) -> None:
        """Count a part in, and take its rows without those that the batch has already."""
        number, name = len(self.chunks), (part.chunk.file.source.name, part.chunk.file.name)
        if part.idle and name not in self.bad:
            return
        self.chunks.append(part.chunk)
        self.counts.append(part.found)
        self.bad[name] += len(part.bad)
        self.masked += part.masked
        self._bytes += part.size
        keys = part.rows["key"].to_list()
        new = pl.Series([not (key in self._seen or self._seen.add(key)) for key in keys], dtype=pl.Boolean)
        rows = part.rows.filter(new)
        self._rows += len(rows)
        self.index.append(tally.index(rows, part.records.filter(new), number))
        self._bad_unwritten.append(part.bad)
        self._bad_bytes += int(part.bad["raw"].bin.size().sum()) + 256 * len(part.bad)
        if self._bad_bytes > BAD_BYTES:
            self._set_aside(number)
        self._unwritten.append(rows)
        self._waiting += len(rows)

    def _set_aside(self, number: int) -> None:
        """Write what cannot be read where it waits for the commit."""
        bad = pl.concat(self._bad_unwritten) if self._bad_unwritten else None
        self._bad_unwritten, self._bad_bytes = [], 0
        if bad is not None and len(bad):
            self._write("quarantine", number, bad)

    def gathered(self, *, all: bool) -> tuple[int, pl.DataFrame] | None:
        """Rows to write into one file, and its number, once there are enough of them; at the end all that are left."""
        if not self._waiting or (self._waiting < FILE_ROWS and not all):
            return None
        gathered, self._unwritten, self._waiting = pl.concat(self._unwritten), [], 0
        self._files_written += 1
        return self._files_written, gathered

    def write(self, number: int, rows: pl.DataFrame) -> None:
        """Put rows where they wait for the commit."""
        self._write("events", number, conforming("events", rows))

    def _write(self, table: str, number: int, rows: pl.DataFrame) -> None:
        _write_parquet(rows, self._path(table, number))

    def _path(self, table: str, number: int) -> Path:
        return self.folder / f"{table}-{number:06d}.parquet"

    def release(self, places: pl.DataFrame) -> None:
        """The records of this batch come out of quarantine, from these places in it."""
        places.write_parquet(self.folder / "released.parquet")
        self._released = list(map(str, places.rows()))

    # ---- decide -----------------------------------------------------------------------------------------------------

    def close(self, time: datetime, told: tally.Tally) -> None:
        """Make the decision final: all of it or nothing of it."""
        self._set_aside(len(self.chunks))
        index = pl.concat(self.index)
        stored = self._stored(index)
        index = index.join(stored, on="key", how="anti", maintain_order="left")
        both = pl.concat([index.select("key"), stored.select("key")]).with_columns(id=identity(pl.col("key")))
        twice = both.group_by("id").len().filter(pl.col("len") > 1)["id"]
        self._mend(index, set(stored["key"]), twice)
        flagged = self._flagged(stored, twice)
        flagged.write_parquet(self.folder / "flagged.parquet")
        batch = _batch_id(self.chunks, self._released)
        self._quarantine(batch)
        files = self._files(index).with_columns(batch=pl.lit(batch), time=pl.lit(time, FILES["time"]))
        files = files.select(list(FILES))
        files.write_parquet(self.folder / "files.parquet")
        self.folder.rename(self.folder.with_name("decided"))
        told.add(files, index, flagged, self.masked)

    def _stored(self, index: pl.DataFrame) -> pl.DataFrame:
        """What the lake has under the identities of these rows."""
        ids = index.select(id=identity(pl.col("key"))).unique()
        if self.lake.version("events") < 0 or ids.is_empty():
            return pl.DataFrame(schema={"key": pl.String, "id_conflict": pl.Boolean})
        return self.lake.sql("SELECT key, id_conflict FROM events SEMI JOIN ids ON key[:20] = ids.id", ids=ids)

    def _flagged(self, stored: pl.DataFrame, twice: pl.Series) -> pl.DataFrame:
        """Which rows of the lake turn out to be in conflict, and when they happened."""
        unmarked = stored.filter(~pl.col("id_conflict") & identity(pl.col("key")).is_in(twice.implode()))["key"]
        rows = NO_EVENTS.lazy() if unmarked.is_empty() else self.lake.scan("events")
        return rows.filter(pl.col("key").is_in(unmarked.implode())).select("key", "time").collect()

    def _mend(self, index: pl.DataFrame, stored: set[str], twice: pl.Series) -> None:
        """Write the parts anew that hold rows the lake has already, or ids that turned out to be in conflict."""
        if not stored and twice.is_empty():
            return
        for path in sorted(self.folder.glob("events-*.parquet")):
            keys = pl.read_parquet(path, columns=["key"]).with_columns(
                known=pl.col("key").is_in(list(stored)), conflict=identity(pl.col("key")).is_in(twice.implode())
            )
            if keys["known"].all():
                path.unlink()
            elif keys["known"].any() or keys["conflict"].any():
                rows = pl.read_parquet(path).with_columns(id_conflict=keys["conflict"]).filter(~keys["known"])
                _write_parquet(rows, path)

    def _quarantine(self, batch: str) -> None:
        """A file that is read from its start again repeats what it has in quarantine as it repeats its events."""
        known = self._known_bad()
        for path in self.folder.glob("quarantine-*.parquet"):
            bad = pl.read_parquet(path)
            repeated = _alike(bad).is_in(known.implode())
            self.bad -= Counter(bad.filter(repeated).select("source", "file").iter_rows())
            new = bad.filter(~repeated).with_columns(batch=pl.lit(batch))
            _write_parquet(validated("quarantine", new), path)
            path.chmod(0o600)

    def _known_bad(self) -> pl.Series:
        names = {chunk.file.name for chunk in self.chunks if chunk.start.batch and not chunk.start.end}
        if not names or not self.bad.total():
            return _alike(Quarantine.create_empty())
        return _alike(self.lake.scan("quarantine").filter(pl.col("file").is_in(list(names))).collect())

    def _files(self, index: pl.DataFrame) -> pl.DataFrame:
        """One row for each file: records = accepted + repeated + quarantined, and the events of the accepted."""
        of_chunk = pl.DataFrame({"part": range(len(self.chunks))}, schema={"part": pl.UInt32})
        kept = index.group_by("part").agg(accepted=pl.col("record").n_unique(), events=pl.len())
        kept = of_chunk.join(kept, on="part", how="left", maintain_order="left").fill_null(0)
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        for chunk, count, accepted, events in zip(
            self.chunks, self.counts, kept["accepted"], kept["events"], strict=True
        ):
            name = chunk.file.source.name, chunk.file.name
            first = {"source": name[0], "file": name[1], "start": chunk.start.end, "records": 0, "accepted": 0}
            row = rows.setdefault(name, first | {"events": 0, "quarantined": self.bad[name]})
            row["records"] += count
            row["accepted"] += accepted
            row["events"] += events
            row |= {"end": chunk.end, "head": chunk.head, "pending": int(chunk.torn)}
        for row in rows.values():
            row["repeated"] = row["records"] - row["accepted"] - row["quarantined"]
            if self._released:  # counted when they were quarantined
                row |= {"records": 0, "quarantined": -row["records"]}
        schema = {name: dtype for name, dtype in FILES.items() if name not in ("batch", "time")}
        return pl.DataFrame(list(rows.values()), schema=schema)


# Columns whose values come again and again; a dictionary of the others would be built and thrown away.
REPEATING = ["source", "kind", "workload", "conversation", "user", "component", "tenant", "tags", "model"]
REPEATING += ["model_version", "prompt_version", "arm", "name", "detail", "file", "reason", "batch"]
# Only of columns without nulls: where Arrow's statistics of a column without a dictionary name one value beside nulls,
# DuckDB 2.0 finds every row to be null (`IS NULL` is true of all of them).
MEASURED = ["key", "kind", "time", "id_conflict"]


def _write_parquet(rows: pl.DataFrame, path: Path) -> None:
    repeating = [name for name in REPEATING if name in rows.columns]
    options: dict[str, Any] = {"compression": "zstd", "compression_level": 1, "use_dictionary": repeating}
    options["write_statistics"] = [name for name in MEASURED if name in rows.columns]
    # Polars' own layout of strings, which is not copied; the file does not say which it was.
    pq.write_table(rows.to_arrow(compat_level=pl.CompatLevel.newest()), path, store_schema=False, **options)


def _alike(bad: pl.DataFrame) -> pl.Series:
    """A hash of each row in quarantine, whichever batch it is from."""
    return bad.select(pl.struct("source", "file", "offset", "record", "reason", "raw").hash().alias("alike"))["alike"]


def _batch_id(chunks: Sequence[Chunk], released: Sequence[str]) -> str:
    """What is taken, from where; the batch before it tells two takes of a file that came back unchanged apart."""
    taken = [[each.file.source.name, each.file.name, *each.start, each.end, each.head] for each in chunks]
    return hashlib.sha256(json.dumps([taken, *released]).encode()).hexdigest()[:16]


# ---- commit ---------------------------------------------------------------------------------------------------------


def decided(home: Path) -> bool:
    """Whether a decision waits to be committed."""
    return (home / "ingest" / "decided").exists()


def left(home: Path) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, Counter[str]]:
    """What is told of the decision that waits."""
    folder = home / "ingest" / "decided"
    rows = [pl.read_parquet(path) for path in sorted(folder.glob("events-*.parquet"))]
    index = [tally.index(each, pl.Series([0] * len(each), dtype=pl.UInt32), 0) for each in [*rows, NO_EVENTS]]
    files, flagged = pl.read_parquet(folder / "files.parquet"), pl.read_parquet(folder / "flagged.parquet")
    return files, pl.concat(index), flagged, Counter()


def commit(lake: Lake) -> None:
    """Add the files, `ingest_files` last; any of it may have happened before. Then the decision is forgotten."""
    folder = lake.home / "ingest" / "decided"
    files = pl.read_parquet(folder / "files.parquet")
    batch = files["batch"][0]
    flagged = pl.read_parquet(folder / "flagged.parquet")
    with lake.writing():
        lake.adopt("events", sorted(folder.glob("events-*.parquet")), batch)
        lake.flag("events", "id_conflict", flagged["key"].to_list())
        lake.adopt("quarantine", sorted(folder.glob("quarantine-*.parquet")), batch)
        if (folder / "released.parquet").exists():
            lake.remove("quarantine", pl.read_parquet(folder / "released.parquet"))
        lake.append("ingest_files", files, batch)
    shutil.rmtree(folder.rename(folder.with_name("half")))
