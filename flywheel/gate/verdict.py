"""The whole gate as one pure function: the answers of two models in; a verdict, its look, its scores out.

Nothing is read or written here: the caller keeps the tables, and writes the look before it shows the verdict to anyone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from flywheel.errors import BrokenInvariant
from flywheel.gate.compare import by_slice, compare, paired
from flywheel.gate.decide import Decision, decide
from flywheel.gate.ledger import next_look
from flywheel.gate.sanity import faults
from flywheel.gate.scorers.rows import answered as told
from flywheel.gate.scorers.sent import score
from flywheel.lake import validated
from flywheel.settings import Check, Gate
from flywheel.tables import Looks

SAME = Decision(verdict="hold", reason="the candidate is the champion itself: nothing to compare, no look spent")


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One row for `verdicts`, one for `looks` if a look was spent, and what people want to see beside them."""

    verdict: pl.DataFrame
    look: pl.DataFrame
    scores: pl.DataFrame
    slices: pl.DataFrame

    @classmethod
    def of(cls, verdict: pl.DataFrame) -> "Judged":
        """A verdict given earlier, its look long written down."""
        nothing = pl.DataFrame()
        return cls(verdict=verdict, look=Looks.create_empty(), scores=nothing, slices=nothing)

    def because(self, reason: str) -> "Judged":
        """The same verdict with a reason that lies before the gate, such as a training that had too few records."""
        return replace(self, verdict=self.verdict.with_columns(reason=pl.lit(reason)))


def judge(
    *,
    items: pl.DataFrame,
    candidate_answers: Mapping[str, str],
    champion_answers: Mapping[str, str],
    candidate: str,
    champion: str,
    looks: pl.DataFrame,
    workload: str,
    cycle: int,
    dataset: str,
    checks: Sequence[Check],
    gate: Gate,
) -> Judged:
    """Is the candidate better than the champion? Models are named by fingerprint, answers keyed by item."""
    named = {"workload": workload, "eval_set": _eval_set(items, workload), "candidate": candidate, "champion": champion}
    pairs = paired(*(score(items, told(texts), checks) for texts in (candidate_answers, champion_answers)))
    answered = pairs.filter(pl.col("gain").is_not_null())["item"].to_list()
    row: dict[str, Any] = {**named, "cycle": cycle, "dataset": dataset, "items": len(answered)}
    if candidate == champion:
        users = items.filter(pl.col("item").is_in(answered))["user"].n_unique()
        row |= {"users": users, "look": 0, **_numbers(None), **vars(SAME)}
        row |= {"reasons": [SAME.reason], "n_needed": None, "details": "{}"}
        return Judged(verdict=_one("verdicts", row), look=Looks.create_empty(), scores=pairs, slices=by_slice(pairs))
    look = next_look(looks, **named, alpha=gate.alpha)
    found = compare(pairs, alpha=look.alpha)
    sent = dict(items.select("item", "reference").iter_rows())
    texts = ([source[item] for item in answered] for source in (candidate_answers, champion_answers, sent))
    decision = decide(found, faults=faults(*texts), holes=len(pairs) - len(answered), look=look, gate=gate)
    row |= {"users": found.users if found else 0, "look": look.look, **_numbers(found), **vars(decision)}
    row |= {"reasons": [decision.reason], "n_needed": None, "details": "{}"}
    spent = {**named, "role": "eval", "cycle": cycle, "look": look.look, "alpha": look.alpha, "items": answered}
    spent |= {"digest": ""}
    return Judged(
        verdict=_one("verdicts", row),
        look=_one("looks", spent) if look.is_new else Looks.create_empty(),
        scores=pairs,
        slices=by_slice(pairs),
    )


def _eval_set(items: pl.DataFrame, workload: str) -> str:
    """The one eval set that these items are; scores on different ones are never set against each other."""
    sets = items.select("workload", "eval_set").unique().rows()
    if len(sets) != 1 or sets[0][0] != workload:
        raise BrokenInvariant(
            "a verdict needs the items of one eval set of its own workload",
            seen=sorted(sets),
            allowed=f"one eval set of {workload}",
            do="pass the rows of `eval_items` of that workload and eval set only",
        )
    return sets[0][1]


def _numbers(found: Any) -> dict[str, float | None]:
    columns = ("gain", "low", "high", "level", "candidate_score", "champion_score")
    return {column: getattr(found, column, None) for column in columns}


def _one(table: str, row: Mapping[str, Any]) -> pl.DataFrame:
    return validated(table, pl.DataFrame([row]))
