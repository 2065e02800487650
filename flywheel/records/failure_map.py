"""The shape of the problem: how often each slice is failed in each way, whether it grows, and who loses most.

A rate is the share of a slice's exchanges with such a case; its interval is Wilson's, widened by user. The trend
compares the last 7 days with the 7 before on the workload's own clock, its latest answer: a difference of two rates,
and no proof of a change. Open conversations are counted among the exchanges although they may yet fail, so the last day
reads a little low. What went wrong inside a case belongs to the case.
"""

import polars as pl

from flywheel.tables import FailureMap

Z = 1.959964
"""Two-sided 95 %."""
WEEK = pl.duration(days=7)
CELL = ["workload", "slice", "failure"]
EXAMPLES = 2


def failure_map(failure_cases: pl.DataFrame, exchanges: pl.DataFrame) -> pl.DataFrame:
    """A row for each workload, slice (and `all`) and failure that the workload has seen, also where it is 0."""
    exchanges = exchanges.filter("may_train").select("workload", "slice", "user", "answer", "time")
    clock = pl.col("time").max().over("workload") - pl.col("time")
    week = pl.when(clock < WEEK).then(0).when(clock < 2 * WEEK).then(1)
    seen = _and_all(exchanges.with_columns(week=week))
    failed = failure_cases.select("workload", "answer", "failure", case="id").unique(["workload", "answer", "failure"])
    judged = seen.join(failed.select("workload", "failure").unique(), on="workload").join(
        failed, on=["workload", "answer", "failure"], how="left"
    )
    by_user = judged.group_by(*CELL, "user").agg(acted=pl.col("case").count(), shown=pl.len())
    cells = by_user.group_by(CELL).agg(
        cases=pl.col("acted").sum(),
        users=(pl.col("acted") > 0).sum(),
        exchanges=pl.col("shown").sum(),
        **_interval(pl.col("acted"), pl.col("shown")),
    )
    told = cells.join(_trend(judged), on=CELL).join(_examples(failure_cases), on=CELL, how="left")
    most = pl.col("rate").filter(pl.col("slice") != "all").max().over("workload", "failure")
    several = (pl.col("slice") != "all").sum().over("workload", "failure") > 1
    worst = (pl.col("slice") != "all") & several & (pl.col("rate") == most) & (pl.col("cases") > 0)
    told = told.with_columns(loses_most=worst, examples=pl.col("examples").fill_null([]))
    return told.select(list(FailureMap.columns())).cast(dict(FailureMap.create_empty().schema)).sort(CELL)  # pyright: ignore[reportArgumentType]


def _and_all(frame: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([frame, frame.with_columns(slice=pl.lit("all"))])


def _interval(acted: pl.Expr, shown: pl.Expr) -> dict[str, pl.Expr]:
    """Wilson's 95 % interval on the effective n: one user's exchanges are alike and count for less than strangers'."""
    users, total = pl.len(), shown.sum()
    rate = acted.sum() / total
    residuals = ((acted - rate * shown) ** 2).sum() * users / (users - 1) / total**2
    alike = (users < 2) | (acted.sum() == 0) | (acted.sum() == total)
    effect = pl.when(alike).then(total / users).otherwise(residuals / (rate * (1 - rate) / total))
    n = total / pl.max_horizontal(1.0, effect)
    centre = (rate + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * (rate * (1 - rate) / n + Z**2 / (4 * n**2)).sqrt() / (1 + Z**2 / n)
    return {
        "rate": rate,
        "low": (centre - half).clip(0, 1),
        "high": (centre + half).clip(0, 1),
    }


def _trend(judged: pl.DataFrame) -> pl.DataFrame:
    """The rate of the last 7 days less that of the 7 before; null where one of them saw no exchange."""
    weeks = [pl.col("case").filter(pl.col("week") == week) for week in (0, 1)]
    rates = [each.count() / each.len() for each in weeks]
    trend = pl.when(pl.all_horizontal(each.len() > 0 for each in weeks)).then(rates[0] - rates[1])
    return judged.group_by(CELL).agg(trend=trend)


def _examples(failure_cases: pl.DataFrame) -> pl.DataFrame:
    """The surest cases of as many users as there are, by the id of the answer."""
    surest = _and_all(failure_cases).sort("confidence", "day", "answer", descending=[True, True, False])
    each = surest.unique([*CELL, "user"], keep="first", maintain_order=True)
    return each.group_by(CELL, maintain_order=True).agg(examples=pl.col("answer").head(EXAMPLES))
