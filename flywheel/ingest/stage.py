"""The stage: chunk after chunk, batch after batch until the sources hold nothing new, and what was taken in all.

One ingest runs at a time on a machine. A batch that an earlier run left half-committed is finished first. Chunks are
read side by side by as many threads as there are cores; everything that depends on order happens in one.
"""

import glob
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from flywheel.errors import BadInput
from flywheel.ingest.batch import Batch, commit, decided, left
from flywheel.ingest.chunks import Chunk, chunks
from flywheel.ingest.files import DOCUMENTS, LINES, File, find, places
from flywheel.ingest.harvest import harvest
from flywheel.ingest.parts import Part, read
from flywheel.ingest.tally import Taken, Tally
from flywheel.lake import Lake, locked
from flywheel.process import Report
from flywheel.settings import Source

TICK = timedelta(microseconds=1)  # what keeps ingests in order when the clock stands still or goes back
SALT = "flywheel"
CORES = min(4, os.cpu_count() or 1)  # each holds a chunk, about 150 MB


def silent(message: str, **numbers: float) -> None:
    """Nobody is listening."""


def ingest(
    lake: Lake, sources: Sequence[Source], *, now: datetime, salt: str = SALT, progress: Report = silent
) -> Taken:
    """Take every complete record of the sources that was not taken yet."""
    with alone(lake), ThreadPoolExecutor(CORES) as pool:
        told = Tally(lake)
        if decided(lake.home):
            told.add(*left(lake.home))
            commit(lake)
        time = next_time(lake, now)
        unread = harvest(lake.home, sources, progress, now=now)
        found = find(lake.home, sources)
        progress("ingest: reading", files=len(found), bytes=sum(map(_size, found)))
        parts = _side_by_side(pool, partial(read, now=now, salt=salt), chunks(found, places(lake), unread))
        pending = 0
        for batch, torn in _batches(lake, pool, parts, progress):
            pending += torn
            if batch.chunks:
                batch.close(time, told)
                commit(lake)
                time += TICK
        for error in unread:
            raise error
        return told.taken(pending)


def alone(lake: Lake) -> AbstractContextManager[None]:
    """One ingest at a time on a machine; other stages may write meanwhile, but for the moments of a commit."""
    return locked(lake.home / "locks" / "ingest")


def _size(file: File) -> int:
    """Nothing where it is gone since it was found."""
    with suppress(OSError):
        return file.path.stat().st_size
    return 0


def next_time(lake: Lake, now: datetime) -> datetime:
    """The place of a batch in the order of ingests: after all others, whatever the clock says."""
    newest = lake.read("ingest_files")["time"].max()
    return max(now, newest + TICK) if isinstance(newest, datetime) else now


def ingest_paths(lake: Lake, paths: Sequence[Path], source: Source, *, now: datetime, **options: Any) -> Taken:
    """Take the new records of these files and folders, as logs of `source`, whose own path does not count."""
    for path in paths:
        if not path.exists():
            raise BadInput("there is no such log file", seen=path, do="name files or folders that exist")
    named = [source.model_copy(update={"path": _literally(path)}) for path in paths]
    if not find(lake.home, named):
        allowed = " ".join(DOCUMENTS + LINES) + ", also with .gz or .zst"
        raise BadInput("there is no log file in there", seen=", ".join(map(str, paths)), allowed=allowed)
    return ingest(lake, named, now=now, **options)


def _literally(path: Path) -> str:
    """A pattern that matches this path and nothing else; `..` would give a file a second name."""
    return glob.escape(os.path.abspath(path)).replace("{home}", "[{]home}")  # noqa: PTH100 (keeps links)


def _batches(
    lake: Lake, pool: ThreadPoolExecutor, parts: Iterable[Part], progress: Report
) -> Iterator[tuple[Batch, int]]:
    """The parts gathered into batches, whose files are being written meanwhile; and how many files ended torn."""
    batch, torn, writing, done = Batch(lake), 0, deque[Future[None]](), 0
    for part in parts:
        torn += part.chunk.torn
        done += part.size
        batch.add(part)
        _write(pool, batch, writing, all=batch.full)
        progress("ingest: read", bytes_read=done)
        if batch.full:
            yield batch, torn
            batch, torn = Batch(lake), 0
    _write(pool, batch, writing, all=True)
    yield batch, torn


def _write(pool: ThreadPoolExecutor, batch: Batch, writing: deque[Future[None]], *, all: bool) -> None:
    """Write what the batch has gathered, meanwhile; wait when too much of it waits, and for everything at the end."""
    if gathered := batch.gathered(all=all):
        writing.append(pool.submit(batch.write, *gathered))
    while len(writing) > (0 if all else CORES):
        writing.popleft().result()


def _side_by_side(pool: ThreadPoolExecutor, function: Callable[[Chunk], Part], over: Iterable[Chunk]) -> Iterator[Part]:
    """The results in their order; no more are under way than there are cores to work on them."""
    under_way: deque[Future[Part]] = deque()
    for each in over:
        under_way.append(pool.submit(function, each))
        if len(under_way) > CORES:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()
