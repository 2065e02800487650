"""Print the tables of `docs/signals.md`: how right every signal is over some seeds, and what an audit of each tells."""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

import polars as pl

from benchmarks.signals.audits import Errors, audited
from benchmarks.signals.scene import Scene, played
from benchmarks.signals.truth import READINGS, Found, measured
from flywheel.signals.calibration import Rate

DRAWS = 20
TARGET = 0.05


def main() -> None:
    read = argparse.ArgumentParser(description=__doc__)
    read.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    read.add_argument("--weeks", type=int, default=3)
    read.add_argument("--users", type=int, default=200)
    asked = read.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scenes = [played(Path(folder) / str(seed), seed, weeks=asked.weeks, users=asked.users) for seed in asked.seeds]
        found = [pooled(name, scenes) for name in READINGS]
        by_seed = zip(asked.seeds, scenes, strict=True)
        errors = {seed: [audited(scene, 200, draw) for draw in range(DRAWS)] for seed, scene in by_seed}
    sys.stdout.write(table(found) + "\n\n" + audits(errors) + "\n")


def pooled(name: str, scenes: Sequence[Scene]) -> Found:
    """One reading over all scenes; no two seeds share an answer."""
    signals = pl.concat([scene.signals for scene in scenes])
    closed = set().union(*(scene.closed() for scene in scenes))
    return measured(name, signals, [line for scene in scenes for line in scene.truth], closed)


def table(found: Sequence[Found]) -> str:
    head = ["| signal | precision | n found | recall | n true | meant |", "|---|---|---|---|---|---|"]
    rows = [
        f"| {one.name} | {_told(one.precision)} | {one.precision.n} | {_told(one.recall)} | {one.recall.n} "
        f"| {_told(one.meant)} |"
        for one in found
    ]
    return "\n".join([*head, *rows])


def audits(errors: Mapping[int, Sequence[Errors]]) -> str:
    """The calibration error of each seed before an audit and after it, with the worst of the draws."""
    head = ["| seed | before | after, mean | worst | draws at most 0.05 |", "|---|---|---|---|---|"]
    rows = []
    for seed, several in errors.items():
        after = [one.after for one in several]
        kept = f"{sum(each <= TARGET for each in after)} of {len(after)}"
        rows.append(f"| {seed} | {several[0].before:.3f} | {mean(after):.3f} | {max(after):.3f} | {kept} |")
    return "\n".join([*head, *rows])


def _told(rate: Rate) -> str:
    return f"{rate.share:.3f} ({rate.low:.3f} to {rate.high:.3f})" if rate.n else "-"


if __name__ == "__main__":
    main()
