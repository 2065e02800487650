"""What a weight does, shown by one real step of each trainer: the weights of the model after it are compared."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from flywheel.training.kto import sides
from tests import tiny
from tests.flywheel.training import stepping
from tests.flywheel.training.stepping import RECIPES, THEIRS, UNEVEN, Moved, rows


@pytest.fixture(scope="module")
def step(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Moved]:
    """A step of the tiny model."""
    other = tiny.build(tmp_path_factory.mktemp("other") / "model", seed=1)
    return partial(stepping.step, tiny_model, other, tmp_path_factory.mktemp("step"))


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
    uneven = rows(recipe, UNEVEN[:7])
    whole = step(recipe, uneven)
    assert alike(whole, step(recipe, uneven, micro=2))  # the last has one row


@pytest.mark.slow
def test_a_step_is_the_same_on_two_ranks(step: Callable[..., Moved], tiny_model: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    together = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    other = tiny.build(tmp_path / "other", seed=1)
    command = [sys.executable, "-m", "tests.flywheel.training.stepping", str(tiny_model), str(other), str(tmp_path)]
    ranks = [subprocess.Popen(command, env=os.environ | together | {"RANK": rank, "LOCAL_RANK": rank}) for rank in "01"]
    assert [rank.wait(timeout=300) for rank in ranks] == [0, 0]
    for recipe in RECIPES:
        ranked, alone = load_file(tmp_path / f"{recipe}.safetensors"), step(recipe, rows(recipe, UNEVEN))
        # The tokens of a step are counted over all ranks; the loss told is the first one's part.
        assert alike(*({name: each[name] for name in alone if name != "loss"} for each in (ranked, alone)))


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
