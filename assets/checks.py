"""Broken promises stop the run: blocking checks. A candidate that is not better is no broken promise, it is a verdict.

https://docs.dagster.io/guides/test/asset-checks
"""

import dagster as dg
import polars as pl
from flywheel.datasets import frozen, frozen_forms, leaks, sealed
from flywheel.errors import FlywheelError
from flywheel.records import KINDS

from assets.partitions import WORKLOADS
from assets.resources import Wheel


@dg.asset_check(
    asset="ingest_files",
    blocking=True,
    description="Records = accepted + repeated + quarantined for every file, and all are where they are said to be.",
)
def conservation(wheel: Wheel) -> dg.AssetCheckResult:
    lake = wheel.lake()
    with lake.writing():  # between two commits of an ingest the tables do not agree
        files = lake.read("ingest_files")
        found = {table: lake.count(table) for table in ("events", "quarantine")}
    lost = files.filter(pl.col("records") != pl.col("accepted") + pl.col("repeated") + pl.col("quarantined"))
    told = {"events": int(files["events"].sum()), "quarantine": int(files["quarantined"].sum())}
    return dg.AssetCheckResult(
        passed=lost.is_empty() and told == found,
        metadata={"files": len(files), "files_that_lose": len(lost), "told": str(told), "found": str(found)},
    )


def only_what_may_train(kind: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=kind,
        name="only_what_may_train",
        blocking=True,
        description="No record comes from a conversation that must not be trained on.",
    )
    def check(wheel: Wheel) -> dg.AssetCheckResult:
        forbidden = "SELECT workload, conversation FROM exchanges WHERE NOT may_train"
        query = f"SELECT count(*) AS n FROM {kind} SEMI JOIN ({forbidden}) USING (workload, conversation)"
        found = wheel.lake().sql(query)["n"][0]
        return dg.AssetCheckResult(passed=found == 0, metadata={"records": found})

    return check


@dg.asset_check(
    asset="eval_items",
    blocking=True,
    partitions_def=WORKLOADS,
    description="The eval set, the sealed set and what retired from them are byte for byte what they were frozen as.",
)
def eval_set_is_frozen(context: dg.AssetCheckExecutionContext, wheel: Wheel) -> dg.AssetCheckResult:
    workload = context.partition_key
    try:
        items = frozen(wheel.lake(), workload, wheel.settings().workload(workload))
        kept = sealed(wheel.lake(), workload)
    except FlywheelError as error:
        return dg.AssetCheckResult(passed=False, description=str(error))
    told = {"items": len(items), "eval_set": items["eval_set"][0], "sealed": len(kept)}
    return dg.AssetCheckResult(passed=True, metadata=told)


@dg.asset_check(
    asset="dataset_rows",
    blocking=True,
    partitions_def=WORKLOADS,
    description="No user, conversation or nearly the same request is on two sides.",
)
def no_leakage(context: dg.AssetCheckExecutionContext, wheel: Wheel) -> dg.AssetCheckResult:
    lake, of = wheel.lake(), pl.col("workload") == context.partition_key
    latest = lake.read("datasets").filter(of).sort("cycle")["dataset"][-1]
    rows = lake.read("dataset_rows").filter(of, pl.col("dataset") == latest)
    forms = frozen_forms(lake, context.partition_key)
    found = leaks(rows, lake.read("eval_items").filter(of), forms)
    return dg.AssetCheckResult(passed=not any(found), metadata=found._asdict())


CHECKS = [conservation, *map(only_what_may_train, KINDS), eval_set_is_frozen, no_leakage]
