"""Sabotaged evaluations of a candidate that would win an honest one: none may end in promote, each says why.

A sabotage is what went wrong around the models: their answers, their scores, the items or the ledger. What a bad model
does by itself belongs in `test_verdict` and `test_sanity`.
"""

from collections.abc import Callable

import polars as pl
import pytest

from flywheel.errors import FlywheelError
from flywheel.gate.pairing import Scored
from flywheel.gate.scorers.rows import Score, answered, each
from flywheel.gate.verdict import Judged
from flywheel.settings import Check
from tests.flywheel.gate.workbench import eval_items, judged, model, reworded, scored, verdict

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


def loved_constant() -> Judged:
    """A judge adores the one sentence that the candidate always says."""
    sides = scored(ITEMS, BETTER, WEAK).candidate.with_columns(score=1.0, control=0.0)
    constant = reworded(BETTER, lambda text: PERFECT["i0000"])
    return judged(ITEMS, constant, WEAK, beside={"primary": Scored.of_judge(sides)})


def crashed(answer: dict[str, str]) -> float:
    raise RuntimeError(f"no connection for {answer}")


def crashed_scorer() -> Judged:
    """The scorer fails on every answer of the champion."""
    told = scored(ITEMS, BETTER, WEAK)
    holes = each(ITEMS, answered(WEAK), lambda item, answer: Score(crashed(answer)))
    return judged(ITEMS, BETTER, WEAK, beside={"primary": Scored(candidate=told.candidate, champion=holes)})


def no_numbers() -> Judged:
    """Ten of the champion's scores are NaN."""
    told = scored(ITEMS, BETTER, WEAK)
    score = pl.when(pl.int_range(pl.len()) < 10).then(float("nan")).otherwise("score")
    spoilt = told.champion.with_columns(score=score)
    return judged(ITEMS, BETTER, WEAK, beside={"primary": Scored(candidate=told.candidate, champion=spoilt)})


def doubled() -> Judged:
    """The hundred items on which the candidate is best are there twice."""
    return judged(pl.concat([ITEMS, ITEMS.head(100)]), BETTER, WEAK)


def tampered() -> Judged:
    """An earlier look was made cheaper than it was."""
    first = judged(ITEMS, BETTER, WEAK, candidate="other").look
    return judged(ITEMS, BETTER, WEAK, looks=first.with_columns(alpha=pl.lit(0.001)))


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
    "a constant answer that a judge loves": (loved_constant, "only 1 of 300 answers differ"),
    "a scorer that crashes": (crashed_scorer, "300 of 300 items lack a score"),
    "scores that are no numbers": (no_numbers, "10 scores of the champion are no finite numbers"),
    "items that count twice": (doubled, "more than once"),
    "a ledger that was changed": (tampered, "the ledger of looks was changed"),
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
