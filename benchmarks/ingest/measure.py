"""One turn of one contestant: a process of its own, its time, the memory of its whole tree, and whether it is right.

A fast wrong answer ends the benchmark. What the contestants do belongs in `peers`.
"""

import json
import os
import shutil
import subprocess
import sys
from glob import glob
from pathlib import Path
from typing import NamedTuple

import duckdb
import psutil

from benchmarks.ingest.log import Log
from benchmarks.ingest.words import TRACE
from flywheel.lake import Lake
from flywheel.settings import REPOSITORY

BLOCK = 1 << 20


class Turn(NamedTuple):
    """What one run took; `shown` counts rows in which personal data can still be read."""

    seconds: float
    speed: float
    """MB of log a second."""
    memory: float
    """Peak of resident memory of the process and its children, in MB."""
    shown: int


def measure(name: str, log: Log, folder: Path) -> Turn:
    """Run it into a fresh folder, the log in the page cache, nothing of the run before still to be flushed."""
    home = folder / "home"
    home.mkdir()
    warm(log)
    os.sync()
    command = [sys.executable, "-m", "benchmarks.ingest.peers", name, log.path, str(home)]
    environment = os.environ | {"RUNTIME__DLTHUB_TELEMETRY": "false"}
    with subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True) as process:
        sampled = watch(process)
        told = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise SystemExit(f"{name} failed")
    said = json.loads(told.splitlines()[-1])
    shown = check(name, log, home, said["found"])
    shutil.rmtree(home)
    speed = log.planted.bytes / 1e6 / said["seconds"]
    return Turn(said["seconds"], speed, max(sampled, said["megabytes"]), shown)


def watch(process: subprocess.Popen[str]) -> float:
    """The most memory that the process and its children were seen to hold together, in MB."""
    most, family, ticks = 0.0, [psutil.Process(process.pid)], 0
    while True:
        try:
            process.wait(timeout=0.02)
            return most / 1e6
        except subprocess.TimeoutExpired:
            ticks += 1
        if ticks % 25 == 0:  # finding children reads all of /proc
            family = [family[0], *family[0].children(recursive=True)]
        most = max(most, sum(map(resident, family)))


def resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0


def warm(log: Log) -> None:
    for path in glob(log.path):  # noqa: PTH207 (an absolute pattern)
        with Path(path).open("rb", buffering=0) as handle:
            while handle.read(BLOCK):
                pass


def check(name: str, log: Log, home: Path, found: dict[str, int]) -> int:
    """Compare what was written with what was planted; how many rows still show what should be masked."""
    planted, shown = log.planted, 0
    right = {"objects": planted.objects}
    if name == "duckdb":
        found = {"objects": one(f"SELECT count(kind) FROM '{home}/events.parquet'")}
    elif name == "dlt":
        found = {"objects": one(f"SELECT count(kind) FROM read_parquet('{home}/files/logs/events/*.parquet')")}
    else:
        right = {"accepted": planted.accepted, "repeated": planted.repeated, "quarantined": planted.broken}
        right["rows"] = planted.accepted
        seen = f"regexp_matches(concat_ws(' ', prompt, text, detail), '{TRACE}')"
        counts = f"SELECT count(*), count(*) FILTER (WHERE {seen}) FROM "
        if name == "ingest":
            found["rows"], shown = Lake(home).sql(f"{counts} events").row(0)
        else:
            found["rows"], shown = duckdb.sql(f"{counts} '{home}/events.parquet'").fetchall()[0]
    if found != right:
        raise SystemExit(f"{name} found {found}, in the log are {right}")
    return shown


def one(query: str) -> int:
    return duckdb.sql(query).fetchall()[0][0]
