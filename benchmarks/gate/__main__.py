"""What `flywheel gate compare` costs at 100,000 items in 50 slices, and what the gate promises, simulated.

    make bench-gate
    .venv/bin/python -m benchmarks.gate [--items N] [--slices N] [--rounds N] [--quick]

The command runs as people run it, in a process of its own: start, reading both files, sanity of the outputs, verdict.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.gate.simulations import table
from benchmarks.told import tell
from flywheel.settings import REPOSITORY

MAX_SECONDS, MAX_GB = 10, 1.0


def main() -> None:
    read = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    read.add_argument("--items", type=int, default=100_000)
    read.add_argument("--slices", type=int, default=50)
    read.add_argument("--rounds", type=int, default=3)
    read.add_argument("--quick", action="store_true", help="only the cost, no simulations")
    asked = read.parse_args()
    tell(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, which should be near 0 when this begins")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        for kind in ("jsonl", "parquet"):
            champion, candidate = made(Path(name), asked.items, asked.slices, kind)
            told = [compared(champion, candidate) for _ in range(asked.rounds)]
            seconds, memory = min(each[0] for each in told), max(each[2] for each in told)
            met = "met" if seconds < MAX_SECONDS and memory < MAX_GB else "MISSED"
            used = min(each[1] for each in told)
            tell(
                f"gate compare, {asked.items:,} items x {asked.slices} slices, {kind}: {seconds:.1f} s (best of"
                f" {asked.rounds}; {used:.1f} s of processor), {memory:.2f} GB;"
                f" at most {MAX_SECONDS} s and {MAX_GB:g} GB: {met}"
            )
    for line in () if asked.quick else table():
        tell(line)


def made(folder: Path, items: int, slices: int, kind: str) -> tuple[Path, Path]:
    """Two files of scores with outputs of some twelve words, four items a user."""
    import polars as pl

    rng = random.Random(1)
    rows = [(f"item-{n}", f"user-{n // 4}", f"slice-{n % slices}", rng.random()) for n in range(items)]
    frame = pl.DataFrame(rows, schema=["item_id", "user_id", "slice", "score"], orient="row")
    paths = folder / f"champion.{kind}", folder / f"candidate.{kind}"
    for path, gain in zip(paths, (0.0, 0.05), strict=True):
        output = [f"the order {n} of this customer is on its way, as of {rng.random():.6f}" for n in range(items)]
        score = [row[3] + rng.gauss(gain, 0.3) for row in rows]
        side = frame.with_columns(score=pl.Series(score), output=pl.Series(output), eval_hash=pl.lit("e1"))
        side.write_ndjson(path) if kind == "jsonl" else side.write_parquet(path)
    return paths


def compared(champion: Path, candidate: Path) -> tuple[float, float, float]:
    """Seconds, seconds of processor and peak GB of one call."""
    command = [sys.executable, "-m", "flywheel.cli", "gate", "compare", "--json"]
    command += ["--champion", str(champion), "--candidate", str(candidate)]
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    seconds = time.monotonic() - start
    assert json.loads(ended.stdout)["verdict"] == "promote"
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, used, after.ru_maxrss / 1e6


if __name__ == "__main__":
    main()
