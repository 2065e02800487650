"""How a run that was killed goes on where it was, to the same bits: what is saved of it, when, and how it comes back.

Weights, optimizer, schedule, random states and the place in the data are the trainer's own to write and to load. Beside
them lies `run.json`: what the trainer forgets (sums that its next log line is made of) and what the run knows (phases
that are done, the curve, the offers and their numbers), and the offers themselves, so that one folder holds all of it.
"""

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from flywheel.errors import TrainingFailed, Transient
from flywheel.process import Report
from flywheel.training.saving import Saves, linked
from flywheel.training.stopping import STOP

if TYPE_CHECKING:
    from flywheel.training.offers import Offers

Value = TypeVar("Value")
STATE, OFFERS, SAVED, MEMORY, AHEAD = "run.json", "offers", "saved", "memory.json", "preflight.json"
FIRST = os.environ.get("RANK", "0") == "0"  # of several processes under accelerate, the one that writes
LEAST = {"kto": 2}
"""Records at a time: KTO compares those of a batch; the others need one."""
RANKS = int(os.environ.get("WORLD_SIZE", "1"))


class Resume:
    """Of one run: which of its phases are done, what the one under way is taken up from, and how much memory it has."""

    def __init__(self, folder: Path, run: str, *, minutes: float, report: Report) -> None:
        self.folder, self.minutes, self.report = folder, minutes, report
        self.saves = Saves(folder / SAVED, run, report)
        self.done: list[str] = []
        self.phase: str | None = None
        self.sums: dict[str, Any] = {}
        self.taken: Path | None = None
        self.parts: dict[str, int] = {}
        self.batch: tuple[str, int, int] | None = None

    # ---- what was ahead ----------------------------------------------------------------------------------------------

    def ahead(self) -> dict[str, Any] | None:
        """What preflight told before the run was interrupted; nothing where no step of it was saved."""
        path, saved = self.folder / AHEAD, any(self.saves.folder.glob("[0-9]*"))
        return agreed(json.loads(path.read_text()) if FIRST and saved and path.exists() else None)

    def remember(self, ahead: dict[str, Any]) -> None:
        """For whoever takes the run up: it is not told, nor its cost judged by other seconds, a second time."""
        if FIRST:
            self._write(AHEAD, ahead)

    def _write(self, name: str, content: dict[str, Any]) -> None:
        """All of the file or nothing of it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        half = self.folder / f"{name}.{os.getpid()}"
        half.write_text(json.dumps(content))
        half.replace(self.folder / name)

    # ---- taking up ---------------------------------------------------------------------------------------------------

    def take_up(self, offers: "Offers") -> None:
        """Everything as the newest checkpoint that is whole has it; without one, a run that begins."""
        self.taken = agreed(self._lay_out() if FIRST else None)
        memory = self.folder / MEMORY
        self.parts = json.loads(memory.read_text()) if memory.exists() else {}
        if self.taken is None:
            self.done, self.phase, self.sums = [], None, {}
            return
        state = json.loads((self.taken / STATE).read_text())
        self.done, self.phase, self.sums = state["done"], state["phase"], state["sums"]
        offers.take_up(state["offers"])
        where = f"in {self.phase}" if self.phase else f"after {self.done[-1]}"
        self.report(f"taken up where it was saved, {where}", step=state["step"])
        if state["ranks"] != RANKS:
            self.report(f"it was saved by {state['ranks']} processes and goes on with {RANKS}: not to the same bits")

    def _lay_out(self) -> Path | None:
        """The folder as it was when the newest checkpoint was written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.iterdir():
            if path.name not in (SAVED, MEMORY, AHEAD):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        newest = self.saves.latest()
        for offered in sorted((newest / OFFERS).glob("*")) if newest else []:
            linked(offered, self.folder / offered.name)
        return newest

    # ---- saving ------------------------------------------------------------------------------------------------------

    @contextmanager
    def learning(self, trainer: Trainer, phase: str, offers: "Offers") -> Iterator[str | None]:
        """Around the trainer's work in one phase: gives what it goes on from, and saves what came of it."""
        self._cut(trainer, phase)
        going_on = self.taken if self.phase == phase else None
        trainer.add_callback(Saving(trainer, phase, self, offers, sums=self.sums if going_on else {}))
        STOP.learning = True
        try:
            yield str(going_on) if going_on else None
        finally:
            STOP.learning = False
        self.done.append(phase)
        self.phase = None
        if trainer.accelerator.is_main_process:
            written = self.folder / "ended"
            written.mkdir()
            self.keep(written, offers, step=trainer.state.global_step, sums={})
        trainer.accelerator.wait_for_everyone()
        STOP.check()

    def keep(self, written: Path, offers: "Offers", *, step: int, sums: dict[str, Any]) -> None:
        """What the trainer wrote, with all that belongs to it, as the newest durable checkpoint."""
        for offer in offers.needed():
            linked(offer.folder, written / OFFERS / offer.folder.name)
        state = {"phase": self.phase, "done": self.done, "step": step, "ranks": RANKS, "sums": sums}
        (written / STATE).write_text(json.dumps(state | {"offers": offers.state()}))
        self.saves.keep(written)

    # ---- memory ------------------------------------------------------------------------------------------------------

    def _cut(self, trainer: Trainer, phase: str) -> None:
        """The same rows in a step, in more and smaller batches, where they did not fit before."""
        args, parts = trainer.args, self.parts.get(phase, 1)
        args.per_device_train_batch_size //= parts
        args.gradient_accumulation_steps *= parts
        trainer._train_batch_size = args.train_batch_size
        self.batch = (phase, args.per_device_train_batch_size, args.gradient_accumulation_steps)

    def halve(self) -> None:
        """After a step that did not fit into memory; the next attempt takes smaller ones."""
        phase, size, _ = self.batch or ("", 1, 1)
        smaller = next((size // cut for cut in range(2, size + 1) if size % cut == 0), 0)
        if smaller < LEAST.get(phase, 1):
            raise TrainingFailed(
                f"the GPU's memory does not hold the model and {size} record{'s' * (size > 1)} at a time",
                do="lower the recipe's max_length, train with lora, take a smaller model, or free the GPU",
            )
        self.parts[phase] = self.parts.get(phase, 1) * size // smaller
        self._write(MEMORY, self.parts)
        self.report(f"out of memory in {phase}: {smaller} records at a time instead of {size}, as many in a step")
        if RANKS > 1:
            raise Transient("out of memory on one of several GPUs", do="run it again: it goes on with smaller batches")

    def memory(self) -> dict[str, int]:
        """By phase, into how many parts each batch was cut so that it fits."""
        return {phase: parts for phase, parts in self.parts.items() if parts > 1}


class Saving(TrainerCallback):
    """Of one phase: a durable checkpoint whenever it is time, at each epoch's end, and when somebody asks to stop."""

    def __init__(self, trainer: Trainer, phase: str, resume: Resume, offers: "Offers", *, sums: dict[str, Any]) -> None:
        self.trainer, self.phase, self.resume, self.offers, self.sums = trainer, phase, resume, offers, sums
        self.saved = 0.0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.saved = time.monotonic()
        self.resume.phase = self.phase
        if self.sums:
            _set_sums(self.trainer, self.sums)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        # What ends an epoch is saved after it: taken up from before, its offer would never be made.
        if not _ends_epoch(state) and self._due():
            control.should_save = True

    def on_epoch_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if state.global_step < state.max_steps:
            control.should_save = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        assert args.output_dir is not None
        written, sums = Path(args.output_dir) / f"checkpoint-{state.global_step}", _sums(self.trainer)
        self.trainer.accelerator.wait_for_everyone()
        if self.trainer.accelerator.is_main_process:
            (written / "training_args.bin").unlink(missing_ok=True)  # a pickle that nothing here reads
            self.resume.keep(written, self.offers, step=state.global_step, sums=sums)
        self.trainer.accelerator.wait_for_everyone()
        self.saved = time.monotonic()
        STOP.check()

    def _due(self) -> bool:
        late = time.monotonic() - self.saved >= 60 * self.resume.minutes
        late, STOP.asked = agreed((late, STOP.asked))
        return late or STOP.asked


def agreed(value: Value) -> Value:
    """Of several processes, what the first one says."""
    if RANKS == 1:
        return value
    from accelerate import PartialState
    from accelerate.utils import broadcast_object_list

    PartialState()
    box = [value]
    broadcast_object_list(box)
    return box[0]


def _ends_epoch(state: TrainerState) -> bool:
    return state.global_step >= state.max_steps or float(state.epoch or 0).is_integer()


def _sums(trainer: Any) -> dict[str, Any]:
    """What the next log line will be made of, and the trainer does not write down; over all processes."""
    told = getattr(trainer, "_metrics", {"train": {}})["train"]
    return {
        "loss": trainer.accelerator.gather(trainer._tr_loss).mean().item(),
        "loss_in_all": trainer._total_loss_scalar,
        "logged": trainer._globalstep_last_logged,
        "told": {name: list(values) for name, values in told.items()},
        "tokens": getattr(trainer, "_total_train_tokens", 0),
    }


def _set_sums(trainer: Any, sums: dict[str, Any]) -> None:
    trainer._tr_loss = torch.tensor(sums["loss"], device=trainer.args.device)
    trainer._total_loss_scalar, trainer._globalstep_last_logged = sums["loss_in_all"], sums["logged"]
    if hasattr(trainer, "_metrics"):
        trainer._metrics["train"].update({name: list(values) for name, values in sums["told"].items()})
    if hasattr(trainer, "_total_train_tokens"):
        trainer._total_train_tokens = sums["tokens"]
