"""Looks at items are counted and spent, whatever their set is called, and the ledger cannot be changed unseen."""

import json
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.gate.ledger import Look, broken, budget_left, next_look, opening, spend, still_sealed
from flywheel.tables import Looks, Verdicts

OLD, FRESH = [f"old{n}" for n in range(8)], [f"fresh{n}" for n in range(8)]
WHO = {"workload": "replies", "eval_set": "e1", "champion": "old", "cycle": 1}


def look(looks: pl.DataFrame, candidate: str, items: list[str] = OLD, *, alpha: float = 0.05, **named: Any) -> Look:
    return next_look(looks, **(WHO | {"candidate": candidate, "items": items, "alpha": alpha} | named))


def written(*looked: tuple[str, list[str]]) -> pl.DataFrame:
    """A ledger with a look of each candidate at its items."""
    looks = Looks.create_empty()
    for candidate, items in looked:
        looks = pl.concat([looks, look(looks, candidate, items).row])
    return looks


def verdicts(of: Look, **changed: Any) -> pl.DataFrame:
    row: dict[str, Any] = dict.fromkeys(Verdicts.columns())
    row |= {"workload": "replies", "cycle": 1, "candidate": "a", "champion": "old", "eval_set": "e1", "dataset": "d"}
    row |= {"verdict": "hold", "reason": "", "items": 8, "users": 8, "look": of.look, "reasons": [""]}
    row |= {"details": json.dumps({"spent": {"digest": of.digest}})} | changed
    return Verdicts.validate(pl.DataFrame([row], infer_schema_length=None), cast=True)


@given(alpha=st.floats(min_value=1e-6, max_value=0.5), looks=st.integers(min_value=1, max_value=5000))
def test_all_looks_at_the_same_items_spend_no_more_than_alpha(alpha: float, looks: int) -> None:
    spent = [spend(number, alpha) for number in range(1, looks + 1)]
    assert sum(spent) <= alpha
    assert all(later < earlier for earlier, later in pairwise(spent))


def test_each_candidate_is_a_look_of_its_own() -> None:
    looks = written(("a", OLD), ("b", OLD), ("c", OLD))
    assert looks["look"].to_list() == [1, 2, 3]
    assert looks["alpha"].to_list() == pytest.approx([spend(number, 0.05) for number in (1, 2, 3)])
    assert look(looks, "d").left == pytest.approx(1 - sum(spend(number, 1.0) for number in (1, 2, 3, 4)))


def test_the_same_two_models_on_the_same_items_are_the_same_look() -> None:
    looks = written(("a", OLD), ("b", OLD))
    again = look(looks, "a", OLD[::-1], alpha=0.4, cycle=9)
    assert (again.look, again.alpha, again.is_new) == (1, looks["alpha"][0], False)
    assert again.left == look(Looks.create_empty(), "a").left
    assert again.digest == looks["digest"][0]


@pytest.mark.parametrize(("changed", "items"), [({"champion": "b"}, OLD), ({}, OLD[:-1]), ({}, [*OLD, "one more"])])
def test_another_champion_or_other_items_are_another_look(changed: dict[str, str], items: list[str]) -> None:
    assert look(written(("a", OLD), ("b", OLD)), "a", items, **changed).look == 3


def test_another_name_for_the_set_refills_nothing() -> None:
    looks = written(("a", OLD), ("b", OLD))
    assert look(looks, "c", eval_set="e2").alpha == pytest.approx(spend(3, 0.05))


def test_another_workload_has_a_ledger_of_its_own() -> None:
    told = look(written(("a", OLD)), "c", workload="sql")
    assert (told.look, told.alpha) == (1, pytest.approx(spend(1, 0.05)))


def test_exchanging_items_refills_only_what_is_fresh() -> None:
    looks = written(("a", OLD), ("b", OLD))
    mixed = look(looks, "c", OLD[:6] + FRESH[:2])
    assert mixed.alpha == pytest.approx((6 * spend(3, 0.05) + 2 * spend(1, 0.05)) / 8)
    away_and_back = written(("a", OLD), ("b", FRESH))
    assert look(away_and_back, "c", OLD).alpha == pytest.approx(spend(2, 0.05))


@settings(max_examples=50, deadline=None)
@given(sets=st.lists(st.sets(st.sampled_from(OLD), min_size=1), min_size=1, max_size=8))
def test_however_items_are_mixed_they_never_spend_more_than_their_own_shares(sets: list[set[str]]) -> None:
    looks = written(*((f"c{n}", sorted(items)) for n, items in enumerate(sets)))
    share = {item: sum(item in items for items in sets) for item in OLD}
    spent = sum(alpha * len(items) for alpha, items in zip(looks["alpha"], sets, strict=True))
    assert spent == pytest.approx(sum(spend(t, 0.05) for times in share.values() for t in range(1, times + 1)))
    assert 0 < budget_left(looks, workload="replies", items=OLD) <= 1


def test_the_budget_is_whole_for_fresh_items_and_falls_with_each_look() -> None:
    left = [budget_left(written(*[(f"c{k}", OLD) for k in range(n)]), workload="replies", items=OLD) for n in range(4)]
    assert left[0] == 1
    assert left[1] == pytest.approx(1 - spend(1, 1.0))
    assert all(later < earlier for earlier, later in pairwise(left))
    assert budget_left(written(("a", OLD)), workload="replies", items=FRESH) == 1


# ---- the chain -------------------------------------------------------------------------------------------------------


def test_a_ledger_as_it_was_written_is_whole() -> None:
    looks = written(("a", OLD), ("b", OLD))
    assert broken(looks, Verdicts.create_empty(), workload="replies") == []
    assert broken(looks.reverse(), verdicts(look(looks, "a")), workload="replies") == []


@pytest.mark.parametrize(
    ("column", "value"),
    [("alpha", 0.5), ("candidate", "x"), ("champion", "x"), ("items", ["old1"]), ("cycle", 7), ("role", "sealed")],
)
@pytest.mark.parametrize("row", [0, 1])
def test_a_changed_row_is_seen(column: str, value: object, row: int) -> None:
    rows = written(("a", OLD), ("b", OLD), ("c", OLD)).to_dicts()
    rows[row][column] = value
    changed = Looks.validate(pl.DataFrame(rows), cast=True)
    (sentence,) = broken(changed, Verdicts.create_empty(), workload="replies")
    assert f"look {row + 1} is not as it was written" in sentence


def test_a_missing_row_is_seen() -> None:
    looks = written(("a", OLD), ("b", OLD), ("c", OLD))
    (gap,) = broken(looks.filter(pl.col("look") != 2), Verdicts.create_empty(), workload="replies")
    assert "look 2 is missing" in gap
    renumbered = looks.filter(pl.col("look") != 2).with_columns(look=pl.Series([1, 2]))
    assert broken(renumbered, Verdicts.create_empty(), workload="replies")
    assert broken(looks.filter(pl.col("look") != 1), Verdicts.create_empty(), workload="replies")


def test_a_verdict_remembers_its_look_when_the_end_of_the_ledger_was_cut_or_written_anew() -> None:
    third = look(written(("x", OLD), ("y", OLD)), "a")
    cut, anew = written(("x", OLD), ("y", OLD)), written(("x", OLD), ("z", OLD))
    whole = pl.concat([cut, third.row])
    assert broken(whole, verdicts(third), workload="replies") == []
    assert "verdict of cycle 1 is missing" in broken(cut, verdicts(third), workload="replies")[0]
    forged = pl.concat([anew, look(anew, "a").row])
    assert "verdict of cycle 1 is missing" in broken(forged, verdicts(third), workload="replies")[0]
    assert broken(whole, verdicts(third, candidate="b"), workload="replies")


# ---- the sealed set --------------------------------------------------------------------------------------------------

SEALED = pl.DataFrame({"item": [f"s{n}" for n in range(10)], "role": "sealed"})


def open_for(looks: pl.DataFrame, candidate: str, most: int = 4) -> list[str]:
    return still_sealed(SEALED, looks, workload="replies", candidate=candidate, most=most)


def opened(looks: pl.DataFrame, candidate: str, items: list[str]) -> pl.DataFrame:
    return pl.concat([looks, opening(looks, **(WHO | {"candidate": candidate, "items": items})).row])


def test_sealed_items_are_opened_by_one_candidate_and_no_other() -> None:
    first = open_for(Looks.create_empty(), "a")
    looks = opened(Looks.create_empty(), "a", first)
    second = open_for(looks, "b")
    assert len(first) == len(second) == 4
    assert not set(first) & set(second)
    assert open_for(looks, "a") == first
    assert open_for(opened(looks, "b", second), "c") == []
    assert open_for(opened(looks, "b", second), "c", most=2) != []


def test_an_opening_spends_nothing_and_is_written_once() -> None:
    looks = written(("a", OLD))
    there = opening(looks, **(WHO | {"candidate": "a", "items": ["s1"]}))
    assert (there.alpha, there.look, there.row["role"][0]) == (0.0, 2, "sealed")
    again = opening(pl.concat([looks, there.row]), **(WHO | {"candidate": "a", "items": ["s1"]}))
    assert (again.look, again.is_new) == (2, False)
    assert broken(pl.concat([looks, there.row]), Verdicts.create_empty(), workload="replies") == []


def test_which_sealed_items_are_opened_is_told_by_their_hashes_alone() -> None:
    backwards = still_sealed(SEALED.reverse(), Looks.create_empty(), workload="replies", candidate="z", most=4)
    assert backwards == open_for(Looks.create_empty(), "a") != sorted(SEALED["item"])[:4]


def test_too_few_unopened_items_are_no_sealed_set() -> None:
    assert open_for(Looks.create_empty(), "a", most=11) == []
    assert open_for(Looks.create_empty(), "a", most=0) == []
    looked = written(("b", ["s0", "s1", "s2"]))
    assert open_for(looked, "a", most=8) == []
    assert set(open_for(looked, "a", most=7)) == {f"s{n}" for n in range(3, 10)}
