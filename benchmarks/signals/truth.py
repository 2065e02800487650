"""Which signals should have been found: the acts that people truly did, and what they meant by them.

Two questions. *Did it happen?* compares a signal with the act, whatever was meant: the precision and recall of a
detector. *Was it meant?* is what an audit asks: the act happened, and its person meant like or dislike by it; they were
not mistaken, careless or hostile, and it did not mean nothing.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import polars as pl

from flywheel.signals.calibration import Rate, wilson

Line = Mapping[str, Any]
MEANT = ("like", "dislike")
CONTESTED = ("regenerate", "rephrase", "correct", "object", "edit")


class Reading(NamedTuple):
    """A kind of signal, all of its details or some, and when it is true of an answer.

    `deeds` are the acts by which people mean it; a reading of what the product did has none. `censored`: only a closed
    conversation can tell.
    """

    kind: str
    happened: Callable[[Line], bool]
    deeds: Collection[str] = ()
    details: Collection[str] = ()
    censored: bool = False

    def of(self, signals: pl.DataFrame) -> pl.DataFrame:
        rows = signals.filter(kind=self.kind)
        return rows.filter(pl.col("detail").is_in(list(self.details))) if self.details else rows

    def right(self, line: Line) -> bool:
        """What a person who knew the truth would say of it."""
        meant = any(act["act"] in self.deeds and act["means"] in MEANT for act in line["acts"])
        return self.happened(line) and (meant or not self.deeds)


class Found(NamedTuple):
    """How right a reading is: of those found, how many are true; of those true, how many were found."""

    name: str
    precision: Rate
    recall: Rate
    meant: Rate


def _acted(kind: str, *deeds: str, censored: bool = False) -> Reading:
    return Reading(kind, lambda line: _did(line, *deeds), deeds, censored=censored)


def _tool(*causes: str, details: Collection[str]) -> Reading:
    return Reading("tool_failure", lambda line: any(call["cause"] in causes for call in line["calls"]), (), details)


def _did(line: Line, *deeds: str) -> bool:
    return any(act["act"] in deeds for act in line["acts"])


def _complained(line: Line) -> bool:
    """Used it, and then complained: to the company, or in the next message."""
    return _did(line, "send", "edit") and _did(line, *COMPLAINTS)


COMPLAINTS = ("complaint", "correct", "object")
READINGS = {
    "edit": _acted("edit", "edit"),
    "regeneration": _acted("regeneration", "regenerate"),
    "rephrase": _acted("rephrase", "rephrase"),
    "correction": _acted("correction", "correct", "object"),
    "abandonment": _acted("abandonment", "walk_away", censored=True),
    "dismissal": _acted("dismissal", "dismiss"),
    "rating": _acted("rating", "rate"),
    "acceptance": _acted("acceptance", "send", "edit"),
    "acceptance, revoked": Reading("acceptance", _complained, COMPLAINTS, ("revoked",)),
    "refusal": Reading("refusal", lambda line: line["refused"] and _did(line, *CONTESTED)),
    "tool_failure": _tool("environment", "model", details=("environment", "model")),
    "tool_failure, environment": _tool("environment", details=("environment",)),
    "tool_failure, model": _tool("model", details=("model",)),
    "tool_failure, retry": _tool("repeat", details=("retry",)),
    "retrieval_miss": Reading("retrieval_miss", lambda line: line["search"] == "empty"),
}


def measured(name: str, signals: pl.DataFrame, truth: Collection[Line], closed: Collection[str]) -> Found:
    """Precision and recall of one reading, answer by answer."""
    reading = READINGS[name]
    rows = reading.of(signals)
    read = set(rows.select("workload", "answer").rows())
    true = {(line["workload"], line["answer"]) for line in truth if reading.happened(line)}
    if reading.censored:
        true = {key for key in true if key[1] in closed}
    right, both = labels(rows, truth), len(read & true)
    return Found(name, wilson(both, len(read)), wilson(both, len(true)), wilson(sum(right), len(right)))


def labels(signals: pl.DataFrame, truth: Collection[Line]) -> list[bool]:
    """What a person who knew the truth would say of each of these signals: it is right, or not."""
    told = {(line["workload"], line["answer"]): line for line in truth}
    rows = signals.select("workload", "answer", "kind", "detail").rows()
    return [_reading(kind, detail).right(told[workload, answer]) for workload, answer, kind, detail in rows]


def _reading(kind: str, detail: str | None) -> Reading:
    """The one that names this detail, else the kind as a whole."""
    particular = [each for each in READINGS.values() if each.kind == kind and detail in each.details]
    return particular[-1] if particular else READINGS[kind]
