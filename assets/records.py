"""Signals -> records by the same days, one asset for each kind; and the map of failures that they draw."""

from collections.abc import Iterator

import dagster as dg
import polars as pl
from flywheel.records import KINDS, catch_up, derive_days, grouped, map_failures, stale_days

from assets.metadata import bars, progress, rows, spec, table
from assets.partitions import DAYS, WORKLOADS
from assets.resources import Wheel
from assets.signals import KEYS, days_of, of_days

OPTIONS = {"group_name": "records", "kinds": {"duckdb", "deltalake"}, "owners": ["team:ml"]}


@dg.multi_asset(
    name="derive_records",
    specs=[spec(kind, deps=["exchanges", *KEYS.values()], **OPTIONS) for kind in KINDS],
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    can_subset=False,
)
def derive_records(context: dg.AssetExecutionContext, wheel: Wheel) -> Iterator[dg.MaterializeResult]:
    """Make what the signals have outgrown in these days; where that is nothing, make these days' records anew."""
    lake, read, days = wheel.lake(), wheel.settings(), days_of(context)
    stale = stale_days(lake, read)
    tell = progress(context, "records: slice")
    if stale and {max(day, read.start) for day in stale} <= set(days):
        catch_up(lake, read, tell)
    else:
        derive_days(lake, read, days, tell)
    for kind in KINDS:
        found = of_days(lake.scan(kind), days)
        rules = dict(found.select(pl.col("rule").value_counts(sort=True)).unnest("rule").collect().iter_rows())
        sample = found.head(8).collect()
        says = [column for column in KINDS[kind] if column in sample.columns]
        told = rows(sample, show=["workload", "slice", "rule", *says, "weight", "confidence"])
        told |= {"dagster/row_count": sum(rules.values())}
        gaps = {"to_act_on": table(grouped(found.collect()).head(12).to_dicts())} if kind == "knowledge_gaps" else {}
        yield dg.MaterializeResult(asset_key=kind, metadata=told | ({"by_rule": bars(rules)} if rules else {}) | gaps)


@dg.asset(
    name="failure_map",
    description="Where, how often and for whom the product fails: slice by slice, with a trend and examples.",
    deps=[dg.AssetDep(name, partition_mapping=dg.AllPartitionMapping()) for name in ("failure_cases", "exchanges")],
    metadata=dict(spec("failure_map").metadata),
    partitions_def=WORKLOADS,
    **OPTIONS,
)
def failure_map(context: dg.AssetExecutionContext, wheel: Wheel) -> dg.MaterializeResult:
    drawn = map_failures(wheel.lake(), context.partition_key)
    worst = drawn.filter(pl.col("slice") != "all").sort("rate", "slice", descending=[True, False])
    shown = ["slice", "failure", "cases", "users", "exchanges", "rate", "low", "high", "trend", "loses_most"]
    rates = {f"{row['slice']}: {row['failure']}": round(row["rate"], 4) for row in worst.head(16).iter_rows(named=True)}
    plot = {"map": bars(rates)} if rates else {}
    return dg.MaterializeResult(metadata=rows(worst, show=shown, limit=24) | plot)
