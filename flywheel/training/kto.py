"""Kahneman-Tversky optimisation: opinions on single answers make them more probable or less, held to the start.

How far the batch as a whole has moved is an estimate that teaches nothing itself, and knows no weights.
"""

import random
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import TrainerCallback
from trl.trainer.kto_config import KTOConfig
from trl.trainer.kto_trainer import KTOTrainer

from flywheel.settings import Recipe
from flywheel.training.lora import adapter
from flywheel.training.offers import Offers, learn
from flywheel.training.rows import Row
from flywheel.training.trainer import Coder, arguments, load
from flywheel.training.weights import Batch, Weighted

PRAISE = 7 / 13
"""What the desirable side counts for, of both: between a half and four sevenths, where the authors of KTO found it
works."""


class WeightedKTO(Weighted, KTOTrainer):
    """TRL multiplies each side's losses by a number of that side; here it is one number a row."""

    def compute_loss(
        self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        settings: Any = self.args
        weight, desirable = inputs.pop("weight"), inputs["label"].bool()
        self.desirable_weight: Any = settings.desirable_weight * weight[desirable]
        self.undesirable_weight: Any = settings.undesirable_weight * weight[~desirable]
        return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)


def sides(rows: list[Row]) -> tuple[float, float]:
    """What a desirable and an undesirable row are multiplied by, so that neither side drowns the other."""
    desirable = sum(row["weight"] for row in rows if row["label"])
    undesirable = sum(row["weight"] for row in rows if not row["label"])
    if not (desirable and undesirable):
        return 1.0, 1.0
    whole = desirable + undesirable
    return PRAISE * whole / desirable, (1 - PRAISE) * whole / undesirable


def kto(start: Path, rows: list[Row], recipe: Recipe, *, coder: Coder, watch: TrainerCallback, offers: Offers) -> None:
    """Offer the checkpoints made from `start`."""
    small, (desirable, undesirable) = adapter(recipe), sides(rows)
    mixed = random.Random(recipe.seed).sample(rows, len(rows))  # TRL takes them as they come, neighbours together
    given = arguments(recipe.kto, recipe, len(rows), offers.folder)
    given["per_device_train_batch_size"] = max(2, given["per_device_train_batch_size"])  # a row needs a neighbour
    trainer = WeightedKTO(
        model=load(start),
        ref_model=None if small else load(start),
        args=KTOConfig(beta=recipe.beta, desirable_weight=desirable, undesirable_weight=undesirable, **given),
        train_dataset=Dataset.from_list(mixed),
        processing_class=coder.tokenizer,
        callbacks=[watch],
        peft_config=small,
    )
    coder.require_stop(trainer.train_dataset, "completion_ids")
    learn(trainer, "kto", offers)
