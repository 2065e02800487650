"""What it costs to make a dataset: near-duplicates beside datasketch and rensa, decontamination, records to dataset.

    make bench-datasets
    .venv/bin/python -m benchmarks.datasets [--records N] [--texts N] [--rounds N] [--quick]

Each contestant runs in a process of its own, by turns; what it reads is generated before its clock starts. Speeds are
only final on an idle machine. `TMPDIR` says where the lake is written: one to two GB for a million records.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.datasets.peers import ITEMS, PLANTED
from benchmarks.told import promise, spread, tell
from flywheel.settings import REPOSITORY

MIN_DATASKETCH, MIN_RENSA, MAX_GB, MIN_EXACT, MIN_NEAR, MAX_CLEAN = 10, 0.8, 4, 1, 0.95, 0.001

Turn = dict[str, Any]


def main() -> None:
    read = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    read.add_argument("--records", type=float, default=1e6)
    read.add_argument("--texts", type=float, default=5e4)
    read.add_argument("--rounds", type=int, default=3)
    read.add_argument("--quick", action="store_true", help="only the near-duplicates")
    asked = read.parse_args()
    tell(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, which should be near 0 when this begins")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        near(Path(name), int(asked.texts), asked.rounds)
        if not asked.quick:
            contamination(Path(name), int(asked.records))
            dataset(Path(name), int(asked.records))


def near(folder: Path, count: int, rounds: int) -> None:
    """Near-duplicates from texts to clusters; the peers from texts to candidates."""
    tell(f"\nnear-duplicates among {count:,} texts of 60 words, a tenth of them changed copies")
    turns = [[turn(name, folder, count) for name in ("near", "datasketch", "rensa")] for _ in range(rounds)]
    for place, peer, least in ((1, "datasketch", MIN_DATASKETCH), (2, "rensa", MIN_RENSA)):
        for what in ("seconds", "cpu"):
            ratios = [each[place][what] / each[0][what] for each in turns]
            promise(f"{peer} / ours in {what} ({spread(ratios)})", median(ratios), at_least=least)


def contamination(folder: Path, count: int) -> None:
    tell(f"\n{count:,} training prompts against {ITEMS:,} eval items, {PLANTED} of them planted")
    told = turn("contamination", folder, count)
    tell(f"{count / told['seconds']:,.0f} prompts a second, {count / told['cpu']:,.0f} for each second of a core")
    promise("peak memory, GB", told["megabytes"] / 1024, at_most=MAX_GB)
    promise("of the exact ones found", told["told"]["exact"], at_least=MIN_EXACT)
    promise("of those with small edits found", told["told"]["near"], at_least=MIN_NEAR)
    promise("of the clean ones lost", told["told"]["clean"], at_most=MAX_CLEAN)


def dataset(folder: Path, count: int) -> None:
    """From the tables of records to a dataset and its card in the lake, and what each rule did and took."""
    turn("lake", folder, count)
    tell(f"\n{count:,} records to a dataset and its card")
    told = turn("dataset", folder, count)
    tell(f"{count / told['seconds']:,.0f} records a second, {told['told']['rows']:,} rows")
    promise("peak memory, GB", told["megabytes"] / 1024, at_most=MAX_GB)
    tell(f"{'step':28} {'in':>10} {'out':>10} {'seconds':>8} {'of cores':>8} {'share':>6}")
    for name, came, left, seconds, cores in told["told"]["steps"]:
        counts = f"{'':10} {'':10}" if came is None else f"{came:10,} {left:10,}"
        tell(f"{name:28} {counts} {seconds:8.1f} {cores:8.1f} {cores / told['cpu']:6.1%}")


def turn(name: str, folder: Path, count: int) -> Turn:
    command = [sys.executable, "-m", "benchmarks.datasets.peers", name, str(folder), str(count)]
    ended = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    told = json.loads(ended.stdout.splitlines()[-1])
    tell(f"{name:14} {told['seconds']:8.1f} s  {told['cpu']:8.1f} s of cores  {told['megabytes'] / 1024:5.2f} GB")
    return told


if __name__ == "__main__":
    main()
