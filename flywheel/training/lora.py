"""Small matrices learn beside frozen weights: how they are put there, and how the folder of such a model is written.

What is offered is a plain folder with the matrices merged into the weights; the adapter itself is a matter of the
trainer's, and of whoever saves its state.
"""

from pathlib import Path
from typing import Any, cast

import torch
from peft import LoraConfig, PeftModel, TaskType
from peft.tuners.lora import LoraLayer

from flywheel.settings import Recipe

WRAPPED = ".base_layer."


def adapter(recipe: Recipe, *, reward: bool = False) -> LoraConfig | None:
    """For TRL's trainers: on every linear layer but the head; a reward model's head is new and learns whole."""
    if recipe.lora is None:
        return None
    return LoraConfig(
        r=recipe.lora.rank,
        lora_alpha=recipe.lora.alpha,  # pyright: ignore[reportArgumentType]
        lora_dropout=recipe.lora.dropout,
        target_modules="all-linear",
        modules_to_save=["score"] if reward else None,
        task_type=TaskType.SEQ_CLS if reward else TaskType.CAUSAL_LM,
    )


def merged(model: PeftModel, held: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights of the plain model, reckoned from all that the adapted one `held`; the model itself stays as it is.

    Merging in place and back would leave rounding in the frozen weights.
    """
    base = {name.removeprefix("base_model.model."): weight for name, weight in held.items()}
    plain, inner = {}, cast(Any, model.get_base_model())
    for name, module in inner.named_modules():
        if isinstance(module, LoraLayer):
            base[f"{name}{WRAPPED}weight"] = _added(name, module, base)
    for name, weight in base.items():
        if ".lora_" in name or ".original_module." in name:
            continue
        plain[name.replace(WRAPPED, ".").replace(".modules_to_save.default.", ".")] = weight
    return plain


def save_merged(model: PeftModel, folder: Path, held: dict[str, torch.Tensor]) -> None:
    cast(Any, model.get_base_model()).save_pretrained(folder, state_dict=merged(model, held))


def _added(name: str, layer: Any, base: dict[str, torch.Tensor]) -> torch.Tensor:
    down, up = base[f"{name}.lora_A.default.weight"], base[f"{name}.lora_B.default.weight"]
    learned = layer.scaling["default"] * (up @ down)
    return base[f"{name}{WRAPPED}weight"] + (learned.T if layer.fan_in_fan_out else learned)
