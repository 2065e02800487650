"""The failure map of a workload, kept in the lake; `failure_map` is the pure function."""

import polars as pl

from flywheel.lake import Lake
from flywheel.records.failure_map import failure_map


def map_failures(lake: Lake, workload: str) -> pl.DataFrame:
    """Draw the workload's map anew from its failure cases and exchanges as they stand, and replace the old one."""
    of = pl.col("workload") == workload
    with lake.writing():
        cases = lake.scan("failure_cases").filter(of).collect()
        exchanges = lake.scan("exchanges").filter(of).select("workload", "slice", "user", "answer", "time", "may_train")
        drawn = failure_map(cases, exchanges.collect())
        lake.replace("failure_map", drawn, {"workload": [workload]})
    return drawn
