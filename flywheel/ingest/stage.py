"""The stage: batch after batch until the sources hold nothing new, and what was taken in all.

One ingest runs at a time on a machine. A batch that an earlier run left half-committed is finished first and counted
here.
"""

import glob
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from flywheel.errors import BadInput
from flywheel.ingest.batch import Decision, commit, decide, keep, kept
from flywheel.ingest.files import batches, find, places
from flywheel.ingest.reader import native
from flywheel.lake import Lake
from flywheel.process import Report
from flywheel.settings import Source

TICK = timedelta(microseconds=1)  # what keeps ingests in order when the clock stands still or goes back


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What an ingest took: records = accepted + repeated + quarantined."""

    batch: str = ""
    """The last batch; empty when nothing was new."""
    files: int = 0
    """Files with something new."""
    records: int = 0
    """Source records read; an empty line is none."""
    accepted: int = 0
    """Records that said something new."""
    repeated: int = 0
    """Records the lake already had."""
    quarantined: int = 0
    """Records that could not be read; `quarantine` says why."""
    pending: int = 0
    """Files that end in a torn line, which is taken when it is complete."""
    events: int = 0
    """Events added."""
    by_type: dict[str, int] = field(default_factory=dict)
    """Events added, by kind."""
    days: tuple[date, ...] = ()
    """Days of events that were added or came into conflict."""

    def as_json(self) -> dict[str, Any]:
        return {**self.__dict__, "days": [day.isoformat() for day in self.days]}


def silent(message: str, **numbers: float) -> None:
    """Nobody is listening."""


def ingest(lake: Lake, sources: Sequence[Source], *, now: datetime, progress: Report = silent) -> Taken:
    """Take every complete line of the sources that was not taken yet."""
    done: list[Decision] = []
    pending = 0
    with lake.writing():
        if left := kept(lake.home):
            done.append(_commit(lake, left, progress))
        newest = lake.read("ingest_files")["time"].max()
        time = max(now, newest + TICK) if isinstance(newest, datetime) else now
        for chunks in batches(find(lake.home, sources), places(lake)):
            pending += sum(chunk.torn for chunk in chunks)
            if new := [chunk for chunk in chunks if chunk.end > chunk.start.end]:
                decision = decide(lake, new, native, now=now, time=time)
                keep(lake.home, decision)
                done.append(_commit(lake, decision, progress))
                time += TICK
    return replace(_taken(done), pending=pending) if done else Taken(pending=pending)


def ingest_paths(lake: Lake, paths: Sequence[Path], *, source: str, now: datetime, progress: Report = silent) -> Taken:
    """Take the new lines of these files, as logs of `source`."""
    for path in paths:
        if not path.is_file():
            raise BadInput("there is no such log file", seen=path, do="name files that exist")
    named = [Source(name=source, path=glob.escape(str(path))) for path in paths]
    return ingest(lake, named, now=now, progress=progress)


def _commit(lake: Lake, decision: Decision, progress: Report) -> Decision:
    """Commit it, say so, and keep of it only what the summary needs."""
    commit(lake, decision)
    files = decision.ingest_files
    progress("ingest: a batch is in the lake", records=int(files["records"].sum()), events=len(decision.events))
    events, flagged = decision.events.select("kind", "time"), decision.flagged.select("kind", "time")
    return Decision(events, flagged, decision.quarantine.clear(), files)


def _taken(done: Sequence[Decision]) -> Taken:
    files = pl.concat([decision.ingest_files for decision in done])
    events = pl.concat([decision.events for decision in done])
    touched = pl.concat([events, *(decision.flagged for decision in done)])["time"].dt.date()
    counts = {name: int(files[name].sum()) for name in ("records", "accepted", "repeated", "quarantined")}
    return Taken(
        batch=done[-1].batch,
        files=files.select("source", "file").n_unique(),
        events=len(events),
        by_type=dict(sorted(Counter(events["kind"]).items())),
        days=tuple(sorted(touched.unique())),
        **counts,
    )
