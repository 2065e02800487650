"""What length alone wins is not won: made data with a judge that loves length, and the controlled estimate."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.gate.compare import Estimate, estimate
from flywheel.gate.length import control, inseparable
from flywheel.gate.scorers.rows import answered


def items(n: int) -> pl.DataFrame:
    return pl.DataFrame({"item": [f"i{number:04}" for number in range(n)]})


def texts(words: list[int]) -> pl.DataFrame:
    return answered({f"i{number:04}": "word " * count for number, count in enumerate(words)})


def gain(scores: np.ndarray, by: np.ndarray | None) -> Estimate:
    """As the gate finds it, each item of a user of its own."""
    return estimate(scores, np.arange(len(scores)), alpha=0.025, control=by)


def judged(quality: float, shift: float, seed: int, n: int = 800) -> tuple[np.ndarray, np.ndarray]:
    """Scores of a judge that sees quality and loves length, of a candidate that is `shift` words longer on average."""
    draw = np.random.default_rng(seed)
    before = draw.integers(30, 60, n)
    after = np.maximum(1, before + np.round(draw.normal(shift, 9, n)).astype(int))
    liking = quality + 2 * np.tanh((after - before) / 9) + draw.logistic(size=n)
    by = control(items(n), texts(after.tolist()), texts(before.tolist()))
    return np.where(liking > 0, 1.0, -1.0), by["control"].to_numpy()


@pytest.mark.parametrize("seed", range(5))
def test_longer_but_not_better_wins_the_raw_judge_and_not_the_controlled_one(seed: int) -> None:
    scores, by = judged(quality=0, shift=7, seed=seed)
    raw, controlled = gain(scores, None), gain(scores, by)
    assert raw.low > 0.1
    assert controlled.low < 0
    assert abs(controlled.gain) < raw.gain / 2


@pytest.mark.parametrize("seed", range(5))
def test_who_learned_to_shorten_is_not_punished(seed: int) -> None:
    scores, by = judged(quality=0.9, shift=-7, seed=seed)
    raw, controlled = gain(scores, None), gain(scores, by)
    assert raw.gain < 0
    assert controlled.low > 0


@given(words=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=30))
def test_the_column_turns_with_the_sides_and_says_who_is_longer(words: list[tuple[int, int]]) -> None:
    ours, theirs = (texts([pair[side] for pair in words]) for side in (0, 1))
    there, back = (control(items(len(words)), *both)["control"] for both in ((ours, theirs), (theirs, ours)))
    assert there.to_list() == pytest.approx((-back).to_list())
    for (one, other), value in zip(words, there, strict=True):
        assert np.sign(value) == np.sign(one - other)


@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize("other", [0, 4, 6, 50])
def test_where_one_is_nearly_always_longer_no_line_can_tell(turn: int, other: int) -> None:
    column = pl.Series([0.5] * (100 - other) + [-0.1] * other) * turn
    told = inseparable(column)
    assert bool(told) == (other < 5)
    assert (f"the {'longer' if turn > 0 else 'shorter'} one in {100 - other}%" in told) == (other < 5)


def test_equal_lengths_and_no_answers_are_no_hindrance() -> None:
    assert inseparable(pl.Series([0.0] * 10)) == inseparable(pl.Series([], dtype=pl.Float64)) == ""


@pytest.mark.parametrize("shift", [0, 7, 12, 16, 20, 30])
def test_only_longer_seldom_passes_where_it_can_be_told(shift: int) -> None:
    """Of 60 candidates that are only longer, those whose lower bound lies above zero are as few as the alpha allows."""
    found = [judged(quality=0, shift=shift, seed=seed, n=300) for seed in range(60)]
    passed = [gain(scores, by).low > 0 and not inseparable(pl.Series(by)) for scores, by in found]
    assert sum(passed) <= 5


def test_a_candidate_longer_by_the_same_everywhere_wins_nothing() -> None:
    column = control(items(50), texts([60] * 50), texts([40] * 50))["control"].to_numpy()
    assert gain(np.ones(50), column).low == -np.inf


def test_items_that_one_did_not_answer_have_no_control() -> None:
    found = control(items(3), texts([3, 4]), texts([1, 1, 1]))
    assert found["item"].to_list() == ["i0000", "i0001"]
