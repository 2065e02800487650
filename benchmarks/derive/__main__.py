"""From events to records beside its peers, at two sizes, and what one more day costs.

    make bench-derive
    .venv/bin/python -m benchmarks.derive [--events N] [--rounds N] [--quick]

Each contestant runs in a process of its own, by turns on the same lake, its files in the page cache. The peers that
hold everything in memory run at a tenth of the size, pandas at a hundredth, ours beside them. `TMPDIR` says where the
lakes are written: two or three GB for ten million events.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks.derive import log
from benchmarks.told import promise, spread, tell
from flywheel.settings import REPOSITORY

MAX_GB, MAX_GROWTH, MAX_WINDOW, MIN_POLARS, MIN_PANDAS, MAX_DAY = 4, 1.25, 8, 1.5, 10, 0.03


class Turn(NamedTuple):
    """What one run took."""

    seconds: float
    megabytes: float
    found: dict[str, Any]


def main() -> None:
    read = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    read.add_argument("--events", type=float, default=1e7)
    read.add_argument("--rounds", type=int, default=3)
    read.add_argument("--quick", action="store_true", help="only the sizes that fit into memory at once")
    asked = read.parse_args()
    tell(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, which should be near 0 when this begins")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder, many = Path(name), int(asked.events)
        small = derived(folder, many // 10, asked.rounds)
        beside(folder, "polars", many // 10, asked.rounds, MIN_POLARS)
        beside(folder, "polars_same", many // 10, asked.rounds, MIN_POLARS)
        beside(folder, "pandas", many // 100, 1, MIN_PANDAS)
        if not asked.quick:
            large = derived(folder, many, 1)
            promise("cost per event at ten times the size", large / small, at_most=MAX_GROWTH)
            day(folder, many, large * many)


def derived(folder: Path, events: int, rounds: int) -> float:
    """Everything, from nothing, beside the window query; seconds per event."""
    home = lake(folder, events)
    pairs = []
    for _ in range(rounds):
        forget(home)
        pairs.append((turn("derive", home), turn("window", home)))
    ours = [mine for mine, _ in pairs]
    tell(f"{events:,} events: {ours[0].found}")
    ratios = [mine.seconds / theirs.seconds for mine, theirs in pairs]
    promise(f"ours / one window query ({spread(ratios)})", median(ratios), at_most=MAX_WINDOW)
    promise("peak memory of ours, GB", max(mine.megabytes for mine in ours) / 1024, at_most=MAX_GB)
    return median(mine.seconds for mine in ours) / events


def beside(folder: Path, peer: str, events: int, rounds: int, least: float) -> None:
    """The first three signals, from the same files to a file of the same kind."""
    home = lake(folder, events)
    pairs = [(turn("three", home), turn(peer, home)) for _ in range(rounds)]
    mine, theirs = pairs[0]
    if mine.found != theirs.found:
        raise SystemExit(f"{peer} found {theirs.found}, we found {mine.found}")
    ratios = [theirs.seconds / mine.seconds for mine, theirs in pairs]
    promise(f"{peer} / ours on {events:,} events ({spread(ratios)})", median(ratios), at_least=least)


def day(folder: Path, events: int, whole: float) -> None:
    """One more day: a hundredth of the events, a part of it late, on top of all that is derived."""
    home = lake(folder, events)
    turn("derive", home)
    log.new_day(home, events // 100, events)
    told = turn("derive", home)
    tell(f"one more day: {told.seconds:.1f} s, {told.megabytes / 1024:.1f} GB, {told.found}")
    promise("one more day, as a share of everything", told.seconds / whole, at_most=MAX_DAY)


def lake(folder: Path, events: int) -> Path:
    """The lake of this size, made once."""
    home = folder / f"lake-{events}"
    if not home.exists():
        made = log.make(home, events)
        tell(f"\n{made.count('events'):,} events of {log.DAYS} days")
    return home


def forget(home: Path) -> None:
    for table in (home / "lake").iterdir():
        if table.name != "events":
            shutil.rmtree(table)


def turn(name: str, home: Path) -> Turn:
    os.sync()
    for file in sorted((home / "lake" / "events").glob("*.parquet")):
        file.read_bytes()
    command = [sys.executable, "-m", "benchmarks.derive.peers", name, str(home)]
    ended = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    told = json.loads(ended.stdout.splitlines()[-1])
    tell(f"{name:8} {told['seconds']:8.1f} s  {told['cpu']:8.1f} s of cores  {told['megabytes'] / 1024:5.2f} GB")
    return Turn(told["seconds"], told["megabytes"], told["found"])


if __name__ == "__main__":
    main()
