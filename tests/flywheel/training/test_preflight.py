"""What a run tells before it begins: tokens and masks as the loss sees them, and a cost that can stop it."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from flywheel.errors import TrainingFailed
from flywheel.lake import Lake
from flywheel.process import Job
from flywheel.settings import Recipe, Step
from flywheel.training import recipe
from flywheel.training.dpo import dpo
from flywheel.training.kto import kto
from flywheel.training.preflight import cost, preflight, seen
from flywheel.training.rows import read
from flywheel.training.run import train
from flywheel.training.sft import sft
from flywheel.training.trainer import Coder
from flywheel.training.trial import Planned, Tried, tried
from tests import tiny

ROWS = pl.concat([
    tiny.dataset_rows("demonstration", "train", range(40)),
    tiny.dataset_rows("pair", "train", range(40, 80)),
])  # fmt: skip
RECIPE = Recipe(sft=Step(learning_rate=2e-3, epochs=3), dpo=Step(learning_rate=1e-4), max_length=200, min_records=10)


def silent(message: str, **numbers: float) -> None:
    """Nobody listens."""


def asked(home: Path, start: Path, **more: Any) -> Job:
    Lake(home).append("dataset_rows", ROWS, "batch")
    out = home / "checkpoints" / "c"
    return recipe.job(home=home, workload="w", cycle=1, dataset="d", start=start, recipe=RECIPE, out=out) | more


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("ahead")
    found = train(asked(home, tiny_model, preflight=True, minutes=9), silent)["preflight"]
    assert not (home / "checkpoints").exists()
    return found


def test_only_the_answer_and_its_end_are_learned(told: dict[str, Any]) -> None:
    whole = "".join(text for text, _ in told["conversation"])
    learned = "".join(text for text, by in told["conversation"] if by)
    assert whole.startswith("<|user|>")
    assert learned.endswith(f", yes of course.{tiny.END}")
    assert whole.endswith(f"{tiny.END}<|assistant|>{learned}")


def test_a_rejected_answer_is_never_shown_as_learned(tmp_path: Path, tiny_model: Path) -> None:
    coder, step = Coder(tiny_model), RECIPE.dpo
    Lake(tmp_path).append("dataset_rows", ROWS, "batch")
    pairs = read(tmp_path, "w", "d").pairs[:4]
    labels = [
        {"prompt": row["prompt"], "completion": row[side], "weight": 1.0, "label": side == "chosen"}
        for row in pairs
        for side in ("chosen", "rejected")
    ]
    for planned in (Planned("dpo", dpo, pairs, step), Planned("kto", kto, labels, step)):
        found = tried(planned, list(planned.rows), tiny_model, RECIPE, coder)
        learned = "".join(text for text, by in seen(found.batch, coder) if by)
        assert learned.endswith(f", yes of course.{tiny.END}")


def test_whatever_ends_an_answer_of_this_model_may_end_what_is_learned(tmp_path: Path) -> None:
    start = tiny.build(tmp_path / "model", template=tiny.TEMPLATE.replace(tiny.END, "<|system|>"))
    (start / "generation_config.json").write_text(json.dumps({"eos_token_id": [1, 2]}))
    told = train(asked(tmp_path, start, preflight=True), silent)["preflight"]
    assert told["conversation"][-1] == ("<|system|>", True)


def test_each_phase_has_its_cost(told: dict[str, Any]) -> None:
    first, second = told["phases"]
    assert [(one["phase"], one["rows"], one["steps"]) for one in (first, second)] == [("sft", 40, 8), ("dpo", 40, 2)]
    assert told["minutes"] == pytest.approx(first["minutes"] + second["minutes"])
    assert all(one["seconds_of_longest"] > 0 and one["tokens"] > 40 * 10 for one in (first, second))
    assert (told["gpu_minutes"] > 0) is torch.cuda.is_available()
    assert 0 < told["memory_gb"] < told["memory_of_gb"]
    assert (told["left_out"], told["budget_minutes"]) == (0, 9)


def test_a_run_that_outlasts_its_budget_does_not_begin(tmp_path: Path, tiny_model: Path) -> None:
    too_long = r"longer than it may; saw `about .* minutes \(sft .*, dpo .*\)`; allowed: 1e-06 minutes"
    with pytest.raises(TrainingFailed, match=too_long):
        train(asked(tmp_path, tiny_model, minutes=1e-6), silent)
    assert not list(tmp_path.glob("checkpoints/*"))


def test_it_stands_beside_the_checkpoint_and_changes_nothing_of_it(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = train(asked(tmp_path / "with", tiny_model), silent)
    assert [phase["phase"] for phase in done["preflight"]["phases"]] == ["sft", "dpo"]
    monkeypatch.setattr("flywheel.training.run.preflight", lambda *_, **__: {"minutes": 0.0})
    without = train(asked(tmp_path / "without", tiny_model), silent)
    assert without["fingerprint"] == done["fingerprint"]


def test_trying_leaves_random_states_and_no_files(tmp_path: Path, tiny_model: Path) -> None:
    asked(tmp_path, tiny_model)
    rows, before = read(tmp_path, "w", "d").demonstrations[:8], torch.random.get_rng_state()
    found = tried(Planned("sft", sft, rows, RECIPE.sft), rows, tiny_model, RECIPE, Coder(tiny_model))
    assert torch.random.get_rng_state().equal(before)
    assert found.batch["input_ids"].shape[0] == 8
    assert found.seconds > 0


def test_rows_that_do_not_fit_are_tried_in_halves(tmp_path: Path, tiny_model: Path) -> None:
    asked(tmp_path, tiny_model)
    rows, sizes = read(tmp_path, "w", "d").demonstrations, []

    def narrow(start: Path, some: list[Any], *more: Any, **named: Any) -> None:
        sizes.append(len(some))
        if len(some) > 4:
            raise torch.OutOfMemoryError
        sft(start, some, *more, **named)

    planned = [Planned("sft", narrow, rows, RECIPE.sft)]
    told = preflight(planned, tiny_model, RECIPE, coder=Coder(tiny_model), ranks=1, report=silent)
    assert sizes == [16, 8, 4]
    assert told["phases"][0]["rows"] == 40
    planned = [Planned("sft", lambda *_, **__: (_ for _ in ()).throw(torch.OutOfMemoryError), rows, RECIPE.sft)]
    with pytest.raises(TrainingFailed, match="memory does not hold the model and the longest rows of sft, 1 at a time"):
        preflight(planned, tiny_model, RECIPE, coder=Coder(tiny_model), ranks=1, report=silent)


def test_the_cost_follows_the_tokens_with_their_padding() -> None:
    planned = Planned("sft", sft, [], Step(learning_rate=1, epochs=2, batch=2))
    found = Tried(seconds=3.0, memory_gb=1.0, batch={})
    told = cost(planned, [10, 10, 10, 10], tried_tokens=20, found=found)
    assert (told["minutes"] * 60, told["tokens"], told["steps"]) == (pytest.approx(12), 80, 4)
    assert cost(planned, [10, 1], tried_tokens=20, found=found)["minutes"] * 60 == pytest.approx(6)
