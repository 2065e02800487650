"""The gate as a whole: three verdicts, and everything that must not win."""

import json
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from flywheel.errors import BrokenInvariant
from flywheel.gate.forgetting import Forgetting
from flywheel.gate.ledger import broken, spend
from flywheel.gate.pairing import Scored
from flywheel.gate.scorers.rows import answered
from flywheel.gate.scorers.sent import score
from flywheel.gate.verdict import Judged, confirmed, look_at
from flywheel.lake import validated
from flywheel.settings import Check, Gate, Scorer
from flywheel.tables import Looks, Verdicts
from tests.flywheel.gate.workbench import eval_items, judged, model, reworded, scored, trial, verdict

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
    assert f"it takes about {row['n_needed']} items" in row["reason"]
    assert row["n_needed"] > 300
    assert row["reasons"][0] == row["reason"]


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


def test_a_look_is_written_before_anything_is_compared_and_found_again() -> None:
    before = look_at(
        items=ITEMS,
        primary=scored(ITEMS, BETTER, WEAK),
        trial=trial(),
        looks=Looks.create_empty(),
        verdicts=Verdicts.create_empty(),
        gate=Gate(),
    )
    assert before is not None
    after = judged(ITEMS, BETTER, WEAK, looks=before.row)
    assert after.look.is_empty()
    assert verdict(after) == verdict(judged(ITEMS, BETTER, WEAK))
    assert details(after)["spent"] == {
        "look": 1,
        "alpha": before.alpha,
        "left": before.left,
        "digest": before.row["digest"][0],
    }


@pytest.mark.parametrize("new", [{}, dict(list(BETTER.items())[:200])], ids=["none", "a third missing"])
def test_where_nothing_is_compared_no_look_is_spent_and_no_number_is_told(new: dict[str, str]) -> None:
    found = judged(ITEMS, new, WEAK)
    row = verdict(found)
    assert (row["verdict"], row["look"], row["gain"], row["low"]) == ("hold", 0, None, None)
    assert found.look.is_empty()
    assert found.slices.is_empty()
    assert found.scores.is_empty()


def test_what_the_verdict_tells_beside_its_numbers() -> None:
    told = details(judged(ITEMS, BETTER, WEAK))
    assert list(told) == ["slices", "guards", "forgetting", "sealed", "costs", "spent", "control"]
    assert told["slices"]["shop"]["items"] == 200
    assert told["sealed"] == {"opened": False, "asked": 0, "wanted": 300}
    assert told["control"] == {"raw": pytest.approx(0.15, abs=0.03), "slope": 0.0}
    assert 0 < told["spent"]["left"] < 1


def test_users_with_many_items_are_drawn_from_and_it_is_said() -> None:
    items = eval_items(60, 12)
    row = verdict(judged(items, model(items, right=0.8, seed=2), model(items, right=0.6, seed=1)))
    assert (row["verdict"], row["items"], row["users"]) == ("promote", 600, 60)
    assert any("10 of each were drawn by hash, 120 items left out" in reason for reason in row["reasons"])


# ---- what is wrong with the evidence --------------------------------------------------------------------------------


def test_a_tampered_ledger_promotes_nothing_and_spends_nothing() -> None:
    honest = judged(ITEMS, WEAK, BETTER, candidate="first")
    forged = honest.look.with_columns(items=pl.Series([["another"]]))
    found = judged(ITEMS, BETTER, WEAK, looks=forged)
    assert (verdict(found)["verdict"], verdict(found)["look"]) == ("hold", 0)
    assert "look 1 is not as it was written" in verdict(found)["reason"]
    gone = judged(ITEMS, BETTER, WEAK, verdicts=honest.verdict)
    assert "the look of the verdict of cycle 3 is missing" in verdict(gone)["reason"]
    whole = judged(ITEMS, BETTER, WEAK, looks=honest.look, verdicts=honest.verdict)
    assert verdict(whole)["verdict"] == "promote"


def test_what_the_caller_knows_to_be_broken_holds() -> None:
    row = verdict(judged(ITEMS, BETTER, WEAK, beside={"broken": ["the eval set is not as it was frozen"]}))
    assert (row["verdict"], row["reason"], row["look"]) == ("hold", "the eval set is not as it was frozen", 0)


GUARDED = Gate(scorers=(Scorer(name="brevity", kind="python", margin=0.02), Scorer(name="told", kind="python")))


def guard(gain: float) -> Scored:
    base = score(ITEMS, answered(WEAK))
    return Scored(candidate=base.with_columns(score=pl.col("score") + gain), champion=base)


@pytest.mark.parametrize(("gain", "expected"), [(-0.03, "hold"), (-0.01, "promote"), (0.5, "promote")])
def test_a_guard_may_lose_its_margin_and_no_more(gain: float, expected: str) -> None:
    guards = {"brevity": guard(gain), "told": guard(-0.4)}
    found = judged(ITEMS, BETTER, WEAK, gate=GUARDED, beside={"guards": guards})
    assert verdict(found)["verdict"] == expected
    assert list(details(found)["guards"]) == ["brevity"]
    assert details(found)["guards"]["brevity"]["gain"] == pytest.approx(gain)


def test_a_guard_that_nobody_ran_holds() -> None:
    assert "guard brevity has no scores" in verdict(judged(ITEMS, BETTER, WEAK, gate=GUARDED))["reason"]
    holes = guard(0.0).candidate.with_columns(score=pl.lit(None, dtype=pl.Float64))
    nothing = {"brevity": Scored(candidate=holes, champion=guard(0.0).champion)}
    row = verdict(judged(ITEMS, BETTER, WEAK, gate=GUARDED, beside={"guards": nothing}))
    assert "guard brevity lacks 300 of 300 scores" in row["reason"]
    stuck = holes.with_columns(score=pl.lit(float("nan")))
    mad = {"brevity": Scored(candidate=stuck, champion=guard(0.0).champion)}
    row = verdict(judged(ITEMS, BETTER, WEAK, gate=GUARDED, beside={"guards": mad}))
    assert "300 scores of the candidate are no finite numbers" in row["reason"]


def test_a_capability_set_that_nobody_asked_holds_and_one_that_was_is_told() -> None:
    gate = Gate(capability="tools.jsonl")
    assert "capability set was not asked" in verdict(judged(ITEMS, BETTER, WEAK, gate=gate))["reason"]
    kept = Forgetting(items=300, holes=0, forgotten=1, learned=5, chance=0.9)
    found = judged(ITEMS, BETTER, WEAK, gate=gate, beside={"forgetting": kept})
    assert verdict(found)["verdict"] == "promote"
    assert details(found)["forgetting"]["forgotten"] == 1


def test_against_a_judge_the_champion_stands_at_zero_and_holes_stay_holes() -> None:
    sides = score(ITEMS, answered(WEAK)).with_columns(
        score=pl.int_range(300) % 3 - 1.0, control=pl.int_range(300) % 3 / 2
    )
    found = Scored.of_judge(sides)
    assert found.champion["score"].unique().to_list() == [0.0]
    empty = Scored.of_judge(sides.with_columns(score=pl.lit(None, dtype=pl.Float64)))
    assert empty.champion["score"].null_count() == 300


# ---- the sealed set --------------------------------------------------------------------------------------------------

SEALED = eval_items(100, 4, seed=9, role="sealed", eval_set="s1").with_columns(
    item="s" + pl.col("item"), user="s" + pl.col("user")
)
ALL = pl.concat([ITEMS, SEALED])


def confirm(first: Judged, new: dict[str, str], old: dict[str, str], **changed: Any) -> Judged:
    looks = pl.concat([first.look, first.opening])
    sealed = SEALED.filter(pl.col("item").is_in(first.opens))
    given = {"items": ALL, "scored": scored(sealed, new, old), "looks": looks, "faults": (), "gate": Gate()}
    return confirmed(first, **(given | changed))


def test_a_winner_is_held_until_its_sealed_items_have_confirmed_it() -> None:
    first = judged(ALL, BETTER, WEAK)
    row = verdict(first)
    assert (row["verdict"], len(first.opens), first.opening["role"].to_list()) == ("hold", 300, ["sealed"])
    assert "still to be opened" in row["reason"]
    ledger = pl.concat([first.look, first.opening])
    assert broken(ledger, first.verdict, workload="replies") == []
    last = confirm(first, model(SEALED, right=0.75), model(SEALED, right=0.6))
    assert verdict(last)["verdict"] == "promote"
    assert "agrees" in verdict(last)["reasons"][-1]
    told = details(last)["sealed"]
    assert (told["opened"], told["asked"], told["items"], told["holes"]) == (True, 300, 300, 0)
    assert broken(ledger, last.verdict, workload="replies") == []
    assert validated("verdicts", last.verdict).equals(last.verdict)


def test_a_sealed_set_that_points_the_other_way_holds() -> None:
    first = judged(ALL, BETTER, WEAK)
    row = verdict(confirm(first, model(SEALED, right=0.6), model(SEALED, right=0.75)))
    assert row["verdict"] == "hold"
    assert "points the other way" in row["reason"]
    assert "better than the champion" in row["reasons"][1]


def test_a_sealed_set_that_is_not_answered_or_not_in_the_ledger_holds() -> None:
    first = judged(ALL, BETTER, WEAK)
    good = model(SEALED, right=0.75), model(SEALED, right=0.6)
    assert "300 of 300 sealed items lack" in verdict(confirm(first, {}, good[1]))["reason"]
    unwritten = confirm(first, *good, looks=first.look)
    assert "their opening is not in the ledger" in verdict(unwritten)["reason"]
    assert "all alike" in verdict(confirm(first, *good, faults=["answers are all alike"]))["reason"]


def test_what_another_candidate_opened_confirms_nobody_else() -> None:
    first = judged(ALL, BETTER, WEAK)
    ledger = pl.concat([first.look, first.opening])
    other = judged(ALL, BETTER, WEAK, looks=ledger, candidate="newer")
    assert (verdict(other)["verdict"], other.opens) == ("promote", ())
    assert "no sealed set confirms it: fewer than 300" in verdict(other)["reasons"][-1]
    again = judged(ALL, BETTER, WEAK, looks=ledger)
    assert set(again.opens) == set(first.opens)
    assert again.opening.is_empty()


def test_only_a_winner_opens_the_sealed_set() -> None:
    found = judged(ALL, WEAK, BETTER)
    assert (found.opens, len(found.opening), verdict(found)["verdict"]) == ((), 0, "reject")
    assert confirm(judged(ITEMS, BETTER, WEAK), {}, {}).opens == ()


def details(found: Judged) -> dict[str, Any]:
    return json.loads(verdict(found)["details"])


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
