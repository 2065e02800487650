"""A reward model: from pairs it learns one number for an answer, which the gate may score with. It is no candidate."""

from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch.nn.functional import logsigmoid
from transformers import AutoModelForSequenceClassification, TrainerCallback, set_seed
from trl.trainer.reward_config import RewardConfig
from trl.trainer.reward_trainer import RewardTrainer, suppress_seqcls_warning

from flywheel.settings import Recipe
from flywheel.training.lora import adapter
from flywheel.training.offers import Offers, learn
from flywheel.training.rows import Row
from flywheel.training.trainer import Coder, arguments
from flywheel.training.weights import Batch, Weighted, answered


class WeightedReward(Weighted, RewardTrainer):
    """TRL's loss by row; TRL's own numbers are told of the same forward pass."""

    def compute_loss(
        self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        weight = inputs.pop("weight")
        outputs = model(**inputs, use_cache=False)
        chosen, rejected = outputs.logits.squeeze(-1).chunk(2)
        loss = (weight * -logsigmoid(chosen - rejected)).mean()
        with torch.no_grad():
            super().compute_loss(answered(outputs), inputs)
        return (loss, outputs) if return_outputs else loss


def reward(
    start: Path, rows: list[Row], recipe: Recipe, *, coder: Coder, watch: TrainerCallback, offers: Offers
) -> None:
    """Offer the reward models made from `start`."""
    trainer = WeightedReward(
        model=load_reward(start, coder, seed=recipe.seed),
        args=RewardConfig(**arguments(recipe.reward, recipe, len(rows), offers.folder)),
        train_dataset=Dataset.from_list(rows),
        processing_class=coder.tokenizer,
        callbacks=[watch],
        peft_config=adapter(recipe, reward=True),
    )
    learn(trainer, "reward", offers)


def load_reward(folder: Path, coder: Coder, *, seed: int) -> Any:
    """With a head of one number; where the folder has none it is drawn by the seed."""
    set_seed(seed)
    with suppress_seqcls_warning():
        model = AutoModelForSequenceClassification.from_pretrained(
            folder, num_labels=1, dtype=torch.float32, use_safetensors=True, trust_remote_code=False
        )
    model.config.pad_token_id = coder.tokenizer.pad_token_id
    return model
