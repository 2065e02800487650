"""Rates of acts by cycle and slice: of the exchanges a cycle saw, how many were edited, regenerated, rephrased,
abandoned.
"""

import math
from typing import NamedTuple

import polars as pl

from flywheel.lake import Lake
from flywheel.tables import Rates

KINDS = ("edit", "regeneration", "rephrase", "abandonment", "acceptance")
Z = 1.959964
"""Two-sided 95 %."""


class Interval(NamedTuple):
    rate: float
    low: float
    high: float


def measure(lake: Lake, workload: str) -> pl.DataFrame:
    """The rates of every cycle of a workload, written to `rates`."""
    of = pl.col("workload") == workload
    with lake.writing():
        cutoffs = lake.read("datasets").filter(of).sort("cycle")
        measured = rates(lake.read("exchanges").filter(of), lake.read("signals").filter(of), cutoffs)
        lake.replace("rates", measured, {"workload": [workload]})
    return measured


def rates(exchanges: pl.DataFrame, signals: pl.DataFrame, cutoffs: pl.DataFrame) -> pl.DataFrame:
    """One row for each cycle, slice (and `all`) and kind; a cycle saw the exchanges since the cutoff before it.

    Open conversations are censored, so abandonment counts closed ones only.
    """
    seen = exchanges.sort("time").join_asof(
        cutoffs.select("cycle", "cutoff").sort("cutoff"), left_on="time", right_on="cutoff", strategy="forward"
    )
    seen = pl.concat([seen, seen.with_columns(slice=pl.lit("all"))]).filter(pl.col("cycle").is_not_null())
    rows = []
    for kind in KINDS:
        acted = signals.filter(pl.col("kind") == kind).select("workload", "answer", acted=pl.lit(1))
        judged = seen.filter("closed") if kind == "abandonment" else seen
        judged = judged.join(acted, on=["workload", "answer"], how="left").with_columns(pl.col("acted").fill_null(0))
        by_user = judged.group_by("workload", "cycle", "slice", "user").agg(pl.col("acted").sum(), n=pl.len())
        for (workload, cycle, name), users in by_user.group_by("workload", "cycle", "slice"):
            found = interval(users["acted"].to_list(), users["n"].to_list())
            counts = {"n": int(users["n"].sum()), "users": len(users)}
            rows.append(
                {"workload": workload, "cycle": cycle, "slice": name, "kind": kind, **counts, **found._asdict()}
            )
    return pl.DataFrame(rows, schema=Rates.create_empty().schema).sort("cycle", "slice", "kind")


def interval(acted: list[int], shown: list[int]) -> Interval:
    """Wilson's 95 % interval on the effective n: one user's exchanges are alike and count for less than strangers'."""
    total = sum(shown)
    rate = sum(acted) / total
    n = total / max(1.0, _design_effect(acted, shown, rate))
    centre = (rate + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * math.sqrt(rate * (1 - rate) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
    return Interval(rate, max(0.0, centre - half), min(1.0, centre + half))


def _design_effect(acted: list[int], shown: list[int], rate: float) -> float:
    """The variance of the rate over users, against that of as many independent exchanges."""
    users, total = len(shown), sum(shown)
    if users < 2 or rate in (0.0, 1.0):
        return total / users
    residuals = sum((a - rate * n) ** 2 for a, n in zip(acted, shown, strict=True))
    clustered = residuals * users / (users - 1) / total**2
    return clustered / (rate * (1 - rate) / total)
