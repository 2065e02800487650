"""An ingest in a process of its own, to be killed or measured, and a log of every form for it to take.

Each process begins anew, which costs most of a second: Polars has threads as soon as it is loaded, and a fork of those
hangs.
"""

import gzip
import json
import multiprocessing
import os
import pkgutil
import random
import re
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from flywheel.ingest import Taken, batch, chunks, ingest
from flywheel.lake import Lake
from flywheel.settings import Source
from tests.flywheel.ingest.logs import NOW, rated, rows

ANEW = multiprocessing.get_context("spawn")


def started(work: Callable[..., None], *given: Any) -> BaseProcess:
    """A process that does it, from the moment on at which it is loaded."""
    here, there = ANEW.Pipe(duplex=False)
    process = ANEW.Process(target=_working, args=(there, work, *given))
    process.start()
    there.close()  # so that a process which cannot even be loaded is an EOFError here and no endless wait
    here.recv()
    return process


def _working(ready: Connection, work: Callable[..., None], *given: Any) -> None:
    ready.send(None)
    work(*given)


def ended(work: Callable[..., None], *given: Any) -> int:
    """The exit code of a process that did it."""
    process = started(work, *given)
    process.join()
    assert process.exitcode is not None
    return process.exitcode


# ---- what the processes do ------------------------------------------------------------------------------------------


SMALL = [
    (chunks, "CHUNK_BYTES", 8 * 2**10),
    (chunks, "CHUNK_RECORDS", 60),
    (batch, "FILE_ROWS", 60),
    (batch, "BATCH_ROWS", 300),
]


def ingesting(home: Path, sources: Sequence[Source]) -> None:
    """One ingest in portions so small that a small log has many chunks and several batches."""
    for module, name, value in SMALL:
        setattr(module, name, value)
    ingest(Lake(home), sources, now=NOW)


def dying(home: Path, sources: Sequence[Source], step: str, nth: int, when: str) -> None:
    """An ingest that kills itself at the n-th time it comes to a step, `before` or `after` doing it."""
    batch.FILE_ROWS = 1  # so that there are several files to add
    place, _, name = step.rpartition(".") if "." in step.partition(":")[2] else step.rpartition(":")
    owner, came = pkgutil.resolve_name(place), 0
    real = getattr(owner, name)

    def deadly(*given: Any, **options: Any) -> Any:
        nonlocal came
        came += 1
        mine = came == nth
        if mine and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = real(*given, **options)
        if mine:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    setattr(owner, name, deadly)
    ingest(Lake(home), sources, now=NOW)


def polling(orders: Connection, sources: Sequence[Source]) -> None:
    """Of each home that is ordered, ingest after ingest, the last one after the file `finished` was there."""
    while home := orders.recv():
        last = False
        while not last:
            last = (home / "finished").exists()
            ingest(Lake(home), sources, now=NOW)
        orders.send(home)


def measured(home: Path, sources: Sequence[Source], told: Path) -> None:
    """An ingest that leaves what it took and the most memory it held, in MiB."""
    taken = ingest(Lake(home), sources, now=NOW)
    # Not `getrusage`: what it calls the peak begins with that of the process which started this one.
    peak = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 2**10  # pyright: ignore
    told.write_text(json.dumps({"taken": taken.as_json(), "peak": peak}))


def ingested(home: Path, sources: Sequence[Source]) -> tuple[Taken, float]:
    """What an ingest in a process of its own took, and the most memory it held, in MiB."""
    told = home / "told.json"
    assert ended(measured, home, sources, told) == 0
    said = json.loads(told.read_text())
    return Taken(**said["taken"]), said["peak"]


# ---- a log ----------------------------------------------------------------------------------------------------------


def spread(folder: Path, *, records: int, seed: int = 7) -> list[Source]:
    """Records in files of every form, with repeats, ids in conflict and some that cannot be read; and their sources."""
    folder.mkdir(parents=True)
    chance = random.Random(seed)
    share = records // 4
    (folder / "a.jsonl").write_bytes(b"".join(_lines(chance, share)) + b'{"v":1,"kind":"ra')
    (folder / "b.json").write_bytes(b"[" + b",".join(line.strip() for line in _lines(chance, share)) + b"]")
    (folder / "c.jsonl.gz").write_bytes(gzip.compress(b"".join(_lines(chance, share)), 1))
    table = b"id,prompt,response,user,rating\n" + b"".join(_row(chance, share) for _ in range(share))
    (folder / "d.csv").write_bytes(table)
    plain = [Source(name="app", path=f"{folder}/{name}") for name in ("a.jsonl", "b.json", "c.jsonl.gz")]
    return [*plain, Source(name="sheet", path=f"{folder}/d.csv", format="table", workload="drafts")]


def _lines(chance: random.Random, many: int) -> list[bytes]:
    """Of ids that come again: in another file, with the same content or another."""
    return [
        b'{"v":1,"kind":nothing}\n'
        if chance.random() < 0.03
        else rated(f"r{chance.randrange(3 * many)}", chance.choice((1, 1, -1)), comment="x" * chance.randrange(200))
        if chance.random() < 0.9
        else rated(f"r{chance.randrange(9)}", 1)
        for _ in range(many)
    ]


def _row(chance: random.Random, many: int) -> bytes:
    id = chance.randrange(many)
    extra = ",too many" if chance.random() < 0.03 else ""
    return f'{id},"What is {id}?","It is\n{id}.",u{id % 9},{chance.choice((1, -1))}{extra}\n'.encode()


# ---- what is left of it ---------------------------------------------------------------------------------------------


def state(home: Path) -> dict[str, list[tuple[Any, ...]]]:
    """What two lakes that took the same must have in common."""
    return {table: rows(home, table) for table in ("events", "quarantine")}


def accounted(home: Path) -> None:
    """Each record is in one place, and all places hold as many as `ingest_files` says."""
    files, bad, events = (Lake(home).read(table) for table in ("ingest_files", "quarantine", "events"))
    assert (files["records"] == files["accepted"] + files["repeated"] + files["quarantined"]).all()
    of = files.select("batch", "file", "quarantined").filter(files["quarantined"] != 0).sort("batch", "file")
    assert of.rows() == bad.group_by("batch", "file").len().sort("batch", "file").rows()
    assert files["events"].sum() == len(events) == events["key"].n_unique()
