"""Checkpoints offered, measured and chosen: real runs on a tiny model, each arranged so that the choice is known."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from trl.trainer.utils import add_fused_lm_head

from flywheel.errors import TrainingFailed
from flywheel.lake import Lake
from flywheel.process import Result
from flywheel.settings import Recipe, Step
from flywheel.training import recipe
from flywheel.training.choice import ENOUGH
from flywheel.training.development import Development
from flywheel.training.rows import read
from flywheel.training.run import train
from flywheel.training.trainer import Coder, load
from tests import tiny

TAUGHT = tiny.dataset_rows("demonstration", "train", range(96))
PAIRS = tiny.dataset_rows("pair", "train", range(96, 192))
DEVELOPMENT = tiny.dataset_rows("pair", "development", range(192, 192 + ENOUGH))
TEXTS = tiny.dataset_rows("demonstration", "development", range(192, 192 + ENOUGH))
RECIPE = Recipe(sft=Step(learning_rate=2e-3), dpo=Step(learning_rate=1e-3), max_length=200, min_records=10)


def silent(message: str, **numbers: float) -> None:
    """Nobody listens."""


def run(
    home: Path,
    start: Path,
    *frames: pl.DataFrame,
    report: Callable[..., None] = silent,
    mlflow: dict[str, Any] | None = None,
    **changed: Any,
) -> Result:
    """A training on these rows; `changed` are fields of the recipe."""
    Lake(home).append("dataset_rows", pl.concat(frames), "batch")
    wanted, out = RECIPE.model_copy(update=changed), home / "checkpoints" / "c"
    job = recipe.job(home=home, workload="w", cycle=1, dataset="d", start=start, recipe=wanted, out=out, mlflow=mlflow)
    return train(job, report)


def swapped(pairs: pl.DataFrame) -> pl.DataFrame:
    return pairs.with_columns(chosen="rejected", rejected="chosen")


def offered(done: Result) -> list[dict[str, Any]]:
    return [point for point in done["history"] if "checkpoint" in point]


# ---- which one is chosen --------------------------------------------------------------------------------------------


def test_every_epoch_is_offered_and_measured_and_the_start_before_them(tmp_path: Path, tiny_model: Path) -> None:
    steps = {"sft": Step(learning_rate=2e-3, epochs=2), "dpo": Step(learning_rate=1e-4, epochs=1.5)}
    done = run(tmp_path, tiny_model, TAUGHT, PAIRS, DEVELOPMENT, **steps)
    points = offered(done)
    assert [(point["checkpoint"], point["name"], point["step"]) for point in points] == [
        (0, "start", 0), (1, "sft epoch 1", 6), (2, "sft epoch 2", 12), (3, "dpo epoch 1", 6), (4, "dpo epoch 1.5", 9)
    ]  # fmt: skip
    assert all(point["development/pairs"] == ENOUGH for point in points)
    assert points[0]["development/accuracy"] == 0.5
    assert done["metrics"]["checkpoints"] == 4


def test_a_phase_that_repairs_the_one_before_it_is_chosen(tmp_path: Path, tiny_model: Path) -> None:
    curt = TAUGHT.with_columns(chosen=pl.lit("No."))
    done = run(tmp_path, tiny_model, curt, PAIRS, DEVELOPMENT, dpo=Step(learning_rate=1e-3, epochs=3))
    shares = [point["development/accuracy"] for point in offered(done)]
    assert shares[1] < 0.1 < 0.9 < shares[-1]
    chosen = done["metrics"]["checkpoint"]
    assert (done["metrics"]["chosen"], done["metrics"]["checkpoints"]) == (f"dpo epoch {chosen - 1}", 4)
    assert done["metrics"]["development/accuracy"] == shares[chosen] == max(shares)
    assert done["metrics"]["why"] == "better than the start on the development rows"


def test_what_a_later_phase_spoils_is_left_where_it_was_good(tmp_path: Path, tiny_model: Path) -> None:
    spoiled = run(tmp_path / "both", tiny_model, TAUGHT, swapped(PAIRS), DEVELOPMENT)
    start, learned, after = (point["development/foretold"] for point in offered(spoiled))
    assert learned > after > start
    assert (spoiled["metrics"]["chosen"], spoiled["metrics"]["checkpoint"]) == ("sft epoch 1", 1)
    assert spoiled["metrics"]["development/foretold"] == learned
    # It is the model that SFT alone makes, whole; and measuring it has changed nothing.
    alone = run(tmp_path / "alone", tiny_model, TAUGHT)
    assert alone["fingerprint"] == spoiled["fingerprint"]
    names = [{path.name for path in Path(done["checkpoint"]).iterdir()} for done in (alone, spoiled)]
    assert names[0] == names[1]


def test_where_nothing_is_better_than_the_start_it_says_so_and_the_first_is_the_candidate(
    tmp_path: Path, tiny_model: Path
) -> None:
    done = run(tmp_path, tiny_model, TAUGHT, swapped(DEVELOPMENT), sft=Step(learning_rate=2e-3, epochs=2))
    assert [point["development/accuracy"] for point in offered(done)] == [0.5, 0, 0]
    metrics = done["metrics"]
    assert (metrics["chosen"], metrics["why"]) == (
        "sft epoch 1",
        "no checkpoint is better than the start on the development rows",
    )
    assert Path(done["checkpoint"]).exists()


@pytest.mark.parametrize(("rows", "chosen"), [(ENOUGH - 1, "sft epoch 2"), (ENOUGH, "sft epoch 1")])
def test_with_too_few_development_rows_the_last_is_kept(
    tmp_path: Path, tiny_model: Path, rows: int, chosen: str
) -> None:
    found = swapped(DEVELOPMENT).head(rows)
    done = run(tmp_path, tiny_model, TAUGHT, found, sft=Step(learning_rate=2e-3, epochs=2))
    assert (done["metrics"]["chosen"], done["metrics"]["checkpoints"]) == (chosen, 2)
    few = "too few development rows to choose (19 where 20 are needed): the last one is kept"
    assert (done["metrics"]["why"] == few) is (rows < ENOUGH)
    assert bool(offered(done)) is (rows >= ENOUGH)


def test_demonstrations_alone_are_measured_by_the_probability_of_their_texts(tmp_path: Path, tiny_model: Path) -> None:
    done = run(tmp_path, tiny_model, TAUGHT, TEXTS, sft=Step(learning_rate=2e-3, epochs=2))
    values = [point["development/log_probability"] for point in offered(done)]
    assert values[0] < values[1] < values[2] < 0
    metrics = done["metrics"]
    assert (metrics["chosen"], metrics["development/demonstrations"]) == ("sft epoch 2", ENOUGH)
    assert metrics["development/log_probability_low"] < values[2] < metrics["development/log_probability_high"]


def test_demonstrations_do_not_speak_where_pairs_train(tmp_path: Path, tiny_model: Path) -> None:
    done = run(tmp_path, tiny_model, TAUGHT, PAIRS, TEXTS)
    assert (done["metrics"]["chosen"], offered(done)) == ("dpo epoch 1", [])
    assert "(0 where 20 are needed)" in done["metrics"]["why"]


# ---- what it costs and leaves ---------------------------------------------------------------------------------------


def test_only_the_kept_and_the_newest_lie_on_disk_and_only_one_in_the_end(tmp_path: Path, tiny_model: Path) -> None:
    half, seen = tmp_path / "checkpoints" / "c.half", []

    def look(message: str, **numbers: float) -> None:
        if message == "development":
            seen.append(sorted(path.name for path in half.iterdir() if path.name[:4] in ("sft-", "dpo-")))

    steps = {"sft": Step(learning_rate=2e-3, epochs=3), "dpo": Step(learning_rate=1e-3, epochs=2)}
    done = run(tmp_path, tiny_model, TAUGHT, swapped(PAIRS), DEVELOPMENT, report=look, **steps)
    kept = f"sft-{done['metrics']['checkpoint']}"
    assert done["metrics"]["chosen"].startswith("sft")
    assert [len(names) for names in seen[:2]] == [0, 1]
    assert all(len(names) <= 3 for names in seen)  # with the one that DPO began from, its reference
    assert seen[-2:] == [["dpo-4", kept], ["dpo-5", kept]]
    assert [path.name for path in half.parent.iterdir()] == ["c"]


def test_mlflow_holds_the_curve_and_which_was_chosen(tmp_path: Path, tiny_model: Path) -> None:
    from mlflow import MlflowClient

    tracking = {"tracking_uri": f"sqlite:///{tmp_path}/mlflow.db", "experiment": "w", "run_name": "cycle 1"}
    done = run(tmp_path, tiny_model, TAUGHT, PAIRS, DEVELOPMENT, mlflow=tracking)
    client = MlflowClient(tracking["tracking_uri"])
    curve = client.get_metric_history(done["mlflow_run"], "development/accuracy")
    assert [(metric.step, metric.value) for metric in curve] == [
        (point["checkpoint"], point["development/accuracy"]) for point in offered(done)
    ]
    assert client.get_run(done["mlflow_run"]).data.metrics["chosen"] == done["metrics"]["checkpoint"]


def test_a_model_that_gives_no_numbers_ends_it(tmp_path: Path, tiny_model: Path) -> None:
    model = load(tiny_model)
    model.model.norm.weight.data[0] = float("nan")
    broken = shutil.copytree(tiny_model, tmp_path / "broken")
    model.save_pretrained(broken)
    with pytest.raises(TrainingFailed, match=r"log-probability of a development row is not a number; saw `nan`"):
        run(tmp_path, broken, PAIRS, DEVELOPMENT)
    assert not (tmp_path / "checkpoints" / "c").exists()


# ---- the measure itself ---------------------------------------------------------------------------------------------


def test_it_is_the_mean_log_probability_of_the_answers_tokens(tmp_path: Path, tiny_model: Path) -> None:
    Lake(tmp_path).append("dataset_rows", TEXTS.with_columns(chosen=pl.col("chosen") + pl.col("record")), "batch")
    rows, coder, model = read(tmp_path, "w", "d"), Coder(tiny_model), load(tiny_model).train()
    add_fused_lm_head(model)
    found = Development(("sft",), rows, coder, RECIPE.model_copy(update={"dpo": Step(learning_rate=1, batch=7)})).start(
        model
    )
    assert model.training
    for row, value in zip(rows.development_demonstrations, found.shown, strict=True):
        asked, whole = (
            torch.tensor([coder.tokenizer.apply_chat_template(said, add_generation_prompt=asks)["input_ids"]])
            for said, asks in ((row["prompt"], True), (row["prompt"] + row["completion"], False))
        )
        with torch.no_grad():
            each = model(whole).logits.log_softmax(-1)[0, :-1].gather(1, whole[0, 1:, None])
        assert value == pytest.approx(each[asked.shape[1] - 1 :].mean().item(), abs=1e-5)
