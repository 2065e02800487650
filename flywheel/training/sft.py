"""Supervised fine-tuning: the model learns to say what the demonstrations say. The loss is on the answer only."""

from pathlib import Path

from datasets import Dataset
from transformers import TrainerCallback
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from flywheel.settings import Recipe
from flywheel.training.offers import Offers, learn
from flywheel.training.rows import Row
from flywheel.training.trainer import Coder, arguments, load


def sft(start: Path, rows: list[Row], recipe: Recipe, *, coder: Coder, watch: TrainerCallback, offers: Offers) -> None:
    """Offer the checkpoints made from `start`."""
    trainer = SFTTrainer(
        model=load(start),
        args=SFTConfig(completion_only_loss=True, **arguments(recipe.sft, recipe, len(rows), offers.folder)),
        train_dataset=Dataset.from_list(rows),
        processing_class=coder.tokenizer,
        callbacks=[watch],
    )
    coder.require_stop(trainer.train_dataset, "labels")
    learn(trainer, "sft", offers)
