"""The rule by which one checkpoint of a training is chosen: only numbers, no model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.training.choice import ENOUGH, Measured, replaces, wilson

START = Measured.choices("pairs", [0.0] * ENOUGH, beta=0.1)


def pairs(*gains: float) -> Measured:
    return Measured.choices("pairs", gains, beta=0.1)


def right(rows: int, of: int = ENOUGH) -> Measured:
    """So many rows won and the others lost, all by as much."""
    return pairs(*[1.0] * rows, *[-1.0] * (of - rows))


@pytest.mark.parametrize(
    ("later", "earlier", "better"),
    [
        (right(12), right(12), False),
        (right(13), right(12), False),
        (right(14), right(12), True),
        (right(12), right(14), False),
        (right(20), right(0), True),
        (right(101, 1000), right(100, 1000), False),
        (pairs(*[3.0] * 11, *[1.0] * 9), pairs(*[1.0] * 11, *[3.0] * 9), False),
        (pairs(*[2.0] * ENOUGH), pairs(*[1.0] * ENOUGH), True),
        (pairs(*[2.0] * 19, -60.0), pairs(*[1.0] * ENOUGH), False),
    ],
    ids=[
        "a tie",
        "one row more",
        "two rows more",
        "two rows less",
        "all rows",
        "one row of many more",
        "some rows up and others down",
        "every row surer, the share full before",
        "most rows surer, one surely wrong",
    ],
)
def test_better_is_beyond_noise(later: Measured, earlier: Measured, better: bool) -> None:
    assert later.better_than(earlier) is better


def test_a_small_gain_of_every_text_is_better() -> None:
    before = [-2.0 - row / 10 for row in range(ENOUGH)]
    after = [value + 0.01 + row / 10_000 for row, value in enumerate(before)]
    assert Measured.demonstrations(after).better_than(Measured.demonstrations(before))


@given(st.lists(st.tuples(*[st.floats(-2000, 2000)] * 2), min_size=ENOUGH, max_size=60))
def test_of_two_checkpoints_at_most_one_is_better(rows: list[tuple[float, float]]) -> None:
    one, other = (pairs(*gains) for gains in zip(*rows, strict=True))
    assert not (one.better_than(other) and other.better_than(one))
    assert not replaces(one, one, pairs(*[0.0] * len(rows)))


@pytest.mark.parametrize(
    ("later", "kept", "chosen"),
    [(18, 18, False), (19, 18, False), (20, 18, True), (14, 18, False), (9, 8, False), (10, 8, True)],
)
def test_the_earlier_stays_unless_the_later_is_better(later: int, kept: int, chosen: bool) -> None:
    assert replaces(right(later), right(kept), START) is chosen


def test_what_is_no_better_than_the_start_yields_to_the_first_that_is() -> None:
    kept, later = right(12), right(13)
    assert not later.better_than(kept)
    assert (kept.better_than(START), later.better_than(START)) == (False, True)
    assert replaces(later, kept, START)


@pytest.mark.parametrize(("share", "n", "low", "high"), [(0.5, 10, 0.2366, 0.7634), (1.0, 30, 0.8865, 1.0)])
def test_wilson_agrees_with_published_values(share: float, n: int, low: float, high: float) -> None:
    assert wilson(share, n) == pytest.approx((low, high), abs=1e-4)


def test_a_tie_is_half_a_pair() -> None:
    assert pairs(2.0, 0.0, -1.0, 0.0).told()["development/accuracy"] == 0.5
    assert pairs(2.0, 0.0, 1.0, 0.0).told()["development/accuracy"] == 0.75


def test_numbers_are_told_with_n_and_an_interval() -> None:
    assert right(15).told() == pytest.approx({
        "development/pairs": 20,
        "development/accuracy": 0.75,
        "development/accuracy_low": 0.5313,
        "development/accuracy_high": 0.8881,
        "development/foretold": -0.6693,
    }, abs=1e-4)  # fmt: skip
    assert Measured.demonstrations([-1.0, -3.0]).told() == pytest.approx({
        "development/demonstrations": 2,
        "development/log_probability": -2.0,
        "development/log_probability_low": -3.96,
        "development/log_probability_high": -0.04,
    })  # fmt: skip
