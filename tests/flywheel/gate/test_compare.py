"""The paired gain and its interval: clustered by user, blind to order, honest at late looks, blind to mere length."""

import random

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import stdtrit

from flywheel.gate.compare import Comparison, by_slice, compare, estimate, holm, length_control
from flywheel.gate.ledger import spend
from flywheel.gate.pairing import Scored, drawn, pair, paired, unfit
from flywheel.settings import Gate
from tests.flywheel.gate.workbench import scores

SCORES = st.floats(min_value=0, max_value=1, allow_nan=False)
ROWS = st.lists(st.tuples(st.sampled_from("abcdefgh"), SCORES, SCORES), min_size=1, max_size=40)


def both(rows: list[tuple[str, float | None, float | None]]) -> pl.DataFrame:
    """Pairs of user, candidate's score and champion's."""
    users = [user for user, _, _ in rows]
    candidate, champion = (scores([row[side] for row in rows], users) for side in (1, 2))
    return paired(candidate, candidate, champion)


def found(pairs: pl.DataFrame, alpha: float = 0.05) -> Comparison:
    told = compare(pairs, alpha=alpha)
    assert told is not None
    return told


@settings(max_examples=25, deadline=None)
@given(rows=ROWS, order=st.randoms(use_true_random=False))
def test_order_of_rows_changes_nothing(rows: list[tuple[str, float, float]], order: random.Random) -> None:
    pairs = both(rows)
    shuffled = list(range(len(pairs)))
    order.shuffle(shuffled)
    assert compare(pairs[shuffled], alpha=0.05) == compare(pairs, alpha=0.05)
    assert by_slice(pairs[shuffled], tested_from=2).equals(by_slice(pairs, tested_from=2))


@settings(max_examples=25, deadline=None)
@given(rows=ROWS)
def test_the_interval_holds_the_gain_and_turns_with_the_sides(rows: list[tuple[str, float, float]]) -> None:
    there = found(both(rows))
    back = found(both([(user, champion, candidate) for user, candidate, champion in rows]))
    assert there.low <= there.gain <= there.high
    assert there.gain == pytest.approx(there.candidate_score - there.champion_score)
    assert (back.gain, back.low, back.high) == pytest.approx((-there.gain, -there.high, -there.low))


@settings(max_examples=25, deadline=None)
@given(rows=ROWS)
def test_asking_for_more_certainty_never_narrows(rows: list[tuple[str, float, float]]) -> None:
    loose, strict = (found(both(rows), alpha) for alpha in (0.1, 0.01))
    assert strict.low <= loose.low
    assert loose.high <= strict.high
    assert strict.level == pytest.approx(0.98)


def test_the_interval_of_a_known_case() -> None:
    """Four users of one item: gains 0.1, 0.2, 0.3, 0.4; t with 3 degrees of freedom at 2.5 % is 3.182."""
    told = found(both([(user, gain, 0.0) for user, gain in zip("abcd", (0.1, 0.2, 0.3, 0.4), strict=True)]), 0.025)
    error = np.std([0.1, 0.2, 0.3, 0.4], ddof=1) / 2
    assert (told.gain, told.error) == pytest.approx((0.25, error))
    assert told.high - told.gain == pytest.approx(3.182 * error, rel=1e-3)


def test_more_items_of_the_same_users_are_no_more_evidence() -> None:
    gains = np.random.default_rng(1).normal(0.05, 0.1, 30)
    once = estimate(gains, np.arange(30), alpha=0.05)
    ten_times = estimate(np.repeat(gains, 10), np.repeat(np.arange(30), 10), alpha=0.05)
    assert (ten_times.low, ten_times.high) == pytest.approx((once.low, once.high))


def test_one_user_alone_says_nothing_of_others() -> None:
    told = found(both([("a", 1.0, 0.0)] * 50))
    assert (told.low, told.high, told.users) == (-np.inf, np.inf, 1)


def test_holes_leave_the_item_out_of_both_sides() -> None:
    told = found(both([("a", 1.0, 0.5), ("a", None, 0.5), ("b", 1.0, None), ("b", 1.0, 0.5), ("c", 1.0, 0.5)]))
    assert (told.items, told.users, told.gain) == (3, 3, 0.5)
    assert (told.candidate_score, told.champion_score) == (1.0, 0.5)


def test_nothing_answered_is_nothing_compared() -> None:
    assert compare(both([("a", None, 0.5)]), alpha=0.05) is None


# ---- what may not be compared ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("candidate", "said"),
    [
        (pl.concat([scores([0.1, 0.2]), scores([0.1])]), "more than one score of the candidate"),
        (scores([0.1, 0.2, 0.3]), "1 scores of the candidate are of other items"),
        (scores([0.1, 0.2], ["x", "u00001"]), "1 scores of the candidate are of other items, users"),
        (scores([0.1, float("nan")]), "1 scores of the candidate are no finite numbers"),
        (scores([float("inf"), None]), "1 scores of the candidate are no finite numbers"),
    ],
    ids=["doubled", "another item", "another user", "nan", "infinite"],
)
def test_scores_that_cannot_be_are_never_paired(candidate: pl.DataFrame, said: str) -> None:
    items = scores([0.0, 0.0])
    (sentence,) = unfit(items, candidate, items)
    assert said in sentence
    assert said.replace("candidate", "champion") in unfit(items, items, candidate)[0]
    pairing = pair(items, Scored(candidate=candidate, champion=items), Gate())
    assert not pairing.comparable
    assert pairing.pairs.is_empty()


def test_a_missing_row_is_a_hole() -> None:
    items = scores([0.0] * 40)
    pairing = pair(items, Scored(candidate=items.head(38), champion=items), Gate())
    assert (pairing.holes, pairing.asked, len(pairing.pairs), pairing.comparable) == (2, 40, 38, True)


# ---- at most so many items of a user --------------------------------------------------------------------------------


def test_of_a_user_with_many_items_some_are_drawn_by_hash_and_it_is_said() -> None:
    pairs = both([("busy", 1.0, 0.5)] * 50 + [("calm", 1.0, 0.5)] * 10)
    kept, said = drawn(pairs, 10)
    assert kept["user"].value_counts().sort("user")["count"].to_list() == [10, 10]
    assert said == "1 users have more than 10 items: 10 of each were drawn by hash, 40 items left out"
    assert drawn(pairs.reverse(), 10)[0].sort("item").equals(kept.sort("item"))
    assert set(kept.filter(user="busy")["item"]) != set(pairs["item"].head(10))


def test_where_nobody_has_many_items_all_are_kept_in_silence() -> None:
    pairs = both([("a", 1.0, 0.5)] * 10 + [("b", None, 0.5)] * 20)
    kept, said = drawn(pairs, 10)
    assert (len(kept), said) == (10, "")


# ---- what length alone wins ------------------------------------------------------------------------------------------


def longer(*, effect: float, by_length: float, seed: int = 0) -> pl.DataFrame:
    """A judge's gains where the candidate is mostly longer, its text worth `effect`, its length `by_length`."""
    rng = np.random.default_rng(seed)
    control = np.tanh(rng.normal(1.0, 1.0, 600))
    gains = effect + by_length * control + rng.normal(0, 0.3, 600)
    zero = scores([0.0] * 600)
    return paired(zero, zero.with_columns(score=pl.Series(gains), control=pl.Series(control)), zero)


def test_what_length_alone_wins_is_taken_out() -> None:
    pairs = longer(effect=0.0, by_length=0.3)
    raw, controlled = found(pairs.drop("control"), 0.025), found(pairs, 0.025)
    assert raw.low > 0
    assert controlled.low < 0 < controlled.high
    assert controlled.raw == pytest.approx(raw.gain)
    assert controlled.slope == pytest.approx(0.3, abs=0.1)


def test_a_better_text_still_wins_with_its_length_taken_out() -> None:
    told = found(longer(effect=0.15, by_length=0.3), 0.025)
    assert told.low > 0
    assert told.gain == pytest.approx(0.15, abs=0.05)


def test_a_control_that_never_varies_cannot_be_told_from_the_gain() -> None:
    pairs = longer(effect=0.5, by_length=0.0)
    assert found(pairs.with_columns(control=0.0)) == found(pairs.drop("control"))
    stuck = found(pairs.with_columns(control=1.0))
    assert (stuck.low, stuck.high) == (-np.inf, np.inf)


def test_an_item_whose_control_is_unknown_is_a_hole() -> None:
    zero = scores([0.0] * 3)
    pairs = paired(zero, zero.with_columns(control=pl.Series([0.1, None, float("nan")])), zero)
    assert pairs["gain"].to_list() == [0.0, None, None]


def test_length_is_told_in_words_and_standard_deviations() -> None:
    control = length_control(pl.Series(["a b c", "a", "a b"]), pl.Series(["a", "a b c", "b a"]))
    assert control.to_list() == pytest.approx([np.tanh(1), -np.tanh(1), 0.0])
    assert length_control(pl.Series(["a b", "c d"]), pl.Series(["a", "c"])).to_list() == [1.0, 1.0]


# ---- slices ----------------------------------------------------------------------------------------------------------


def sliced(sizes: dict[str, int], gains: dict[str, float], seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    names = [name for name, size in sizes.items() for _ in range(size)]
    zero = scores([0.0] * len(names)).with_columns(slice=pl.Series(names))
    score = [gains[name] + rng.normal(0, 0.1) for name in names]
    return paired(zero, zero.with_columns(score=pl.Series(score)), zero)


def test_slices_are_told_from_thirty_items_and_tested_from_a_hundred() -> None:
    pairs = sliced({"big": 100, "middle": 99, "small": 29}, {"big": -0.2, "middle": -0.2, "small": -0.2})
    rows = {row["slice"]: row for row in by_slice(pairs, tested_from=100).iter_rows(named=True)}
    assert rows["big"]["harm"] < 1e-6
    assert rows["middle"]["harm"] is None
    assert rows["middle"]["gain"] == pytest.approx(-0.2, abs=0.05)
    assert rows["middle"]["high"] < 0
    assert (rows["small"]["gain"], rows["small"]["low"], rows["small"]["items"]) == (None, None, 29)


def test_a_slice_has_the_numbers_that_it_would_have_alone() -> None:
    pairs = sliced({"a": 120, "b": 80}, {"a": 0.1, "b": -0.1}).with_columns(user=pl.col("item").str.slice(0, 5))
    for row in by_slice(pairs, tested_from=100).iter_rows(named=True):
        alone = found(pairs.filter(slice=row["slice"]), 0.025)
        assert (row["gain"], row["low"], row["high"]) == pytest.approx((alone.gain, alone.low, alone.high))
        assert (row["items"], row["users"]) == (alone.items, alone.users)


def test_among_many_harmless_slices_none_is_blamed() -> None:
    """Fifty slices that lost nothing: unadjusted, one of twenty would look harmed; adjusted, one of twenty times."""
    names = {f"s{number:02}": 100 for number in range(50)}
    told = [by_slice(sliced(names, dict.fromkeys(names, 0.0), seed), tested_from=100) for seed in range(20)]
    assert sum((each["harm"] < 0.05).any() for each in told) <= 4


def test_holm_by_hand() -> None:
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.9, 0.8])).tolist() == [1.0, 1.0]
    assert holm(np.array([])).tolist() == []


# ---- what the interval promises, by simulation ----------------------------------------------------------------------


def turns(rng: np.random.Generator, *, users: int, gain: float) -> tuple[np.ndarray, np.ndarray]:
    """Gains and whose they are: users differ, items differ more, some users write a lot."""
    whose = np.repeat(np.arange(users), 1 + rng.poisson(4, users))
    return rng.normal(gain, 0.05, users)[whose] + rng.normal(0, 0.25, len(whose)), whose


@pytest.mark.parametrize("users", [20, 60])
def test_twenty_equal_candidates_hardly_ever_win(users: int) -> None:
    rng = np.random.default_rng(1)

    def wins(look: int) -> bool:
        return estimate(*turns(rng, users=users, gain=0), alpha=spend(look, 0.05)).low > 0

    false = sum(any(wins(look) for look in range(1, 21)) for _ in range(150))
    assert false / 150 <= 0.07


def test_small_gains_for_most_and_rare_great_losses_are_no_gain() -> None:
    """Equal on average, one user in twenty far worse off: Student's t alone is wrong four times as often as allowed."""
    rng = np.random.default_rng(1)
    draws = (np.where(rng.random(200) < 0.05, -0.95, 0.05) for _ in range(1_000))
    told = [estimate(gains, np.arange(200), alpha=0.0152) for gains in draws]
    assert sum(each.gain - 2.18 * each.error > 0 for each in told) / 1_000 > 0.04
    assert sum(each.low > 0 for each in told) / 1_000 <= 0.0152


@settings(max_examples=50, deadline=None)
@given(gains=st.lists(st.floats(min_value=-1, max_value=1), min_size=2, max_size=30))
def test_skewness_only_ever_widens(gains: list[float]) -> None:
    told = estimate(np.array(gains), np.arange(len(gains)), alpha=0.025)
    reach = -stdtrit(len(gains) - 1, 0.025) * told.error
    assert told.low <= told.gain - reach
    assert told.high >= told.gain + reach


def test_the_items_said_to_be_needed_are_enough_four_times_out_of_five() -> None:
    rng = np.random.default_rng(1)
    gains = rng.normal(0.02, 0.1, 40)
    zero = scores([0.0] * 40)
    told = found(paired(zero, zero.with_columns(score=pl.Series(gains)), zero))
    needed = told.items_needed(0.02)
    assert needed is not None
    assert needed > 40
    sample = (rng.normal(0.02, gains.std(ddof=1), needed) for _ in range(400))
    seen = sum(estimate(each, np.arange(needed), alpha=0.05).low > 0 for each in sample)
    assert 0.75 <= seen / 400 <= 0.88
