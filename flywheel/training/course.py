"""The phases of one run, each from where the one before it ended: what each learns from, who watches it, what is left.

Which phases there are is decided in `phases`, how one learns in its own module, what a killed run goes on from in
`resuming`.
"""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import set_seed

from flywheel.process import Report
from flywheel.settings import Recipe
from flywheel.training.answers import Answers
from flywheel.training.development import Development
from flywheel.training.dpo import dpo
from flywheel.training.kto import kto
from flywheel.training.offers import Offers
from flywheel.training.phases import KINDS, Phase
from flywheel.training.resuming import Resume
from flywheel.training.reward import reward
from flywheel.training.rows import Rows
from flywheel.training.sft import sft
from flywheel.training.tracking import Track
from flywheel.training.trainer import Coder
from flywheel.training.trial import Planned
from flywheel.training.watch import Watch

LEARN: dict[Phase, Callable[..., None]] = {"sft": sft, "dpo": dpo, "kto": kto, "reward": reward}


def planned(phases: Sequence[Phase], rows: Rows, recipe: Recipe) -> tuple[Planned, ...]:
    """Each phase with what it learns from."""
    replay = {"sft": rows.replay}
    return tuple(
        Planned(phase, LEARN[phase], [*getattr(rows, KINDS[phase]), *replay.get(phase, [])], getattr(recipe, phase))
        for phase in phases
    )


class Done(NamedTuple):
    """What the phases of a run left."""

    folder: Path
    history: list[dict[str, Any]]
    metrics: dict[str, Any]


@dataclass(frozen=True)
class Course:
    """Of one run, from its start."""

    start: Path
    recipe: Recipe
    phases: tuple[Planned, ...]
    rows: Rows
    coder: Coder
    report: Report
    track: Track
    resume: Resume

    def run(self) -> Done:
        """The phases; out of memory, again from where it was saved with less of a step at a time."""
        while True:
            try:
                return self._learned()
            except torch.OutOfMemoryError:
                self.resume.halve()
            gc.collect()
            torch.cuda.empty_cache()

    def _learned(self) -> Done:
        """The folder that is left is that of the checkpoint chosen among all that were offered."""
        history: list[dict[str, Any]] = []
        told: dict[str, Any] = {"history": history, "report": self.report, "track": self.track}
        names: tuple[Phase, ...] = tuple(one.phase for one in self.phases)
        development, answers = Development(names, self.rows, self.coder, self.recipe), Answers(self.rows, self.coder)
        offers = Offers(self.resume.folder, development, **told, resume=self.resume)
        self.resume.take_up(offers)
        watched = {"recipe": self.recipe, "development": development, "answers": answers, **told}
        for one in self.phases:
            if one.phase not in self.resume.done:
                watch = Watch(one.phase, rows=len(one.rows), epochs=one.step.epochs, **watched)
                begin = offers.beginning(one.phase, self.start)
                set_seed(self.recipe.seed)  # before anything is made by chance: an adapter, a reward model's head
                one.learn(begin, one.rows, self.recipe, coder=self.coder, watch=watch, offers=offers)
        folder, chosen = offers.chosen()
        self.track.log({"chosen": chosen["checkpoint"]}, chosen["checkpoint"])
        final = {f"{point['phase']}/loss": point["loss"] for point in history if "loss" in point}
        return Done(folder, history, final | chosen)
