"""Trainings that go wrong for a planted reason are stopped by their rule; healthy ones are left alone."""

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from transformers import TrainerState

from flywheel.errors import TrainingFailed
from flywheel.lake import Lake
from flywheel.process import Result
from flywheel.settings import Recipe, Step, Watching
from flywheel.training import recipe
from flywheel.training.answers import Answers
from flywheel.training.development import Development
from flywheel.training.rows import read
from flywheel.training.run import train
from flywheel.training.tracking import Track
from flywheel.training.trainer import Coder, load
from flywheel.training.watch import Watch
from tests import tiny

TAUGHT = tiny.dataset_rows("demonstration", "train", range(96))
PAIRS = tiny.dataset_rows("pair", "train", range(200, 360))
DEVELOPMENT = tiny.dataset_rows("pair", "development", range(400, 480))
LESSONS = tiny.dataset_rows("demonstration", "train", range(192))


def run(home: Path, start: Path, *frames: pl.DataFrame, **changed: Any) -> Result:
    """A training on these rows; `changed` are fields of the recipe."""
    Lake(home).append("dataset_rows", pl.concat(frames), "batch")
    base = {"sft": Step(learning_rate=2e-3), "dpo": Step(learning_rate=3e-5, epochs=2), "max_length": 400}
    asked, out = Recipe(**{**base, "min_records": 10, **changed}), home / "checkpoints" / "c"
    job = recipe.job(home=home, workload="w", cycle=1, dataset="d", start=start, recipe=asked, out=out)
    return train(job, lambda message, **numbers: None)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A model that greets people as the demonstrations do."""
    home = tmp_path_factory.mktemp("taught")
    return Path(run(home, tiny_model, LESSONS, sft=Step(learning_rate=5e-3, epochs=4))["checkpoint"])


def rejecting(pairs: pl.DataFrame, instead: str) -> pl.DataFrame:
    """Both sides alike but for their end."""
    return pairs.with_columns(rejected=pl.col("chosen").str.replace(", yes of course.", instead, literal=True))


def of_two_minds(pairs: pl.DataFrame, seed: int) -> pl.DataFrame:
    """One person in five chooses the other side."""
    draw = random.Random(seed)
    other = pl.Series([draw.random() < 0.2 for _ in range(len(pairs))])
    chosen = pl.when(other).then("rejected").otherwise("chosen")
    return pairs.with_columns(chosen=chosen, rejected=pl.when(other).then("chosen").otherwise("rejected"))


def healthy(home: Path, taught: Path, seed: int) -> Result:
    pairs = of_two_minds(rejecting(PAIRS, ", no."), seed)
    development = of_two_minds(rejecting(DEVELOPMENT, ", no."), seed + 100)
    return run(home, taught, TAUGHT, pairs, development, seed=seed)


# ---- planted causes -------------------------------------------------------------------------------------------------


def test_pairs_that_hardly_differ_unlearn_both_sides(tmp_path: Path, taught: Path) -> None:
    near = rejecting(PAIRS, ", yes of course!")
    with pytest.raises(TrainingFailed, match=r"less probable in dpo while margins rise.*raise the recipe's sft_share"):
        run(tmp_path, taught, near, dpo=Step(learning_rate=1e-3, epochs=2))
    assert not (tmp_path / "checkpoints" / "c").exists()


def test_rambling_rows_make_rambling_answers(tmp_path: Path, taught: Path) -> None:
    rambling = TAUGHT.with_columns(chosen=pl.lit("yes of course. " * 6))
    with pytest.raises(TrainingFailed, match=r"answers grow in sft .* over 16 development prompts"):
        run(tmp_path, taught, rambling, DEVELOPMENT.head(40), sft=Step(learning_rate=5e-3, epochs=4))


def test_a_give_away_is_told_too_early(tmp_path: Path, taught: Path) -> None:
    with pytest.raises(TrainingFailed, match=r"dpo tells nearly all development pairs .* of 80 pairs at step 4"):
        run(tmp_path, taught, PAIRS, DEVELOPMENT, dpo=Step(learning_rate=3e-4, epochs=4))


@pytest.mark.parametrize(("phase", "rows", "rate"), [("sft", LESSONS, 1.0), ("dpo", PAIRS, 3e-2)], ids=["sft", "dpo"])
def test_a_learning_rate_beyond_reason_collapses_the_answers(
    tmp_path: Path, taught: Path, phase: str, rows: pl.DataFrame, rate: float
) -> None:
    mixed = of_two_minds(rejecting(rows, ", no."), 1) if phase == "dpo" else rows
    only = Watching(displaced=None)
    with pytest.raises(TrainingFailed, match=rf"sure of the next token in {phase}, and is no better at it"):
        run(tmp_path, taught, mixed, watching=only, **{phase: Step(learning_rate=rate, epochs=2)})


# ---- health ---------------------------------------------------------------------------------------------------------


def test_a_healthy_run_is_measured_and_left_alone(tmp_path: Path, taught: Path) -> None:
    done = healthy(tmp_path, taught, seed=0)
    asked = [point for point in done["history"] if "answers" in point]
    assert [(point["phase"], point["step"]) for point in asked] == [("sft", 0), ("sft", 6), ("dpo", 10), ("dpo", 20)]
    assert [len(point.get("answers/lengths", [])) for point in asked] == [16, 0, 0, 0]
    (early,) = [point for point in done["history"] if "early/accuracy" in point]
    assert (early["phase"], early["step"], early["early/pairs"]) == ("dpo", 2, 80)


def test_what_one_phase_says_is_not_taken_for_what_another_said(tmp_path: Path, tiny_model: Path) -> None:
    Lake(tmp_path).append("dataset_rows", DEVELOPMENT, "batch")
    rows, coder, wanted, said = read(tmp_path, "w", "d"), Coder(tiny_model), Recipe(), []

    class Kept(Track):
        def log(self, metrics: Mapping[str, float], step: int) -> None:
            said.extend((name, step) for name in metrics)

    own: dict[str, Any] = {"history": [], "report": lambda message, **numbers: None, "track": Kept()}
    own |= {"recipe": wanted, "answers": Answers(rows, coder)}
    for phase in ("sft", "dpo"):
        development = Development(("sft", "dpo"), rows, coder, wanted)
        watch = Watch(phase, rows=16, epochs=1, development=development, **own)
        ended: list[Any] = [None, TrainerState(global_step=6), None]  # both phases as long as each other
        watch.on_epoch_end(*ended, model=load(tiny_model))
    assert len(said) == len(set(said)) == 8


def test_prompts_with_calls_of_tools_are_asked_as_the_template_wants_them(tmp_path: Path) -> None:
    strict = "{% if message.role == 'tool' and not message.tool_call_id %}{{ raise_exception('no call') }}{% endif %}"
    calls = "{% for call in message.tool_calls or [] %}{{ call.function.name }}{% endfor %}"
    template = tiny.TEMPLATE.replace("<|{{ message.role }}|>", strict + "<|{{ message.role }}|>" + calls)
    call = {"role": "assistant", "content": '{"arguments":{"id":"17"},"name":"find_order","type":"tool_call"}'}
    prompt = json.dumps([{"role": "user", "content": "Where?"}, call, {"role": "tool", "content": "sent"}])
    Lake(tmp_path).append("dataset_rows", tiny.dataset_rows("pair", "development", [1], prompt=prompt), "batch")
    coder = Coder(tiny.build(tmp_path / "model", template=template))
    [row] = read(tmp_path, "w", "d").development_pairs
    assert coder.unfit(row, 500) == "the chat template refuses it (no call)"  # TRL renders pairs as they were logged
    assert coder.unfit({"prompt": row["prompt"], "completion": row["chosen"]}, 500) == ""
    answers = Answers(read(tmp_path, "w", "d"), coder)
    assert "find_order" in coder.tokenizer.decode(answers.prompts[0])
    assert answers.chosen == [len(coder.tokenizer(f"Hello Ben, yes of course.{tiny.END}")["input_ids"])]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 11))
def test_ten_healthy_runs_are_left_alone(tmp_path: Path, taught: Path, seed: int) -> None:
    done = healthy(tmp_path, taught, seed)
    assert done["metrics"]["development/accuracy"] > 0.7
