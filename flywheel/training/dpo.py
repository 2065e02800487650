"""Direct preference optimisation: the model learns to prefer what people chose, held to where it started."""

from pathlib import Path

from datasets import Dataset
from transformers import TrainerCallback
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

from flywheel.settings import Recipe
from flywheel.training.offers import Offers, learn
from flywheel.training.rows import Row
from flywheel.training.trainer import Coder, arguments, load


def dpo(start: Path, rows: list[Row], recipe: Recipe, *, coder: Coder, watch: TrainerCallback, offers: Offers) -> None:
    """Offer the checkpoints made from `start`."""
    trainer = DPOTrainer(
        model=load(start),
        ref_model=load(start),  # said out loud: left to itself TRL loads it from wherever the weights once came from
        args=DPOConfig(beta=recipe.beta, **arguments(recipe.dpo, recipe, len(rows), offers.folder)),
        train_dataset=Dataset.from_list(rows),
        processing_class=coder.tokenizer,
        callbacks=[watch],
    )
    coder.require_stop(trainer.train_dataset, "chosen_ids")
    learn(trainer, "dpo", offers)
