"""SFT and DPO on one GPU: tokens per second of needed work, the share of the chip, peak memory; beside TRL's defaults
and TRL's best legal settings.

    make bench-train-gpu
    .venv/bin/python -m benchmarks.training.gpu [--shapes 0.5B 1.5B] [--rows N] [--rounds N]

Models have the shapes of Qwen2.5 and random weights; conversations are lognormal in tokens (median 300, 95 % below
2,000, at most 4,096), a fifth of each the answer. Needed work is the tokens that rows really have: padding does not
count. Legal is what trains on all of every row, about as many rows a step: TRL's own limit of 1,024 tokens would cut
answers off. Best is the fastest of a few such settings, chosen anew in each run.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import datasets
import torch
import transformers

from benchmarks.told import tell
from benchmarks.training.scene import MEDIAN, P95, Lengths, qwen, rows, small
from benchmarks.training.turns import Clock, Turn, ours, timed, trl
from flywheel.settings import Recipe, Step
from flywheel.training.chip import ceiling, work
from flywheel.training.rows import Row
from flywheel.training.trainer import load

LENGTHS = Lengths(median=MEDIAN, p95=P95, most=4096)
TRIAL = Lengths(median=40, p95=100, most=200)
"""Of a run without a GPU, which only shows that the code works."""
BATCH = 16
COMMON = {"report_to": "none", "disable_tqdm": True, "save_strategy": "no", "logging_steps": 1, "max_length": None}
DEFAULTS: dict[str, dict[str, Any]] = {"as TRL comes": {}}
LEGAL: dict[str, dict[str, Any]] = {
    "8 rows at a time": {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 2},
    "no checkpointing": {"per_device_train_batch_size": 4, "gradient_checkpointing": False},
}
PACKED = {"packing": True, "max_length": 4096, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 1}
"""A bin of 4,096 tokens holds some seven rows."""
ONLY: dict[str, dict[str, dict[str, Any]]] = {
    "sft": {
        "packed": PACKED,
        "alike lengths together": {"per_device_train_batch_size": 8, "train_sampling_strategy": "group_by_length"},
    },
    "dpo": {"reference before": {"precompute_ref_log_probs": True}},
}
"""What one of the two trainers alone can do."""


def main() -> None:
    read = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    read.add_argument("--shapes", nargs="+", default=["0.5B", "1.5B"])
    read.add_argument("--rows", type=int, default=256)
    read.add_argument("--rounds", type=int, default=3)
    asked = read.parse_args()
    if not torch.cuda.is_available() and asked.shapes != ["small"]:
        tell("skipped: torch sees no GPU here (`--shapes small` tries the code without one and measures nothing)")
        sys.exit(0)
    transformers.logging.set_verbosity_error()
    datasets.disable_progress_bars()
    tell(f"{torch.cuda.get_device_name() if torch.cuda.is_available() else 'no GPU'}, torch {torch.__version__}")
    for shape in asked.shapes:
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            folder = Path(name) / "model"
            start = small(folder, hidden=64, layers=1) if shape == "small" else qwen(folder, shape)
            for phase, kind in (("sft", "demonstrations"), ("dpo", "pairs")):
                lengths = TRIAL if shape == "small" else LENGTHS
                beside(shape, phase, start, rows(kind, asked.rows, lengths), asked.rounds)


def beside(shape: str, phase: str, start: Path, some: list[Row], rounds: int) -> None:
    """One line a contestant; the best of TRL's legal settings is the one with the best median."""
    recipe = Recipe(**{phase: Step(learning_rate=1e-6, batch=BATCH)}, max_length=8192)
    contestants: dict[str, Callable[[Path], Clock]] = {"ours": partial(ours, phase, start, some, recipe)}
    for name, settings in (DEFAULTS | LEGAL | ONLY[phase]).items():
        contestants[f"TRL: {name}"] = partial(_bare, phase, start, some, settings)
    turns: dict[str, list[Turn]] = {name: [] for name in contestants}
    for number in range(rounds):
        for name in list(contestants)[:: 1 if number % 2 else -1]:
            try:
                turns[name].append(timed(contestants[name]))
            except torch.OutOfMemoryError:
                tell(f"  {name}: out of memory")
    needed = work(load(start), phase, lora=False)
    for name, taken in turns.items():
        if taken:
            tell(line(f"{shape} {phase} {name}", taken, tokens=_tokens(phase, some), needed=needed, mine=turns["ours"]))


def line(name: str, taken: list[Turn], *, tokens: float, needed: float, mine: list[Turn]) -> str:
    """The first step warms up and is not in the seconds, so its tokens are not counted either."""
    rate = tokens / median(one.seconds for one in taken)
    share = f"{rate * needed / ceiling():6.1%} of the ceiling" if torch.cuda.is_available() else ""
    ratios = sorted(other.seconds / own.seconds for other, own in zip(taken, mine, strict=False))
    beside = f"ours is {median(ratios):.2f} times as fast ({ratios[0]:.2f} to {ratios[-1]:.2f}, n = {len(ratios)})"
    return f"{name:42} {rate:10,.0f} tokens/s {share} {max(one.memory_gb for one in taken):6.1f} GB  {beside}"


def _bare(phase: str, start: Path, some: list[Row], settings: dict[str, Any], folder: Path) -> Clock:
    """Steps of the same rows, whatever the settings take at a time; all else is TRL's own."""
    at_once = settings.get("per_device_train_batch_size", 8)
    given = {"gradient_accumulation_steps": max(1, BATCH // at_once), "use_cpu": not torch.cuda.is_available()}
    if not torch.cuda.is_available():
        given |= {"bf16": False}
    return trl(phase, start, some, COMMON | {"output_dir": str(folder), "learning_rate": 1e-6} | given | settings)


def _tokens(phase: str, some: list[Row]) -> float:
    """Of all steps but the first; a pair's prompt is needed with each side."""
    said = [row[name][0]["content"] for row in some for name in ("completion", "chosen", "rejected") if name in row]
    sides = 2 if phase == "dpo" else 1
    prompts = [row["prompt"][0]["content"] for row in some for _ in range(sides)]
    return sum(map(len, [*said, *prompts])) * (1 - BATCH / len(some))


if __name__ == "__main__":
    main()
