"""Direct preference optimisation: the model learns to prefer what people chose, held to where it started.

DPO alone makes both sides less probable. Where a person wrote the chosen side, some of SFT's loss on it goes in, so
that what they wrote is also what the model comes to say.
"""

from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch.nn.functional import logsigmoid
from transformers import TrainerCallback
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

from flywheel.settings import Recipe
from flywheel.training.lora import adapter
from flywheel.training.offers import Offers, learn
from flywheel.training.rows import Row
from flywheel.training.trainer import Coder, arguments, load
from flywheel.training.weights import Batch, Weighted, answered


class WeightedDPO(Weighted, DPOTrainer):
    """TRL's sigmoid loss by row; TRL's own numbers are told of the same forward pass."""

    carried = ("weight", "written")

    def __init__(self, *args: Any, sft_share: float = 0.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sft_share = sft_share
        self.precompute_ref_logps = True  # from here on TRL finds them in the batch

    def compute_loss(
        self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        weight, written = inputs.pop("weight"), inputs.pop("written")
        before = self.compute_ref_log_probs(self.ref_model or self.model, inputs)
        inputs["ref_chosen_logps"], inputs["ref_rejected_logps"] = before
        asked = {"use_cache": False, "output_router_logits": True} if self.aux_loss_enabled else {"use_cache": False}
        learned = inputs["completion_mask"]
        outputs = model(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            labels=inputs["input_ids"].masked_fill(learned == 0, -100),
            fused_lm_head=True,
            **asked,
        )
        chosen, rejected = outputs.log_probs.sum(dim=1).chunk(2)
        losses = -logsigmoid(self.beta * (chosen - before[0] - (rejected - before[1])))
        tokens = learned[:, 1:].sum(dim=1).clamp(min=1).chunk(2)[0]
        loss = (weight * (losses - self.sft_share * written * chosen / tokens)).mean()
        if self.aux_loss_enabled:
            loss = loss + self.router_aux_loss_coef * outputs.aux_loss
        with torch.no_grad():
            super().compute_loss(answered(outputs), inputs)
        return (loss, outputs) if return_outputs else loss


def dpo(start: Path, rows: list[Row], recipe: Recipe, *, coder: Coder, watch: TrainerCallback, offers: Offers) -> None:
    """Offer the checkpoints made from `start`."""
    small = adapter(recipe)
    trainer = WeightedDPO(
        model=load(start),
        # Said out loud: left to itself TRL loads it from wherever the weights once came from. An adapter is put aside.
        ref_model=None if small else load(start),
        args=DPOConfig(beta=recipe.beta, **arguments(recipe.dpo, recipe, len(rows), offers.folder)),
        train_dataset=Dataset.from_list(rows),
        processing_class=coder.tokenizer,
        callbacks=[watch],
        peft_config=small,
        sft_share=recipe.sft_share,
    )
    coder.require_stop(trainer.train_dataset, "chosen_ids")
    learn(trainer, "dpo", offers)
