"""What Dagster and Pipes cost a step of training: a real run of `flywheel.training`, launched through Pipes.

Counted is all that is not there by hand: the time the training spends telling Dagster, and the processor seconds of
Dagster's own process while it listens, as if the two had one core. Over steps of at least half a second.
"""

import time
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev

import dagster as dg  # noqa: TID251  what it costs is measured here
import polars as pl
from scipy.stats import t

from benchmarks.told import promise, tell
from benchmarks.training.scene import Lengths, rows, small
from flywheel.lake import Lake
from flywheel.process import prepare, result
from flywheel.settings import Recipe, Step, Watching
from flywheel.training import recipe
from tests import tiny

LEAST, AT_MOST = 0.5, 0.02
BATCH, STEPS = 16, 20
LENGTHS = Lengths(median=150, p95=300, most=400)


def cost_of_pipes(folder: Path, *, rounds: int) -> None:
    """Over a few runs: the share of a step, and the upper end of its 95 % interval."""
    start = small(folder / "wide", hidden=256, layers=6)
    shares, seconds = [], []
    for number in range(rounds):
        step, share = _run(folder / f"run-{number}", start)
        shares.append(share)
        seconds.append(step)
    upper = fmean(shares) + t.ppf(0.95, rounds - 1) * stdev(shares) / sqrt(rounds)
    tell(f"Dagster and Pipes: {fmean(shares):.3%} of steps of {min(seconds):.2f} s and more, n = {rounds}")
    if min(seconds) < LEAST:
        tell(f"  steps were shorter than {LEAST} s: this machine needs a wider model to tell")
    promise("Dagster and Pipes: share of a step, upper end of its 95 % interval", upper, at_most=AT_MOST)


def _run(home: Path, start: Path) -> tuple[float, float]:
    """Seconds of a step, and the share of it that Dagster takes."""
    made = rows("demonstrations", BATCH * STEPS, LENGTHS)
    frame = tiny.dataset_rows("demonstration", "train", range(len(made)))
    said = [row["completion"][0]["content"] for row in made]
    Lake(home).append("dataset_rows", frame.with_columns(chosen=pl.Series(said)), "batch")
    learned = Recipe(sft=Step(learning_rate=1e-4, batch=BATCH), min_records=1, watching=Watching(entropy=None))
    job = recipe.job(
        home=home, workload="w", cycle=1, dataset="d", start=start, recipe=learned, out=home / "checkpoints" / "c"
    )
    command = prepare("training", home / "job", job)
    command[2] = "benchmarks.training.told"
    listened = 0.0

    @dg.asset
    def trained(context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient) -> None:
        nonlocal listened
        busy = time.process_time()
        pipes.run(command=command, context=context)
        listened = time.process_time() - busy

    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    dg.materialize([trained], resources={"pipes": dg.PipesSubprocessClient()}, run_config=quiet)
    done = result(home / "job")
    share = (listened / done["all_seconds"]) + done["telling"] / (done["step_seconds"] * STEPS)
    return done["step_seconds"], share
