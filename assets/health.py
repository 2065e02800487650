"""What the logs say about the model in production, cycle by cycle."""

import dagster as dg
import polars as pl
from flywheel.health import measure

from assets.metadata import bars, rows, spec
from assets.partitions import WORKLOADS
from assets.resources import Wheel
from assets.signals import KEYS


@dg.asset(
    name="rates",
    description="How often people had to act, by cycle and slice, with n and an interval.",
    group_name="health",
    kinds={"polars", "deltalake"},
    owners=["team:product"],
    partitions_def=WORKLOADS,
    deps=[
        "cycles",
        *(dg.AssetDep(name, partition_mapping=dg.AllPartitionMapping()) for name in ("exchanges", *KEYS.values())),
    ],
    metadata=dict(spec("rates").metadata),
)
def rates(context: dg.AssetExecutionContext, wheel: Wheel) -> dg.MaterializeResult:
    measured = measure(wheel.lake(), context.partition_key)
    overall = measured.filter(pl.col("slice") == "all")
    edits = overall.filter(pl.col("kind") == "edit").sort("cycle")
    by_cycle = {f"cycle {cycle}: edit": round(rate, 3) for cycle, rate in edits.select("cycle", "rate").iter_rows()}
    shown = ["cycle", "kind", "n", "users", "rate", "low", "high"]
    return dg.MaterializeResult(metadata=rows(overall, show=shown, limit=20) | {"edits": bars(by_cycle)})
