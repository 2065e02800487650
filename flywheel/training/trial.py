"""Two real steps of a phase that leave nothing behind: what its loss sees, how long a step takes, what memory it holds.

A phase is tried by its own function on a few rows; what stands in for its watch and its offers is here. What is made
of it belongs in `preflight`.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import TrainerCallback

from flywheel.settings import Recipe, Step
from flywheel.training.chip import memory_gb
from flywheel.training.phases import Phase
from flywheel.training.rows import Row
from flywheel.training.trainer import ON_GPU, Coder


class Planned(NamedTuple):
    """A phase that is to be run: its function, its rows, its knobs."""

    phase: Phase
    learn: Callable[..., None]
    rows: Sequence[Row]
    step: Step


class Tried(NamedTuple):
    """What two steps have shown; the batch is what the loss sees, as the trainer's own collator made it."""

    seconds: float
    memory_gb: float
    batch: dict[str, Any]


def tried(planned: Planned, rows: list[Row], start: Path, recipe: Recipe, coder: Coder) -> Tried:
    """The first step warms up, the second is timed; random states are afterwards what they were."""
    step = planned.step.model_copy(update={"epochs": 2, "batch": len(rows)})
    short, watch = recipe.model_copy(update={planned.phase: step}), Stopwatch()
    if ON_GPU:
        torch.cuda.reset_peak_memory_stats()
    with TemporaryDirectory() as folder, _drawn_as_before():
        planned.learn(start, rows, short, coder=coder, watch=watch, offers=Nowhere(Path(folder)))
    return Tried(watch.seconds, memory_gb(), watch.batch)


class Nowhere:
    """In place of `Offers`, and of what takes a killed run up again: nothing is measured, written or kept."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.resume = folder, self

    def begin(self, model: Any) -> None:
        """There is no run to measure the start of."""

    def add(self, trainer: Any, phase: str, *, epoch: float, step: int) -> None:
        """What two steps have learned is of no use."""

    @contextmanager
    def learning(self, *_: Any) -> Iterator[None]:
        yield None


class Stopwatch(TrainerCallback):
    """In place of `Watch`: the first batch, and the seconds of the last step."""

    def __init__(self) -> None:
        self.batch: dict[str, Any] = {}
        self.began = self.seconds = 0.0

    def on_train_begin(self, *_: Any, train_dataloader: Any = None, **__: Any) -> None:
        self.batch = dict(next(iter(train_dataloader)))

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.began = _now()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.seconds = _now() - self.began


def _now() -> float:
    if ON_GPU:
        torch.cuda.synchronize()
    return time.perf_counter()


@contextmanager
def _drawn_as_before() -> Iterator[None]:
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        yield
    random.setstate(python)
    np.random.set_state(numpy)
