"""What the phases share: how a folder is loaded, how a trainer is set up, how it becomes a folder again.

A phase starts from a folder and offers a folder after each epoch; what is particular to it lives in its own module.
"""

import json
import os
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import is_peft_model
from transformers import AutoModelForCausalLM, Trainer

from flywheel.errors import TrainingFailed
from flywheel.model import load_tokenizer, plain
from flywheel.settings import Recipe, Step
from flywheel.training.lora import save_merged
from flywheel.training.masks import Masks, Said, Unsayable
from flywheel.training.rows import SAID, Row

ON_GPU = torch.cuda.is_available()
ENDS = ("chosen", "rejected")
POINTS = 50  # of a phase's curve


class Coder:
    """The start's tokenizer, and the questions asked of it."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer = load_tokenizer(folder)
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.masks = Masks(self.tokenizer, _stops(folder, self.tokenizer))

    def plain(self, row: Row) -> Row:
        """What was said with special tokens as text; the rest of the row as it is."""
        return row | {name: plain(self.tokenizer, row[name]) for name in SAID if name in row}

    def tokens(self, row: Row) -> int:
        """Of the longest conversation in the row."""
        return max(len(self.said(row, name).tokens) for name in SAID if name != "prompt" and name in row)

    def said(self, row: Row, side: str) -> Said:
        """The prompt with one of its ends, and which tokens of it are learned."""
        return self.masks.said(row["prompt"], row[side])

    def unfit(self, row: Row, longest: int) -> str:
        """Why nothing can be learned from the row; empty where it can."""
        try:
            for side in ENDS if "chosen" in row else ["completion"] if "label" in row else []:
                self.masks.require_plain([*row["prompt"], *row[side]])
            return "longer than max_length of the recipe" if self.tokens(row) > longest else ""
        except Unsayable as error:
            return str(error)

    def require_stop(self, rows: Any, column: str) -> None:
        """Every answer must teach a token that ends generation; otherwise the model never learns to stop."""
        ends = " or ".join(map(self.tokenizer.decode, sorted(self.masks.stops)))
        for trained in rows[column]:
            if self.masks.stops.isdisjoint(trained):
                raise TrainingFailed(
                    "the chat template does not end an answer with the token that stops generation",
                    seen=self.tokenizer.decode([token for token in trained if token >= 0]),
                    allowed=f"an answer that ends in {ends}",
                    do="add the token to the chat template of the base model, inside the assistant's turn",
                )


def _stops(folder: Path, tokenizer: Any) -> list[int]:
    """What ends an answer: the tokenizer's own end, and what the folder's generation settings add to it."""
    path = folder / "generation_config.json"
    more = json.loads(path.read_text()).get("eos_token_id") if path.exists() else None
    named = [tokenizer.eos_token_id, *(more if isinstance(more, list) else [more])]
    return [token for token in named if token is not None]


def load(folder: Path) -> Any:
    """In full precision, whatever the folder holds: steps of 1e-6 vanish in the rounding of bfloat16 weights."""
    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False
    )


def arguments(step: Step, recipe: Recipe, rows: int, folder: Path) -> dict[str, Any]:
    """What all trainers are told; nothing is cut, kept between steps, or sent anywhere."""
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    steps = max(1, round(step.epochs * rows / step.batch))
    return {
        "output_dir": str(folder),
        "learning_rate": step.learning_rate,
        "lr_scheduler_type": "linear",
        "warmup_steps": 0.1,
        "num_train_epochs": step.epochs,
        "per_device_train_batch_size": max(1, step.batch // ranks),
        "per_device_eval_batch_size": max(1, step.batch // ranks),
        "max_length": None,
        "seed": recipe.seed,
        "bf16": ON_GPU,
        "use_cpu": not ON_GPU,
        "gradient_checkpointing": ON_GPU,
        "dataloader_pin_memory": ON_GPU,
        "use_cache": True,  # goes into the checkpoint's config; the trainers themselves never ask for the cache
        "logging_steps": max(1, steps // POINTS),
        "logging_nan_inf_filter": False,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }


def save(trainer: Trainer, folder: Path) -> Path:
    """What the trainer holds, if it is all numbers, as a checkpoint without anything of the trainer's own."""
    _require_finite(trainer.model)
    if is_peft_model(trainer.model):
        _save_merged(trainer, folder)
    else:
        trainer.save_model(str(folder))
        if trainer.accelerator.is_main_process:
            (folder / "training_args.bin").unlink()  # a pickle, and it names paths of this machine
    trainer.accelerator.wait_for_everyone()
    return folder


def _save_merged(trainer: Any, folder: Path) -> None:
    held = trainer.accelerator.get_state_dict(trainer.model)  # of all ranks
    if trainer.accelerator.is_main_process:
        save_merged(trainer.model, folder, held)
        trainer.processing_class.save_pretrained(folder)


def _require_finite(model: Any) -> None:
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            raise TrainingFailed(
                "training ended with weights that are not numbers", seen=name, do="lower the recipe's learning rate"
            )
