"""Promises 2 and 5 over random logs: nothing stands on two sides, and the same tables give the same dataset."""

from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flywheel.datasets import Cut, cut, sealed
from flywheel.datasets.grams import normalised
from flywheel.errors import Terminal
from flywheel.settings import Gate, Workload
from tests.flywheel.datasets.worlds import a_world, stored

RULES = Workload(
    base_model="none", holdout=0.4, development=0.3, eval_items=12, gate=Gate(min_users=2, sealed_items=10)
)
SEEDS = st.integers(0, 10**6)


def turned(seed: int, *, shuffled: int | None = None) -> tuple[Cut, pl.DataFrame]:
    with TemporaryDirectory() as folder:
        lake = stored(Path(folder), a_world(seed), shuffled=shuffled)
        try:
            made = cut(lake, "drafts", RULES)
        except Terminal as error:
            assume("no eval set is frozen" not in str(error))
            raise
        return made, sealed(lake, "drafts")


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS)
def test_nobody_and_nothing_is_on_two_sides(seed: int) -> None:
    made, kept = turned(seed)
    asked = pl.col("prompt").str.json_path_match("$[0].content").alias("request")
    sides = {name: made.rows.filter(split=name).with_columns(asked) for name in ("train", "development")}
    for one, other in combinations((*sides.values(), made.items, kept), 2):
        for column in ("user", "conversation"):
            assert not set(one[column]) & set(other[column]), column
        for text in one["request"].unique():
            assert not any(likeness(text, known) >= 0.8 for known in other["request"].unique()), text


@settings(max_examples=6, deadline=None)
@given(seed=SEEDS, shuffled=st.integers(0, 99))
def test_the_same_tables_give_the_same_dataset_and_sets(seed: int, shuffled: int) -> None:
    (one, its), (other, others) = turned(seed), turned(seed, shuffled=shuffled)
    assert one.dataset.equals(other.dataset)
    assert one.rows.equals(other.rows.select(one.rows.columns))
    assert one.items.equals(other.items)
    assert its.equals(others)


def likeness(one: str, other: str) -> float:
    """Jaccard of 5-word runs, the plain way."""
    first, second = runs(one), runs(other)
    return len(first & second) / len(first | second)


def runs(text: str) -> set[tuple[str, ...]]:
    words = normalised(pl.Series([text]))[0].split()
    return {tuple(words[start : start + 5]) for start in range(max(1, len(words) - 4))}
