"""How satisfied people really were: the playground's truth, read for the closing table and for nothing else.

Torch-free. No stage may import this; only the command line shows it beside what the wheel concluded.
"""

import math
from pathlib import Path
from typing import NamedTuple

import polars as pl

from flywheel.errors import BadInput

BY = {"workload": pl.String, "week": pl.Int64, "user": pl.String}
LINE = {**BY, "satisfaction": pl.Float64, "attempt": pl.Int64}


class Improvement(NamedTuple):
    """The mean change of a user's satisfaction, its 95 % interval, and the users it rests on."""

    mean: float
    low: float
    high: float
    users: int


def satisfaction(home: Path) -> pl.DataFrame:
    """By workload, week and user: the mean satisfaction with the first answer to each request, and their number."""
    weeks = sorted((home / "playground" / "truth").glob("week-*.jsonl"))
    told = [pl.DataFrame(schema=LINE), *(pl.read_ndjson(week, schema=LINE) for week in weeks)]
    first = pl.concat(told).filter(pl.col("attempt") == 0)
    return first.group_by(*BY).agg(pl.col("satisfaction").mean(), n=pl.len().cast(pl.Int64)).sort(*BY)


def improvement(home: Path, workload: str, first_week: int, last_week: int) -> Improvement:
    """Last week's satisfaction minus the first's, paired by user."""
    weeks = satisfaction(home).filter(workload=workload)
    before, after = (weeks.filter(week=week).select("user", "satisfaction") for week in (first_week, last_week))
    both = before.join(after, on="user", suffix="_after")
    change = both["satisfaction_after"] - both["satisfaction"]
    if len(change) < 2:
        raise BadInput(
            f"too few users of {workload} asked in both weeks {first_week} and {last_week}",
            seen=len(change),
            allowed="two or more",
            do="play both weeks first",
        )
    mean, wide = float(change.mean()), 1.96 * float(change.std()) / math.sqrt(len(change))  # pyright: ignore[reportArgumentType]
    return Improvement(mean, mean - wide, mean + wide, len(change))
