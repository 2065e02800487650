"""Sabotaged evaluations of a candidate that would win an honest one: none may end in promote, each says why.

A sabotage is what went wrong around the models: their answers, their scores, the items or the ledger. What a bad model
does by itself belongs in `test_verdict` and `test_sanity`.
"""

from collections.abc import Callable

import polars as pl
import pytest

from flywheel.errors import FlywheelError
from flywheel.gate.verdict import Judged
from flywheel.settings import Check
from tests.flywheel.gate.workbench import eval_items, judged, model, reworded, verdict

ITEMS = eval_items()
WEAK, BETTER = model(ITEMS, right=0.6, seed=1), model(ITEMS, right=0.75, seed=2)
USELESS, PERFECT = model(ITEMS, right=0.0), dict(ITEMS.select("item", "reference").iter_rows())
CRASHES = (Check(name="greets", matches="(Hi"),)


def swapped() -> Judged:
    """Half of the items are of a set that was frozen later."""
    half = len(ITEMS) // 2
    return judged(pl.concat([ITEMS.head(half), eval_items(eval_set="e2").tail(half)]), BETTER, WEAK)


def renamed() -> Judged:
    """The answers were given to the items of another set: none of them is asked here."""
    others = {f"other-{item}": text for item, text in BETTER.items()}
    return judged(ITEMS, others, WEAK)


SABOTAGED: dict[str, tuple[Callable[[], Judged], str]] = {
    "empty answers": (lambda: judged(ITEMS, reworded(BETTER, lambda text: ""), WEAK), "300 of 300 answers are empty"),
    "a constant answer that scores higher": (
        lambda: judged(ITEMS, reworded(BETTER, lambda text: PERFECT["i0000"]), USELESS),
        "only 1 of 300 answers differ",
    ),
    "a check that crashes": (lambda: judged(ITEMS, BETTER, WEAK, checks=CRASHES), "a check is no regular expression"),
    "a swapped eval set": (swapped, "one eval set"),
    "answers to another eval set": (renamed, "300 of 300 items lack a score"),
    "a stale cache: the candidate's answers are the champion's": (
        lambda: judged(ITEMS, WEAK, WEAK),
        "a tie: every item has the same score",
    ),
    "half of the items without the candidate's answer": (
        lambda: judged(ITEMS, {item: text for item, text in BETTER.items() if item < "i0150"}, WEAK),
        "150 of 300 items lack a score",
    ),
    "half of the items without the champion's answer": (
        lambda: judged(ITEMS, BETTER, {item: text for item, text in WEAK.items() if item < "i0150"}),
        "150 of 300 items lack a score",
    ),
    "the candidate compared with itself": (
        lambda: judged(ITEMS, BETTER, WEAK, candidate="old"),
        "the candidate is the champion itself",
    ),
}


def test_without_sabotage_it_wins() -> None:
    assert verdict(judged(ITEMS, BETTER, WEAK))["verdict"] == "promote"


def test_the_constant_answer_would_win_by_its_score() -> None:
    spoil, _ = SABOTAGED["a constant answer that scores higher"]
    assert verdict(spoil())["low"] > 0


@pytest.mark.parametrize(("spoil", "why"), SABOTAGED.values(), ids=SABOTAGED)
def test_sabotage_does_not_win_and_is_told(spoil: Callable[[], Judged], why: str) -> None:
    try:
        row = verdict(spoil())
        ended, reason = row["verdict"], row["reason"]
    except FlywheelError as error:
        ended, reason = "refused", str(error)
    assert ended != "promote"
    assert why in reason
