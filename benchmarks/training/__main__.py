"""Training beside the bare TRL script with the same settings, and what Dagster and Pipes cost a step.

    make bench-train
    .venv/bin/python -m benchmarks.training [--rounds N] [--steps N]

Contestants take turns in one process from the same start over the same rows and must end at the same loss. Where a
machine is busy with other work, the ratio of processor seconds says more than that of the clock.
"""

import argparse
import os
import tempfile
from functools import partial
from pathlib import Path
from statistics import median

import datasets
import torch
import transformers

from benchmarks.told import promise, tell
from benchmarks.training.pipes import cost_of_pipes
from benchmarks.training.scene import Lengths, rows, small
from benchmarks.training.turns import Turn, bare, ours, timed
from flywheel.settings import Recipe, Step

LENGTHS = Lengths(median=60, p95=200, most=400)
BATCH = 8
SLACK = 1e-4
"""Of the last loss: sums in another order round otherwise."""


def main() -> None:
    read = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    read.add_argument("--rounds", type=int, default=5)
    read.add_argument("--steps", type=int, default=24)
    asked = read.parse_args()
    transformers.logging.set_verbosity_error()
    datasets.disable_progress_bars()
    tell(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {torch.get_num_threads()} threads of torch")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        start = small(Path(name) / "model", hidden=128, layers=2)
        for phase, kind in (("sft", "demonstrations"), ("dpo", "pairs")):
            beside(phase, kind, start, asked.rounds, asked.steps)
        cost_of_pipes(Path(name), rounds=max(3, asked.rounds - 2))


def beside(phase: str, kind: str, start: Path, rounds: int, steps: int) -> None:
    some, step = rows(kind, BATCH * steps, LENGTHS), Step(learning_rate=1e-4, batch=BATCH)
    recipe = Recipe(**{phase: step}, max_length=2048)
    turns: dict[str, list[Turn]] = {"ours": [], "bare TRL": []}
    given = (phase, start, some, recipe)
    contestants = {"ours": partial(ours, *given), "bare TRL": partial(bare, *given)}
    for number in range(rounds):
        for contestant in list(contestants)[:: 1 if number % 2 else -1]:
            turns[contestant].append(timed(contestants[contestant]))
    mine, theirs = turns["ours"], turns["bare TRL"]
    whole, unit = (len(some), "pairs/s") if phase == "dpo" else (tokens_of(some), "tokens/s")
    amount = whole * (steps - 1) / steps  # the first step warms up
    apart = max(abs(a.loss - b.loss) for a, b in zip(mine, theirs, strict=True))
    tell(
        f"{phase}: {amount / median(one.seconds for one in mine):.0f} {unit} beside"
        f" {amount / median(one.seconds for one in theirs):.0f} of bare TRL; last losses differ by {apart:.1e}"
    )
    for what in ("seconds", "processor"):
        found = sorted(getattr(b, what) / getattr(a, what) for a, b in zip(mine, theirs, strict=True))
        tell(f"  {what}: {median(found):.3f} times as fast ({found[0]:.3f} to {found[-1]:.3f}, n = {len(found)})")
    promise(f"{phase}: the last loss differs from bare TRL's by", apart, at_most=SLACK)


def tokens_of(some: list[dict]) -> int:
    """Of conversations: a digit is a token."""
    said = ("prompt", "completion", "chosen", "rejected")
    return sum(len(row[name][0]["content"]) for row in some for name in said if name in row)


if __name__ == "__main__":
    main()
