"""The checkpoints that one training offers, one at the end of each epoch: written, measured, and kept or dropped.

On disk are never more than the one kept so far, the one that the phase under way began from, the newest, and one being
written. Which is kept is decided in `choice`; what a killed run is taken up from, in `resuming`.
"""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from transformers import PrinterCallback, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from flywheel.process import Report
from flywheel.training.choice import ENOUGH, Measured, replaces
from flywheel.training.development import Development
from flywheel.training.resuming import Resume
from flywheel.training.tracking import Track
from flywheel.training.trainer import save


@dataclass(frozen=True, eq=False)
class Offer:
    """One checkpoint and what the development rows say of it; nothing where they are too few."""

    number: int
    name: str
    folder: Path
    measured: Measured | None


class Offers:
    """Of one training, in the order they are made; `folder` is where they lie."""

    def __init__(
        self,
        folder: Path,
        development: Development,
        *,
        history: list[dict[str, Any]],
        report: Report,
        track: Track,
        resume: Resume,
    ) -> None:
        self.folder, self.development, self.history = folder, development, history
        self.report, self.track, self.resume = report, track, resume
        self.start: Measured | None = None
        self.kept: Offer | None = None
        self.newest: Offer | None = None
        self.began: Offer | None = None
        """What the phase under way began from."""

    def beginning(self, phase: str, start: Path) -> Path:
        """Where the phase begins: the last that was offered before it; once it is under way, that stays."""
        if self.resume.phase != phase:
            self.began = self.newest
        return self.began.folder if self.began else start

    def begin(self, model: Any) -> None:
        """Measure the start, which is what the first trainer holds before its first step."""
        if self.development.enough and self.start is None:
            self.start = self.development.start(model)
            self._tell({"phase": "start", "step": 0, "checkpoint": 0, "name": "start"}, self.start)

    def add(self, trainer: Trainer, phase: str, *, epoch: float, step: int) -> None:
        """What the trainer holds now."""
        number, earlier = 1 + (self.newest.number if self.newest else 0), self.needed()
        folder = save(trainer, self.folder / f"{phase}-{number}")
        measured = self.development.measured(trainer.model) if self.development.enough else None
        self.newest = Offer(number, f"{phase} epoch {epoch:g}", folder, measured)
        if self._is_better(self.newest):
            self.kept = self.newest
        if trainer.accelerator.is_main_process:
            for dropped in earlier - self.needed():
                shutil.rmtree(dropped.folder)
        if measured:
            point = {"phase": phase, "step": step, "checkpoint": number, "name": self.newest.name}
            self._tell(point, measured)

    def needed(self) -> set[Offer]:
        """Those whose folders stay."""
        return {offer for offer in (self.kept, self.newest, self.began) if offer}

    def state(self) -> dict[str, Any]:
        """All of it but the folders, to be written down."""
        offers = {"kept": self.kept, "newest": self.newest, "began": self.began}
        return {
            "before": self.development.before,
            "start": self.start and asdict(self.start),
            "history": self.history,
            "offers": {name: _told(offer) for name, offer in offers.items() if offer},
        }

    def take_up(self, state: dict[str, Any]) -> None:
        """As it was when this was written; the folders lie where they lay."""
        self.development.before, self.history[:] = state["before"], state["history"]
        self.start = Measured(**state["start"]) if state["start"] else None
        by_number = {told["number"]: self._offer(told) for told in state["offers"].values()}
        for name, told in state["offers"].items():
            setattr(self, name, by_number[told["number"]])

    def chosen(self) -> tuple[Path, dict[str, Any]]:
        """The folder of the checkpoint that was chosen; and which it is, of how many, why, with its numbers."""
        assert self.kept is not None  # a training has at least one phase, a phase at least one epoch
        assert self.newest is not None
        told = {"chosen": self.kept.name, "checkpoint": self.kept.number, "checkpoints": self.newest.number}
        if not (self.start and self.kept.measured):
            few = f"{self.development.rows} where {ENOUGH} are needed"
            return self.kept.folder, told | {"why": f"too few development rows to choose ({few}): the last one is kept"}
        found = "better" if self.kept.measured.better_than(self.start) else "no checkpoint is better"
        why = {"why": f"{found} than the start on the development rows"}
        return self.kept.folder, told | why | self.kept.measured.told()

    def _offer(self, told: dict[str, Any]) -> Offer:
        measured = Measured(**told["measured"]) if told["measured"] else None
        return Offer(told["number"], told["name"], self.folder / told["folder"], measured)

    def _is_better(self, newest: Offer) -> bool:
        if not (self.start and self.kept and self.kept.measured and newest.measured):
            return True
        return replaces(newest.measured, self.kept.measured, self.start)

    def _tell(self, point: dict[str, Any], measured: Measured) -> None:
        numbers = measured.told()
        self.history.append(point | numbers)
        self.track.log(numbers, point["checkpoint"])
        self.report("development", **{name.split("/")[1]: value for name, value in numbers.items()})


class Offering(TrainerCallback):
    """Of one phase: the start before it, a checkpoint after each of its epochs."""

    def __init__(self, trainer: Trainer, phase: str, offers: Offers) -> None:
        self.trainer, self.phase, self.offers = trainer, phase, offers

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.offers.begin(self.trainer.model)

    def on_epoch_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.offers.add(self.trainer, self.phase, epoch=round(state.epoch or 0, 2), step=state.global_step)


def learn(trainer: Trainer, phase: str, offers: Offers) -> None:
    """Train, from where a killed run was saved if it was, offering what comes of each epoch."""
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Offering(trainer, phase, offers))
    with offers.resume.learning(trainer, phase, offers) as saved:
        trainer.train(resume_from_checkpoint=saved)


def _told(offer: Offer) -> dict[str, Any]:
    measured = offer.measured and asdict(offer.measured)
    return {"number": offer.number, "name": offer.name, "folder": offer.folder.name, "measured": measured}
