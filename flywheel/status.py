"""Where the wheel stands, as one value: every cycle with its verdict and rates, and the champions. Read from tables
alone.
"""

import json
from datetime import date, timedelta
from typing import Any

import polars as pl

from flywheel.lake import Lake
from flywheel.settings import Settings

COUNTS = ("pairs", "rankings", "labels", "demonstrations")
RATES = ("edit", "regeneration", "rephrase", "abandonment")


def status(
    lake: Lake, settings: Settings, champions: dict[str, dict[str, str]], truth: pl.DataFrame | None
) -> dict[str, Any]:
    """`truth` is the playground's mean satisfaction by workload and week, where there is a playground."""
    ended = lake.read("cycles").join(lake.read("datasets").drop("cutoff"), on=["workload", "cycle"], how="left")
    ended = ended.join(lake.read("verdicts").drop("reason"), on=["workload", "cycle"], how="left", suffix="_of_verdict")
    rates = lake.read("rates").filter(pl.col("slice") == "all")
    before: dict[str, Any] = {}
    cycles = []
    for row in ended.sort("workload", "cycle", descending=[True, False]).iter_rows(named=True):
        workload = row["workload"]
        cycles.append(
            _cycle(row, rates) | {"true_satisfaction": _satisfaction(truth, settings.start, before.get(workload), row)}
        )
        before[workload] = row["cutoff"]
    return {"cycles": cycles, "champion": champions}


def _cycle(row: dict[str, Any], rates: pl.DataFrame) -> dict[str, Any]:
    measured = rates.filter(pl.col("workload") == row["workload"], pl.col("cycle") == row["cycle"])
    return {
        "cycle": row["cycle"],
        "workload": row["workload"],
        "events": row["events"],
        "records": {kind: row[kind] for kind in COUNTS},
        "verdict": row["outcome"],
        "reason": row["reason"],
        "registered": row["registered"],
        "gain": row["gain"],
        "interval": None if row["low"] is None else [row["low"], row["high"]],
        "rates": {rate["kind"]: _rate(rate) for rate in measured.iter_rows(named=True) if rate["kind"] in RATES},
    }


def _rate(rate: dict[str, Any]) -> dict[str, Any]:
    return {key: rate[key] for key in ("rate", "low", "high", "n")}


def _satisfaction(truth: pl.DataFrame | None, start: date, before: Any, row: dict[str, Any]) -> float | None:
    """The true satisfaction in the weeks this cycle saw: those that began after the cutoff before it."""
    if truth is None or row["cutoff"] is None:
        return None
    first = _week(start, before) + 1 if before else 1
    seen = truth.filter(
        pl.col("workload") == row["workload"], pl.col("week").is_between(first, _week(start, row["cutoff"]))
    )
    if seen.is_empty():
        return None
    return float((seen["satisfaction"] * seen["n"]).sum()) / int(seen["n"].sum())


def _week(start: date, moment: Any) -> int:
    return (moment.date() - start) // timedelta(days=7) + 1


def as_json(value: dict[str, Any]) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)
