"""Logs -> events. Not partitioned: each run takes what is new and reports the event days it touched."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
import polars as pl
from flywheel.ingest import ingest

from assets.metadata import bars, rows, spec, table
from assets.resources import Wheel

TABLES = ("events", "quarantine", "ingest_files")


@dg.multi_asset(
    name="take_logs",
    specs=[spec(name, group_name="ingest", kinds={"deltalake", "python"}, owners=["team:product"]) for name in TABLES],
    can_subset=False,
)
def ingest_logs(context: dg.AssetExecutionContext, wheel: Wheel) -> Iterator[dg.MaterializeResult]:
    """Take the new complete lines of every source; what cannot be read is kept with its reason."""
    settings, lake = wheel.settings(), wheel.lake()
    taken = ingest(lake, settings.sources, now=datetime.now(UTC))
    context.log.info(f"{taken.records} records: {taken.accepted} accepted, {taken.quarantined} quarantined")
    conserved = {name: getattr(taken, name) for name in ("records", "accepted", "repeated", "quarantined", "pending")}
    yield dg.MaterializeResult(
        asset_key="events",
        metadata={
            **rows(
                lake.read("events").sort("time", descending=True), show=["time", "workload", "kind", "model_version"]
            ),
            "by_kind": bars(taken.by_type),
            "days": [str(day) for day in taken.days],
        },
    )
    quarantine = lake.read("quarantine")
    # A reason ends with the value seen, which may be somebody's words: those stay in the table.
    reasons = quarantine.with_columns(pl.col("reason").str.split("; saw").list.first())
    reasons = reasons.group_by("reason").agg(pl.len().alias("records")).sort("records", descending=True)
    told = rows(reasons, show=["reason", "records"]) | {"dagster/row_count": len(quarantine)}
    yield dg.MaterializeResult(asset_key="quarantine", metadata=told)
    files = lake.read("ingest_files").sort("time", descending=True)
    yield dg.MaterializeResult(
        asset_key="ingest_files",
        metadata={
            **rows(files, show=["file", "records", "accepted", "repeated", "quarantined"]),
            "this_run": table([conserved]),
        },
    )
