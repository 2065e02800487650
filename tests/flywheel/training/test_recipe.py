"""A run's name is what it is made of, and starting one loads nothing heavy."""

import subprocess
import sys
from pathlib import Path

import pytest

from flywheel.process import prepare, result
from flywheel.settings import Recipe, Step
from flywheel.training.recipe import finished, half, name

RECIPE = Recipe()


def test_the_same_run_has_the_same_name() -> None:
    assert name("d", RECIPE, "f") == name("d", Recipe(), "f")


@pytest.mark.parametrize(
    "other",
    [
        name("e", RECIPE, "f"),
        name("d", RECIPE, "g"),
        name("d", Recipe(seed=1), "f"),
        name("d", Recipe(sft=Step(learning_rate=1e-3)), "f"),
    ],
)
def test_whatever_differs_names_another_checkpoint(other: str) -> None:
    assert other != name("d", RECIPE, "f")


def test_a_folder_that_training_did_not_finish_is_not_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"half")
    assert finished(tmp_path) is None


def test_what_a_kill_at_the_very_end_left_is_cleared_away(tmp_path: Path) -> None:
    out = tmp_path / "c"
    for folder in (out, half(out) / "saved"):
        folder.mkdir(parents=True)
    (out / "training.json").write_text("{}")
    subprocess.run(prepare("training", tmp_path / "job", {"out": str(out)}), check=True)
    assert result(tmp_path / "job")["checkpoint"] == str(out)
    assert not half(out).exists()


def test_starting_a_run_or_the_gate_loads_no_torch() -> None:
    code = "import sys, flywheel.training.recipe, flywheel.training.rows, flywheel.gate; print('torch' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "False"
