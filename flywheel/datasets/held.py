"""What is still held of people who asked to be forgotten: rows that are learned from or measured on, table by table.

Counting belongs here. Rows leave when a later event of their conversation says `may_train = false` and the days are
derived again; an item of a frozen set leaves by `rotation`.
"""

from collections.abc import Sequence

import polars as pl

from flywheel.lake import Lake

LEARNED = ("pairs", "rankings", "labels", "demonstrations", "failure_cases", "eval_items")


def still_held(lake: Lake, workload: str, users: Sequence[str]) -> dict[str, int]:
    """How many rows of these users each table has; tables without any are left out.

    Of datasets the latest counts, which the next checkpoint would train on; of exchanges those that may be used.
    """
    theirs = (pl.col("workload") == workload) & pl.col("user").is_in(list(users))
    latest = lake.read("datasets").filter(workload=workload).sort("cycle")["dataset"].tail(1)
    rows = {table: lake.scan(table).filter(theirs) for table in LEARNED}
    rows["exchanges"] = lake.scan("exchanges").filter(theirs, "may_train")
    for table in ("dataset_rows", "dataset_labels"):
        rows[table] = lake.scan(table).filter(theirs, pl.col("dataset").is_in(latest.implode()))
    found = {table: kept.select(pl.len()).collect().item() for table, kept in rows.items()}
    return {table: count for table, count in sorted(found.items()) if count}
