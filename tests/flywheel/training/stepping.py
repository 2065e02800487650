"""One real optimizer step of each trainer, for tests of what a row counts for.

The step is plain gradient descent in double precision, so that what moved is the gradient. As a program it takes the
steps of all recipes under several ranks and leaves the weights after them in a folder.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from safetensors.torch import save_file
from transformers import Trainer
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.kto_config import KTOConfig
from trl.trainer.kto_trainer import KTOTrainer
from trl.trainer.reward_config import RewardConfig
from trl.trainer.reward_trainer import RewardTrainer
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from flywheel.training.dpo import WeightedDPO
from flywheel.training.kto import WeightedKTO
from flywheel.training.reward import WeightedReward, load_reward
from flywheel.training.rows import Row
from flywheel.training.sft import WeightedSFT
from flywheel.training.trainer import Coder, load
from tests import tiny

Moved = dict[str, torch.Tensor]
RECIPES = ["sft", "dpo", "kto", "reward"]
OURS = {"sft": WeightedSFT, "dpo": WeightedDPO, "kto": WeightedKTO, "reward": WeightedReward}
THEIRS = {"sft": SFTTrainer, "dpo": DPOTrainer, "kto": KTOTrainer, "reward": RewardTrainer}
CONFIGS = {"sft": SFTConfig, "dpo": DPOConfig, "kto": KTOConfig, "reward": RewardConfig}
UNEVEN = [0.1, 1, 0.5, 0.2, 0.9, 0.7, 0.3, 0.6]


def rows(recipe: str, weights: list[float], *, written: list[bool] | None = None) -> list[Row]:
    """Row i always says the same, and no two are of one length."""
    return [
        {
            "prompt": json.loads(tiny.prompt(index)),
            **{side: [{"role": "assistant", "content": text}] for side, text in _sides(recipe, index)},
            "weight": weight,
            **({"label": index % 3 != 0} if recipe == "kto" else {}),
            **({"written": bool(written and written[index])} if recipe == "dpo" else {}),
        }
        for index, weight in enumerate(weights)
    ]


def _sides(recipe: str, index: int) -> list[tuple[str, str]]:
    good, bad = "yes of course " * (1 + index % 4), f"No {tiny.NAMES[index % 8]}." * (1 + index % 3)
    return [("completion", good)] if recipe in ("sft", "kto") else [("chosen", good), ("rejected", bad)]


def step(
    model: Path,
    other: Path,
    out: Path,
    recipe: str,
    taught: list[Row],
    *,
    micro: int = 16,
    kinds: Any = OURS,
    **more: Any,
) -> Moved:
    """One optimizer step over all rows, cut into micro-batches of `micro`; the weights after it, and the loss told.

    DPO's losses differ by row only where the model is not the reference: that is the `other` one.
    """
    coder, ranks = Coder(model), int(os.environ.get("WORLD_SIZE", "1"))
    beside: dict[str, Any] = {"beta": 0.3} if recipe in ("dpo", "kto") else {}
    if recipe == "sft":
        beside["completion_only_loss"] = True
    args = CONFIGS[recipe](
        output_dir=str(out),
        optim="sgd",
        learning_rate=1.0,
        lr_scheduler_type="constant",
        max_grad_norm=0.0,
        num_train_epochs=1,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=-(-len(taught) // (micro * ranks)),
        max_length=None,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        logging_steps=1,
        **beside,
    )
    learner = load_reward(model, coder, seed=0) if recipe == "reward" else load(model)
    held = {"dpo": {"ref_model": load(other).double()}, "kto": {"ref_model": load(model).double()}}
    trainer: Trainer = kinds[recipe](
        model=learner.double(),
        args=args,
        train_dataset=Dataset.from_list(taught),
        processing_class=coder.tokenizer,
        **held.get(recipe, {}),
        **more,
    )
    trainer.train()
    assert trainer.state.global_step == 1
    told = {"loss": torch.tensor(trainer.state.log_history[0]["loss"])}
    return told | {name: weight.detach().clone() for name, weight in learner.named_parameters()}


if __name__ == "__main__":
    model, other, out = (Path(given) for given in sys.argv[1:])
    for recipe in RECIPES:
        moved = step(model, other, out, recipe, rows(recipe, UNEVEN), micro=2)
        if os.environ["RANK"] == "0":
            save_file(moved, out / f"{recipe}.safetensors")
