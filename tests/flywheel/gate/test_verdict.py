"""The gate as a whole: three verdicts, and everything that must not win."""

from collections.abc import Callable

import polars as pl
import pytest

from flywheel.errors import BrokenInvariant
from flywheel.gate.ledger import spend
from flywheel.lake import validated
from flywheel.settings import Check, Gate
from tests.flywheel.gate.workbench import eval_items, judged, model, reworded, verdict

ITEMS = eval_items()
WEAK, BETTER = model(ITEMS, right=0.6, seed=1), model(ITEMS, right=0.75, seed=2)
PERFECT = dict(ITEMS.select("item", "reference").iter_rows())


def test_a_better_candidate_is_promoted_with_its_numbers() -> None:
    found = judged(ITEMS, BETTER, WEAK)
    row = verdict(found)
    assert row["verdict"] == "promote"
    assert row["low"] > 0
    assert row["gain"] == pytest.approx(0.15, abs=0.03)
    assert (row["items"], row["users"], row["look"], row["cycle"], row["champion"]) == (300, 60, 1, 3, "old")
    assert row["level"] == pytest.approx(1 - 2 * spend(1, 0.025))
    for number in (f"{row['gain']:+.3f}", f"{row['low']:+.3f}", "300 items", "60 users", "look 1"):
        assert number in row["reason"]
    assert found.look.rows(named=True)[0]["alpha"] == pytest.approx(spend(1, 0.025))
    assert set(found.slices["slice"]) == {"bank", "shop"}
    assert len(found.scores) == 300


def test_a_worse_candidate_is_rejected() -> None:
    row = verdict(judged(ITEMS, WEAK, BETTER))
    assert row["verdict"] == "reject"
    assert row["high"] < 0


def test_an_equal_candidate_is_held_and_says_what_it_would_take() -> None:
    row = verdict(judged(ITEMS, model(ITEMS, right=0.605, seed=3), WEAK))
    assert row["verdict"] == "hold"
    assert row["low"] <= 0 <= row["high"]
    assert "it takes about" in row["reason"]


def test_a_gain_too_small_to_matter_is_held() -> None:
    row = verdict(judged(ITEMS, BETTER, WEAK, gate=Gate(min_gain=0.5)))
    assert (row["verdict"], row["low"] > 0) == ("hold", True)
    assert "less than the 0.5" in row["reason"]


def test_too_few_users_are_held_however_good() -> None:
    items = eval_items(10, 30)
    row = verdict(judged(items, dict(items.select("item", "reference").iter_rows()), model(items, right=0.5)))
    assert (row["verdict"], row["low"] > 0) == ("hold", True)
    assert "10 where 50" in row["reason"]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: PERFECT["i0000"],
        lambda text: f"{text} and we also want to tell you something more",
        lambda text: " ".join(text.split()[:4] * 3),
    ],
    ids=["empty", "constant", "merely longer", "circles"],
)
@pytest.mark.parametrize("right", [0.0, 0.6], ids=["useless champion", "fair champion"])
def test_what_must_not_win_does_not(change: Callable[[str], str], right: float) -> None:
    row = verdict(judged(ITEMS, reworded(PERFECT, change), model(ITEMS, right=right, seed=1)))
    assert row["verdict"] == "reject"
    assert row["gain"] is not None


def test_the_champion_padded_does_not_beat_itself() -> None:
    row = verdict(judged(ITEMS, reworded(WEAK, lambda text: f"{text} thanks"), WEAK))
    assert row["verdict"] != "promote"


def test_checks_count_as_much_as_agreement() -> None:
    greets = (Check(name="greets", matches="^Hi"),)
    polite = reworded(WEAK, lambda text: f"Hi {text}")
    assert verdict(judged(ITEMS, polite, WEAK))["verdict"] != "promote"
    assert verdict(judged(ITEMS, polite, WEAK, checks=greets))["verdict"] == "promote"


@pytest.mark.parametrize(("holes", "expected"), [(15, "promote"), (16, "hold")])
def test_holes_are_left_out_of_both_and_too_many_are_held(holes: int, expected: str) -> None:
    candidate = {item: text for item, text in BETTER.items() if item >= f"i{holes // 2:04}"}
    champion = {item: text for item, text in WEAK.items() if item < f"i{300 - (holes - holes // 2):04}"}
    row = verdict(judged(ITEMS, candidate, champion))
    assert (row["verdict"], row["items"]) == (expected, 300 - holes)
    assert (f"{holes} of 300 items lack" in row["reason"]) is (expected == "hold")


def test_no_answers_at_all_are_held_without_numbers() -> None:
    row = verdict(judged(ITEMS, {}, WEAK))
    assert (row["verdict"], row["gain"], row["items"]) == ("hold", None, 0)


def test_the_champion_against_itself_is_held_and_spends_nothing() -> None:
    found = judged(ITEMS, WEAK, WEAK, candidate="old")
    row = verdict(found)
    assert (row["verdict"], row["look"], row["gain"]) == ("hold", 0, None)
    assert found.look.is_empty()
    assert verdict(found.because("only 3 pairs"))["reason"] == "only 3 pairs"


def test_looks_are_spent_once_each_and_raise_the_bar() -> None:
    first = judged(ITEMS, BETTER, WEAK)
    second = judged(ITEMS, BETTER, WEAK, looks=first.look, candidate="newer")
    again = judged(ITEMS, BETTER, WEAK, looks=pl.concat([first.look, second.look]))
    assert (verdict(second)["look"], len(second.look)) == (2, 1)
    assert verdict(second)["low"] < verdict(first)["low"]
    assert again.look.is_empty()
    assert verdict(again) == verdict(first)


def test_the_order_of_rows_and_answers_changes_nothing() -> None:
    backwards = dict(reversed(BETTER.items()))
    there, back = judged(ITEMS, BETTER, WEAK), judged(ITEMS.reverse(), backwards, WEAK)
    assert there.verdict.equals(back.verdict)
    assert there.scores.equals(back.scores)
    assert there.slices.equals(back.slices)


def test_rows_fit_their_tables() -> None:
    found = judged(ITEMS, BETTER, WEAK)
    assert validated("verdicts", found.verdict).equals(found.verdict)
    assert validated("looks", found.look).equals(found.look)


@pytest.mark.parametrize(
    "items",
    [
        pl.concat([eval_items(2, 2), eval_items(2, 2, eval_set="e2")]),
        eval_items(2, 2, workload="sql"),
        eval_items(1, 1).clear(),
    ],
    ids=["two eval sets", "another workload", "no items"],
)
def test_only_one_eval_set_of_the_workload_is_judged(items: pl.DataFrame) -> None:
    with pytest.raises(BrokenInvariant, match="one eval set"):
        judged(items, {}, {})
