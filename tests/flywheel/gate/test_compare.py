"""The paired gain and its interval: clustered by user, blind to order, honest at late looks."""

import random

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.errors import BrokenInvariant
from flywheel.gate.compare import SEED, by_slice, compare, interval, paired
from flywheel.gate.ledger import spend
from flywheel.gate.scorers.rows import SCHEMA

SCORES = st.floats(min_value=0, max_value=1, allow_nan=False)
ROWS = st.lists(st.tuples(st.sampled_from("abcdefgh"), SCORES, SCORES), min_size=1, max_size=40)


def scores(users: list[str], values: list[float | None]) -> pl.DataFrame:
    """Scores of one model, item by item; slices alternate."""
    rows = [
        (f"i{n:03}", user, ["even", "odd"][n % 2], value, None)
        for n, (user, value) in enumerate(zip(users, values, strict=True))
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def both(rows: list[tuple[str, float, float]]) -> pl.DataFrame:
    users = [user for user, _, _ in rows]
    return paired(scores(users, [row[1] for row in rows]), scores(users, [row[2] for row in rows]))


@settings(max_examples=25, deadline=None)
@given(rows=ROWS, order=st.randoms(use_true_random=False))
def test_order_of_rows_changes_nothing(rows: list[tuple[str, float, float]], order: random.Random) -> None:
    pairs = both(rows)
    shuffled = list(range(len(pairs)))
    order.shuffle(shuffled)
    assert compare(pairs[shuffled], alpha=0.05) == compare(pairs, alpha=0.05)


@settings(max_examples=25, deadline=None)
@given(rows=ROWS)
def test_the_interval_holds_the_gain_and_turns_with_the_sides(rows: list[tuple[str, float, float]]) -> None:
    there = compare(both(rows), alpha=0.05)
    back = compare(both([(user, champion, candidate) for user, candidate, champion in rows]), alpha=0.05)
    assert there is not None
    assert back is not None
    assert there.low <= there.gain + 1e-12
    assert there.gain <= there.high + 1e-12
    assert there.gain == pytest.approx(there.candidate_score - there.champion_score)
    assert (back.gain, back.low, back.high) == pytest.approx((-there.gain, -there.high, -there.low))


@settings(max_examples=25, deadline=None)
@given(rows=ROWS)
def test_asking_for_more_certainty_never_narrows(rows: list[tuple[str, float, float]]) -> None:
    loose, strict = (compare(both(rows), alpha=alpha) for alpha in (0.1, 0.01))
    assert loose is not None
    assert strict is not None
    assert strict.low <= loose.low
    assert loose.high <= strict.high
    assert strict.level == pytest.approx(0.98)


def test_more_items_of_the_same_users_are_no_more_evidence() -> None:
    rng = np.random.default_rng(SEED)
    by_user = rng.normal(0.05, 0.1, 30)
    once = interval(by_user, np.ones(30), alpha=0.05)
    ten_times = interval(by_user * 10, np.full(30, 10), alpha=0.05)
    assert ten_times == pytest.approx(once)


def test_one_user_alone_says_nothing_of_others() -> None:
    found = compare(both([("a", 1.0, 0.0)] * 50), alpha=0.05)
    assert found is not None
    assert (found.low, found.high, found.users) == (-1.0, 1.0, 1)


def test_holes_leave_the_item_out_of_both_sides() -> None:
    users = list("aabbcc")
    pairs = paired(scores(users, [1.0, None, 1.0, 1.0, 1.0, 1.0]), scores(users, [0.5, 0.5, None, 0.5, 0.5, 0.5]))
    found = compare(pairs, alpha=0.05)
    assert found is not None
    assert (found.items, found.users, found.gain) == (4, 3, 0.5)
    assert (found.candidate_score, found.champion_score) == (1.0, 0.5)


def test_nothing_answered_is_nothing_compared() -> None:
    assert compare(paired(scores(["a"], [None]), scores(["a"], [0.5])), alpha=0.05) is None


def test_different_items_are_never_compared() -> None:
    with pytest.raises(BrokenInvariant, match="different items"):
        paired(scores(["a", "b"], [1.0, 1.0]), scores(["a"], [1.0]))


def test_slices_carry_their_own_numbers() -> None:
    users = [f"u{n // 2}" for n in range(40)]
    pairs = paired(scores(users, [0.9, 0.4] * 20), scores(users, [0.5, 0.5] * 20))
    rows = {row["slice"]: row for row in by_slice(pairs).iter_rows(named=True)}
    assert rows["even"]["gain"] == pytest.approx(0.4)
    assert rows["odd"]["gain"] == pytest.approx(-0.1)
    assert {row["items"] for row in rows.values()} == {20}


# ---- what the interval promises, by simulation ----------------------------------------------------------------------


def turns(rng: np.random.Generator, *, users: int, gain: float) -> tuple[np.ndarray, np.ndarray]:
    """Sums of gains and numbers of items by user: users differ, items differ more, some users write a lot."""
    counts = 1 + rng.poisson(4, users)
    sums = counts * rng.normal(gain, 0.05, users) + rng.normal(0, 0.25, users) * np.sqrt(counts)
    return sums, counts


@pytest.mark.parametrize("users", [20, 60])
def test_twenty_equal_candidates_hardly_ever_win(users: int) -> None:
    rng = np.random.default_rng(SEED)

    def wins(look: int) -> bool:
        return interval(*turns(rng, users=users, gain=0), alpha=spend(look, 0.05))[0] > 0

    false = sum(any(wins(look) for look in range(1, 21)) for _ in range(150))
    assert false / 150 <= 0.07


def test_a_real_gain_is_seen_most_of_the_time() -> None:
    rng = np.random.default_rng(SEED)
    seen = sum(interval(*turns(rng, users=60, gain=0.05), alpha=spend(1, 0.05))[0] > 0 for _ in range(200))
    assert seen / 200 >= 0.7


def test_the_users_said_to_be_needed_are_enough_four_times_out_of_five() -> None:
    rng = np.random.default_rng(SEED)
    gain, alpha, users = 0.02, 0.05, 40
    sums, counts = turns(rng, users=users, gain=gain)
    frame = pl.DataFrame({"user": [f"u{n:03}" for n in range(users)], "item": [f"i{n:03}" for n in range(users)]})
    found = compare(frame.with_columns(gain=pl.Series(sums / counts), score=0.5, score_champion=0.5), alpha=alpha)
    assert found is not None
    needed = found.users_needed(gain)
    assert needed > users
    sample = (rng.normal(gain, (sums / counts).std(ddof=1), needed) for _ in range(200))
    seen = sum(interval(each, np.ones(needed), alpha=alpha)[0] > 0 for each in sample)
    assert 0.7 <= seen / 200 <= 0.92
