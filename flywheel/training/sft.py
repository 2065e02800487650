"""Supervised fine-tuning: the model learns to say what the demonstrations say. The loss is on the answer only."""

from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import TrainerCallback
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from flywheel.settings import Recipe
from flywheel.training.lora import adapter
from flywheel.training.offers import Offers, learn
from flywheel.training.rows import Row
from flywheel.training.trainer import Coder, arguments, load
from flywheel.training.weights import Batch, Weighted


class WeightedSFT(Weighted, SFTTrainer):
    """Each learned token counts by the weight of its row: TRL's mean over the step's tokens is the weighted one."""

    loss_is_scaled_for_ga = True

    def compute_loss(
        self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        weight = inputs.pop("weight")

        def weighed(**asked: Any) -> Any:
            outputs = model(**asked)
            outputs.log_probs = outputs.log_probs * weight[:, None]
            return outputs

        stand_in: Any = weighed
        return super().compute_loss(stand_in, inputs, return_outputs, num_items_in_batch)

    def _weigh(self, batches: list[Batch]) -> torch.Tensor:
        learned = [(batch["labels"][:, 1:] != -100).sum(dim=1) for batch in batches]
        tokens = self._in_all(sum(each.sum() for each in learned))
        counted = zip(batches, learned, strict=True)
        whole = self._in_all(sum((batch["weight"] * each).sum() for batch, each in counted))
        for batch in batches:
            batch["weight"] = batch["weight"] * tokens / whole
        return tokens


def sft(start: Path, rows: list[Row], recipe: Recipe, *, coder: Coder, watch: TrainerCallback, offers: Offers) -> None:
    """Offer the checkpoints made from `start`."""
    trainer = WeightedSFT(
        model=load(start),
        args=SFTConfig(**arguments(recipe.sft, recipe, len(rows), offers.folder)),
        train_dataset=Dataset.from_list([_tokens(coder, row) for row in rows]),
        processing_class=coder.tokenizer,
        callbacks=[watch],
        peft_config=adapter(recipe),
    )
    learn(trainer, "sft", offers)


def _tokens(coder: Coder, row: Row) -> dict[str, Any]:
    """As the loss sees it: of a run what its assistant says, never what a tool answered."""
    said = coder.said(row, "completion")
    return {"input_ids": said.tokens, "labels": said.labels, "weight": row["weight"]}
