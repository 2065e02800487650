"""Our whole ingest beside its peers, by turns on one generated log, and what each promise comes to.

    make bench
    .venv/bin/python -m benchmarks.ingest [--size-mb N] [--rounds N] [--quick]

A ratio is the median of paired ratios, ours and theirs right after each other and in either order; beside it stand the
lowest, the highest and how many. `TMPDIR` says where the logs are written: some twenty times the size of the log, some
three times with `--quick`.
"""

import argparse
import os
import tempfile
import time
from math import inf
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

from benchmarks.ingest.log import Log, Planted, head, write, write_all
from benchmarks.ingest.measure import Turn, measure
from benchmarks.told import promise, tell


class Peer(NamedTuple):
    """Whom we are compared with, how many times as fast we promise to be, and how much of the log it reads.

    Slow ones read only its beginning: what is compared is MB a second.
    """

    title: str
    target: float
    most_mb: float = inf


PEERS = {
    "duckdb": Peer("DuckDB, bare typed read_json -> Parquet", 0.6),
    "loop": Peer("json.loads loop with our rules, first 100 MB", 3, 100),
    "dlt": Peer("dlt pipeline -> Parquet, first 40 MB", 15, 40),
}
TIMES = 10  # the size of the log that shows whether an event costs more in a large one
MAX_MB, MAX_SHOWN, MAX_COST = 1000, 0.02, 1.15


class Pair(NamedTuple):
    """Two turns, one right after the other."""

    ours: Turn
    theirs: Turn

    @property
    def ratio(self) -> float:
        return self.ours.speed / self.theirs.speed


def main() -> None:
    read = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    read.add_argument("--size-mb", type=float, default=1000)
    read.add_argument("--rounds", type=int, default=3)
    read.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), help="default: all of them")
    read.add_argument("--quick", action="store_true", help=f"leave out the log of {TIMES} times the size")
    asked = read.parse_args()
    tell(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, which should be near 0 when this begins")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder, began = Path(name), time.perf_counter()
        log = write(folder / "log.jsonl", asked.size_mb)
        tell(f"the log: {described(log, began)}")
        pairs = {name: [] for name in asked.peers}
        for number in range(asked.rounds):
            for name in asked.peers:
                pairs[name].append(play(folder, log, name, ours_first=number % 2 == 0))
        compare(pairs, log.planted)
        if not asked.quick:
            grow(folder, log, asked.size_mb)


def play(folder: Path, log: Log, name: str, *, ours_first: bool) -> Pair:
    logs = {"ingest": log, name: head(log, folder / f"{name}.jsonl", PEERS[name].most_mb)}
    turns = {each: measure(each, logs[each], folder) for each in (logs if ours_first else reversed(logs))}
    pair = Pair(turns["ingest"], turns[name])
    tell(f"ingest {pair.ours.speed:.1f} MB/s, {name} {pair.theirs.speed:.1f} MB/s, ratio {pair.ratio:.2f}")
    return pair


def compare(pairs: dict[str, list[Pair]], planted: Planted) -> None:
    ours = [pair.ours for each in pairs.values() for pair in each]
    tell("\nmedians")
    summary("flywheel ingest, all of it", ours)
    for name, played in pairs.items():
        summary(PEERS[name].title, [pair.theirs for pair in played])
    tell("\npromises")
    for name, played in pairs.items():
        ratios = [pair.ratio for pair in played]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}, n = {len(ratios)}"
        promise(f"ours / {name} ({spread})", median(ratios), at_least=PEERS[name].target)
    promise("peak memory of ours, MB", max(turn.memory for turn in ours), at_most=MAX_MB)
    shown = max(turn.shown for turn in ours) / planted.personal
    promise(f"share of {planted.personal:,} events that still show personal data", shown, at_most=MAX_SHOWN)


def summary(title: str, turns: list[Turn]) -> None:
    speed, memory = median(turn.speed for turn in turns), max(turn.memory for turn in turns)
    tell(f"{title:48} {speed:8.1f} MB/s, {memory:6.0f} MB of memory at the most, n = {len(turns)}")


def grow(folder: Path, log: Log, megabytes: float) -> None:
    """Ten times the log, once, between two runs of the log itself."""
    (folder / "many").mkdir()
    began = time.perf_counter()
    many = write_all(folder / "many", megabytes, range(1, TIMES + 1))
    tell(f"\n{TIMES} times the log: {described(many, began)}")
    before, large, after = (measure("ingest", each, folder) for each in (log, many, log))
    tell(f"ingest {before.speed:.1f} MB/s, {TIMES} times the log {large.speed:.1f} MB/s, again {after.speed:.1f} MB/s")
    once = mean([before.seconds, after.seconds]) / log.planted.accepted
    promise(f"cost per event at {TIMES} times the size", large.seconds / many.planted.accepted / once, at_most=MAX_COST)
    promise(f"peak memory of ours at {TIMES} times the size, MB", large.memory, at_most=MAX_MB)


def described(log: Log, began: float) -> str:
    planted, seconds = log.planted, time.perf_counter() - began
    told = f"{planted.bytes / 1e6:.0f} MB in {planted.records:,} records, {planted.accepted:,} to be accepted, "
    told += f"{planted.repeated:,} repeated, {planted.broken:,} broken, {planted.personal:,} with personal data"
    return f"{told}; written in {seconds:.0f} s"


if __name__ == "__main__":
    main()
