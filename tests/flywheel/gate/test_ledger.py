"""Looks at an eval set are counted and spent."""

from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.gate.ledger import Look, next_look, spend
from flywheel.tables import Looks


def look(
    looks: pl.DataFrame, candidate: str, *, eval_set: str = "e1", champion: str = "old", alpha: float = 0.05
) -> Look:
    return next_look(looks, workload="replies", eval_set=eval_set, candidate=candidate, champion=champion, alpha=alpha)


def written(*candidates: str) -> pl.DataFrame:
    rows = [
        {
            "workload": "replies",
            "eval_set": "e1",
            "look": n,
            "candidate": name,
            "champion": "old",
            "alpha": spend(n, 0.05),
        }
        for n, name in enumerate(candidates, start=1)
    ]
    return Looks.validate(pl.DataFrame(rows), cast=True)


@given(alpha=st.floats(min_value=1e-6, max_value=0.5), looks=st.integers(min_value=1, max_value=5000))
def test_all_looks_together_spend_no_more_than_alpha(alpha: float, looks: int) -> None:
    spent = [spend(number, alpha) for number in range(1, looks + 1)]
    assert sum(spent) <= alpha
    assert all(later < earlier for earlier, later in pairwise(spent))


def test_each_candidate_is_a_look_of_its_own() -> None:
    assert look(Looks.create_empty(), "a") == Look(look=1, alpha=spend(1, 0.05), is_new=True)
    assert look(written("a", "b"), "c") == Look(look=3, alpha=spend(3, 0.05), is_new=True)


def test_the_same_two_models_again_are_the_same_look() -> None:
    assert look(written("a", "b"), "a", alpha=0.4) == Look(look=1, alpha=spend(1, 0.05), is_new=False)


def test_another_champion_is_another_look() -> None:
    assert look(written("a", "b"), "a", champion="b").look == 3


def test_another_eval_set_or_workload_starts_anew() -> None:
    assert look(written("a", "b"), "c", eval_set="e2").look == 1
    elsewhere = written("a", "b").with_columns(workload=pl.lit("sql"))
    assert look(elsewhere, "c") == Look(look=1, alpha=pytest.approx(spend(1, 0.05)), is_new=True)
