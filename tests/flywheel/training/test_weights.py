"""What a weight does, shown by one real step of each trainer in double precision: the weights after it are compared.

The step is plain gradient descent, so that what moved is the gradient.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
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
from flywheel.training.kto import WeightedKTO, sides
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


@pytest.fixture(scope="module")
def step(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Moved]:
    """One optimizer step over all rows, cut into micro-batches of `micro`; the weights after it, and the loss told."""
    coder, other = Coder(tiny_model), tiny.build(tmp_path_factory.mktemp("other") / "model", seed=1)

    def take(recipe: str, taught: list[Row], *, micro: int = 16, kinds: Any = OURS, **more: Any) -> Moved:
        beside: dict[str, Any] = {"beta": 0.3} if recipe in ("dpo", "kto") else {}
        if recipe == "sft":
            beside["completion_only_loss"] = True
        args = CONFIGS[recipe](
            output_dir=str(tmp_path_factory.mktemp("step")),
            optim="sgd",
            learning_rate=1.0,
            lr_scheduler_type="constant",
            max_grad_norm=0.0,
            num_train_epochs=1,
            per_device_train_batch_size=micro,
            gradient_accumulation_steps=-(-len(taught) // micro),
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
        model = load_reward(tiny_model, coder, seed=0) if recipe == "reward" else load(tiny_model)
        # DPO's losses differ by row only where the model is not the reference; KTO's batch has then not moved yet.
        held = {"dpo": {"ref_model": load(other).double()}, "kto": {"ref_model": load(tiny_model).double()}}
        trainer: Trainer = kinds[recipe](
            model=model.double(),
            args=args,
            train_dataset=Dataset.from_list(taught),
            processing_class=coder.tokenizer,
            **held.get(recipe, {}),
            **more,
        )
        trainer.train()
        assert trainer.state.global_step == 1
        told = {"loss": torch.tensor(trainer.state.log_history[0]["loss"])}
        return told | {name: weight.detach() for name, weight in model.named_parameters()}

    return take


def alike(one: Moved, other: Moved) -> bool:
    """The norms of a Llama are reckoned in single precision, whatever the rest is in."""
    return all(torch.allclose(one[name], other[name], rtol=1e-5, atol=1e-6) for name in one)


@pytest.mark.parametrize("recipe", RECIPES)
def test_twice_the_weight_is_the_row_twice(step: Callable[..., Moved], recipe: str) -> None:
    single, double = rows(recipe, [0.4] * 6), rows(recipe, [0.4, 0.4, 0.8, 0.4, 0.4, 0.4])
    twice = [*single, single[2]]
    weighed = step(recipe, double)
    assert alike(weighed, step(recipe, twice))
    assert not alike(weighed, step(recipe, single))


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_row_without_weight_teaches_nothing(step: Callable[..., Moved], recipe: str) -> None:
    assert alike(step(recipe, rows(recipe, [1, 1, 1, 1, 0, 0])), step(recipe, rows(recipe, [1] * 4)))


@pytest.mark.parametrize("recipe", RECIPES)
def test_where_all_weights_are_equal_the_loss_is_trls_own(step: Callable[..., Moved], recipe: str) -> None:
    equal = rows(recipe, [0.3] * 6)
    assert alike(step(recipe, equal), step(recipe, equal, kinds=THEIRS))


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_step_is_the_same_however_it_is_cut(step: Callable[..., Moved], recipe: str) -> None:
    uneven = rows(recipe, [0.1, 1, 0.5, 0.2, 0.9, 0.7, 0.3])
    whole = step(recipe, uneven)
    assert alike(whole, step(recipe, uneven, micro=2))  # the last has one row


def test_sft_in_dpo_teaches_what_people_wrote_and_nothing_else(step: Callable[..., Moved]) -> None:
    some = rows("dpo", [1.0] * 6, written=[True, False, False, True, False, False])
    none = rows("dpo", [1.0] * 6)
    without, beside = step("dpo", some), step("dpo", some, sft_share=0.5)
    assert alike(without, step("dpo", none, sft_share=0.5))
    # What the share adds to the loss: half the mean over rows of a written row's mean over tokens, as SFT tells it.
    alone = [step("sft", rows("sft", [1.0] * 6)[index : index + 1])["loss"] for index in (0, 3)]
    added = beside["loss"] - without["loss"]
    assert added.item() == pytest.approx(0.5 * sum(loss.item() for loss in alone) / 6, rel=1e-3)


def test_neither_side_of_opinions_drowns_the_other() -> None:
    uneven = rows("kto", [0.25] * 40)[1:]
    for row in uneven[:30]:
        row["label"] = True
    desirable, undesirable = sides(uneven)
    praised = desirable * sum(row["weight"] for row in uneven if row["label"])
    blamed = undesirable * sum(row["weight"] for row in uneven if not row["label"])
    assert 1 <= praised / blamed <= 4 / 3
    assert praised + blamed == pytest.approx(sum(row["weight"] for row in uneven))
    assert sides([row | {"label": False} for row in uneven]) == (1, 1)
