"""Promise 10: a rate has its n and its interval, and the interval holds what it should, also when users differ."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.health.rates import interval, rates

COUNTS = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20)).map(lambda pair: (min(pair), pair[1])), min_size=1)


@given(counts=COUNTS)
def test_the_interval_holds_the_rate_and_stays_between_none_and_all(counts: list[tuple[int, int]]) -> None:
    found = interval([acted for acted, _ in counts], [shown for _, shown in counts])
    assert 0 <= found.low <= found.rate + 1e-9
    assert found.rate - 1e-9 <= found.high <= 1


@given(counts=COUNTS)
def test_the_order_of_users_does_not_matter(counts: list[tuple[int, int]]) -> None:
    acted, shown = [acted for acted, _ in counts], [shown for _, shown in counts]
    assert interval(acted, shown) == pytest.approx(interval(acted[::-1], shown[::-1]))


def test_the_interval_covers_the_truth_although_each_user_has_habits() -> None:
    draw = np.random.default_rng(7)
    covered = 0
    for _ in range(400):
        habits = draw.beta(2, 6, size=80)
        shown = draw.integers(3, 15, size=80)
        acted = draw.binomial(shown, habits)
        found = interval(acted.tolist(), shown.tolist())
        covered += found.low <= 0.25 <= found.high
    assert covered / 400 > 0.92


def test_each_cycle_counts_what_it_saw_and_open_conversations_are_not_abandoned() -> None:
    def day(number: int) -> datetime:
        return datetime(2026, 1, number, 12, tzinfo=UTC)

    exchanges = pl.DataFrame({
        "workload": "drafts",
        "answer": ["a", "b", "c", "d"],
        "time": [day(5), day(6), day(12), day(13)],
        "user": ["u", "v", "u", "v"],
        "slice": ["retail", "bank", "retail", "bank"],
        "closed": [True, True, True, False],
    }).cast({"time": pl.Datetime("us", "UTC")})  # fmt: skip
    signals = pl.DataFrame({"workload": "drafts", "answer": ["a", "c", "c"], "kind": ["edit", "edit", "abandonment"]})
    cutoffs = pl.DataFrame({"cycle": [1, 2], "cutoff": [day(10), day(20)]}).cast({"cutoff": pl.Datetime("us", "UTC")})
    found = {
        (row["cycle"], row["slice"], row["kind"]): row
        for row in rates(exchanges, signals, cutoffs).iter_rows(named=True)
    }
    assert (found[1, "all", "edit"]["rate"], found[1, "all", "edit"]["n"]) == (0.5, 2)
    assert (found[2, "retail", "edit"]["rate"], found[2, "bank", "edit"]["rate"]) == (1.0, 0.0)
    assert (found[2, "all", "abandonment"]["rate"], found[2, "all", "abandonment"]["n"]) == (1.0, 1)
