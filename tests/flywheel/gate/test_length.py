"""What length alone wins is not won: made data with a judge that loves length, and the controlled estimate."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.gate.length import control
from flywheel.gate.scorers.rows import answered

T = 1.97  # Student's, two-sided 95 %, some 200 degrees of freedom


def items(n: int) -> pl.DataFrame:
    return pl.DataFrame({"item": [f"i{number:04}" for number in range(n)]})


def texts(words: list[int]) -> pl.DataFrame:
    return answered({f"i{number:04}": "word " * count for number, count in enumerate(words)})


def gain(scores: np.ndarray, by: np.ndarray | None) -> tuple[float, float, float]:
    """The intercept of a least-squares line with its robust interval, as the gate finds it."""
    columns = [np.ones_like(scores)] + ([] if by is None else [by])
    x = np.stack(columns, axis=1)
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ x.T @ scores
    each = (scores - x @ beta)[:, None] * x
    n = len(scores)
    error = float(np.sqrt(n / (n - 1) * (inverse @ each.T @ each @ inverse)[0, 0]))
    return float(beta[0]), float(beta[0] - T * error), float(beta[0] + T * error)


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
    assert raw[1] > 0.1
    assert controlled[1] < 0
    assert abs(controlled[0]) < raw[0] / 2


@pytest.mark.parametrize("seed", range(5))
def test_who_learned_to_shorten_is_not_punished(seed: int) -> None:
    scores, by = judged(quality=0.9, shift=-7, seed=seed)
    raw, controlled = gain(scores, None), gain(scores, by)
    assert raw[0] < 0
    assert controlled[1] > 0


@given(words=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=30))
def test_the_column_is_bounded_and_turns_with_the_sides(words: list[tuple[int, int]]) -> None:
    ours, theirs = (texts([pair[side] for pair in words]) for side in (0, 1))
    there, back = (control(items(len(words)), *both)["control"] for both in ((ours, theirs), (theirs, ours)))
    assert there.is_between(-1, 1).all()
    assert there.to_list() == pytest.approx((-back).to_list())
    for (longer, shorter), value in zip(words, there, strict=True):
        assert np.sign(value) == np.sign(longer - shorter)


def test_a_candidate_longer_everywhere_still_differs_from_item_to_item() -> None:
    column = control(items(4), texts([45, 50, 55, 60]), texts([30] * 4))["control"]
    assert column.is_sorted()
    assert column[-1] - column[0] > 0.1


def test_items_that_one_did_not_answer_have_no_control() -> None:
    found = control(items(3), texts([3, 4]), texts([1, 1, 1]))
    assert found["item"].to_list() == ["i0000", "i0001"]
