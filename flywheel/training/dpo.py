"""Direct preference optimisation: the model learns to prefer what people chose, held to where it started.

How often it prefers the chosen side of the development pairs is measured here, because the reference is here.
"""

from math import sqrt
from pathlib import Path
from typing import Any, NamedTuple

import torch
from datasets import Dataset
from transformers import TrainerCallback
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

from flywheel.settings import Recipe
from flywheel.training.rows import Row
from flywheel.training.trainer import Coder, arguments, learn, load


class Accuracy(NamedTuple):
    """The share of pairs whose chosen side gained on the rejected one, a tie counting half; Wilson's 95 % interval."""

    pairs: int
    value: float
    low: float
    high: float


def dpo(
    start: Path,
    rows: list[Row],
    recipe: Recipe,
    *,
    development: list[Row],
    coder: Coder,
    watch: TrainerCallback,
    out: Path,
) -> dict[str, Accuracy]:
    """The checkpoint in `out`, made from `start`, with its accuracy on the development pairs before and after."""
    trainer = DPOTrainer(
        model=load(start),
        ref_model=load(start),  # said out loud: left to itself TRL loads it from wherever the weights once came from
        args=DPOConfig(beta=recipe.beta, **arguments(recipe.dpo, recipe, len(rows), out)),
        train_dataset=Dataset.from_list(rows),
        eval_dataset=Dataset.from_list(development) if development else None,
        processing_class=coder.tokenizer,
        callbacks=[watch],
    )
    coder.require_stop(trainer.train_dataset, "chosen_ids")
    before = accuracy(trainer) if development else None
    learn(trainer, out)
    after = accuracy(trainer) if development else None
    return {"before": before, "after": after} if before and after else {}


def accuracy(trainer: DPOTrainer) -> Accuracy:
    """How the model stands to the reference on the development pairs now."""
    gains: list[torch.Tensor] = []
    for batch in trainer.get_eval_dataloader():
        now, start = (_margin(trainer, model, batch) for model in (trainer.model, trainer.ref_model))
        gains += trainer.accelerator.gather_for_metrics(now - start)
    gain = torch.stack(gains)
    return wilson(((gain > 0).double() + 0.5 * (gain == 0).double()).mean().item(), len(gain))


def wilson(share: float, n: int) -> Accuracy:
    z2 = 1.96**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return Accuracy(n, share, centre - half, centre + half)


def _margin(trainer: DPOTrainer, model: Any, batch: Any) -> torch.Tensor:
    chosen, rejected = trainer.compute_ref_log_probs(model, batch)
    return chosen - rejected
