"""One training of one contestant, timed between its first and its last step: ours as a run trains a phase, or bare TRL.

What is timed is what repeats: steps, their logs, the watch. Loading, preflight and checkpoints are not in it.
"""

import gc
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from flywheel.settings import Recipe
from flywheel.training.answers import Answers
from flywheel.training.chip import memory_gb
from flywheel.training.development import Development
from flywheel.training.dpo import dpo
from flywheel.training.rows import Row, Rows
from flywheel.training.sft import sft
from flywheel.training.tracking import Track
from flywheel.training.trainer import Coder, arguments, load
from flywheel.training.trial import Nowhere
from flywheel.training.watch import Watch

Settings = dict[str, Any]


class Turn(NamedTuple):
    """What one training took."""

    seconds: float
    processor: float
    loss: float
    memory_gb: float


class Clock(TrainerCallback):
    """From the end of the first step, which warms up, to the end of the training."""

    def __init__(self) -> None:
        self.began = self.busy = self.seconds = self.processor = 0.0
        self.losses: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 1:
            self._wait()
            self.began, self.busy = time.perf_counter(), time.process_time()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        self.losses += [logs["loss"]] if "loss" in logs else []

    def on_train_end(self, *_: Any, **__: Any) -> None:
        self._wait()
        self.seconds, self.processor = time.perf_counter() - self.began, time.process_time() - self.busy

    def _wait(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()


class Both(TrainerCallback):
    """Two watches in the place of one."""

    def __init__(self, *callbacks: TrainerCallback) -> None:
        for event in ("on_train_begin", "on_step_end", "on_epoch_end", "on_log", "on_train_end"):
            setattr(self, event, self._all(event, callbacks))

    def _all(self, event: str, callbacks: tuple[TrainerCallback, ...]) -> Callable[..., None]:
        def call(*args: Any, **kwargs: Any) -> None:
            for callback in callbacks:
                getattr(callback, event)(*args, **kwargs)

        return call


def ours(phase: str, start: Path, some: list[Row], recipe: Recipe, folder: Path) -> Clock:
    coder, clock, step = Coder(start), Clock(), getattr(recipe, phase)
    none = Rows(**{name: [] for name in Rows._fields})
    watch = Watch(
        phase,
        rows=len(some),
        epochs=step.epochs,
        recipe=recipe,
        development=Development(none, coder, recipe),
        answers=Answers(none, coder),
        history=[],
        report=lambda message, **numbers: None,
        track=Track(),
    )
    learn = sft if phase == "sft" else dpo
    learn(start, some, recipe, coder=coder, watch=Both(clock, watch), offers=Nowhere(folder))  # pyright: ignore
    return clock


def bare(phase: str, start: Path, some: list[Row], recipe: Recipe, folder: Path) -> Clock:
    """TRL's own trainer with the same settings."""
    settings = arguments(getattr(recipe, phase), recipe, len(some), folder)
    return trl(phase, start, some, settings | ({"beta": recipe.beta} if phase == "dpo" else {}))


def trl(phase: str, start: Path, some: list[Row], settings: Settings) -> Clock:
    """TRL's own trainer with any settings."""
    coder, clock = Coder(start), Clock()
    plain = [{name: said for name, said in row.items() if name not in ("weight", "written")} for row in some]
    more = {"train_dataset": Dataset.from_list(plain), "processing_class": coder.tokenizer, "callbacks": [clock]}
    if phase == "sft":
        trainer: Any = SFTTrainer(model=load(start), args=SFTConfig(completion_only_loss=True, **settings), **more)
    else:
        trainer = DPOTrainer(model=load(start), ref_model=load(start), args=DPOConfig(**settings), **more)
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return clock


def timed(contestant: Callable[[Path], Clock]) -> Turn:
    """A training from the start, and what it held at most."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    with TemporaryDirectory() as folder:
        clock = contestant(Path(folder))
    return Turn(clock.seconds, clock.processor, clock.losses[-1], memory_gb())
