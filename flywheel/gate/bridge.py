"""The bridge between two versions of an eval set: how one and the same model scores on both.

Scores of different versions are never set against each other. What a rotation alone did to them is what it did to a
model that was measured on both: so many points of a change are the ruler's and not the model's. It decides nothing.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from flywheel.gate.decide import MAX_HOLES, too_many
from flywheel.gate.pairing import Trial
from flywheel.gate.ratios import UNKNOWN, Estimate, difference
from flywheel.lake import Lake
from flywheel.settings import Scorer
from flywheel.tables import Bridges


class Bridge(NamedTuple):
    """The mean score of one model on both versions, how many items that rests on, and the new less the old.

    The interval is over users; without one `why` says what is not known.
    """

    items_before: int
    items: int
    shared: int
    users: int
    score_before: float | None
    score: float | None
    moved: Estimate
    why: str | None


def of(
    lake: Lake,
    trial: Trial,
    items: pl.DataFrame,
    *,
    scorer: Scorer,
    now: pl.DataFrame,
    old: Callable[[pl.DataFrame], pl.DataFrame],
) -> pl.DataFrame:
    """The row of `bridges` from the set of the last verdict to that of `items`; none where it is the same set.

    `now` are the champion's scores of `items`; `old` finds its scores of what is left of the version before.
    """
    verdicts = lake.read("verdicts").filter(pl.col("cycle") < trial.cycle, workload=trial.workload).sort("cycle")
    eval_set, last = items["eval_set"][0], verdicts["eval_set"].to_list()[-1:]
    if last in ([], [eval_set]):
        return Bridges.create_empty()
    was, stands = (_version(lake, trial.workload, each) for each in (last[0], eval_set))
    held = lake.read("eval_items").filter(workload=trial.workload)
    left = held.filter(pl.col("item").is_in(was["items"])).unique("item", keep="any")
    if why := _unfit(scorer, was["checks"], stands["checks"]):
        found = Bridge(0, 0, 0, 0, None, None, UNKNOWN, why)
    else:
        found = bridge(old(left.sort("item")), now, gone=len(was["items"]) - len(left))
    told = found._asdict() | dict(zip(("moved", "low", "high"), found.moved, strict=True))
    row = {"workload": trial.workload, "eval_set": eval_set, "before": last[0], "cycle": trial.cycle}
    row |= {"model": trial.champion, "scorer": scorer.name, **told}
    return pl.DataFrame([row], schema=dict(Bridges.create_empty().schema))


def bridge(before: pl.DataFrame, now: pl.DataFrame, *, gone: int = 0) -> Bridge:
    """From one model's scores (`item, user, score`, null is a hole) on the old items and on the new; of the old ones
    `gone` are no longer there.
    """
    both = [rows.filter(pl.col("score").is_finite()).select("item", "user", "score") for rows in (before, now)]
    holes, asked = gone + len(before) - len(both[0]), gone + len(before)
    missing = len(now) - len(both[1])
    marked = [rows.with_columns(pl.lit(1.0).alias(side)) for rows, side in zip(both, ("was", "is"), strict=True)]
    told = marked[0].join(marked[1], on=["item", "user"], how="full", coalesce=True, suffix="_now").sort("item")
    told = told.with_columns(pl.col("was", "is").fill_null(0.0), pl.coalesce("score", "score_now").alias("score"))
    score, was, now_in = (told[name].to_numpy() for name in ("score", "was", "is"))
    known = bool(both[0].height and both[1].height)
    known = known and not too_many(holes, of=asked) and not too_many(missing, of=len(now))
    moved = difference((score * now_in, now_in), (score * was, was), told["user"].to_numpy()) if known else UNKNOWN
    what = (
        f"{holes} of {asked} old items and {missing} of {len(now)} new ones lack a score, at most {MAX_HOLES:.0%} may"
    )
    return Bridge(
        items_before=len(both[0]),
        items=len(both[1]),
        shared=int(np.sum((was > 0) & (now_in > 0))),
        users=told["user"].n_unique(),
        score_before=_mean(both[0]),
        score=_mean(both[1]),
        moved=moved,
        why=None if known else what,
    )


def _unfit(scorer: Scorer, was: str, stands: str) -> str:
    """Why the same answers cannot be scored by one ruler."""
    if scorer.kind == "judge":
        return "a judge compares two models and says nothing of one alone"
    return "" if was == stands else "the workload's checks changed with the items"


def _version(lake: Lake, workload: str, eval_set: str) -> dict[str, Any]:
    """The items and checks of one version of the eval set; nothing where it is not known."""
    found = lake.read("eval_sets").filter(workload=workload, role="eval", eval_set=eval_set).sort("version")
    return found.row(-1, named=True) if len(found) else {"items": [], "checks": ""}


def _mean(rows: pl.DataFrame) -> float | None:
    return float(rows["score"].to_numpy().mean()) if len(rows) else None
