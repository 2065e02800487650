"""Logs -> events. Not partitioned: each run takes what is new and reports the event days it touched."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
from flywheel.ingest import ingest, reasons, waiting

from assets.metadata import bars, rows, spec, table
from assets.resources import Wheel

TABLES = ("events", "quarantine", "ingest_files")


@dg.multi_asset(
    name="take_logs",
    specs=[spec(name, group_name="ingest", kinds={"deltalake", "python"}, owners=["team:product"]) for name in TABLES],
    can_subset=False,
)
def ingest_logs(context: dg.AssetExecutionContext, wheel: Wheel) -> Iterator[dg.MaterializeResult]:
    """Take the new complete records of every source, masked; what cannot be read is kept with its reason."""
    settings, lake = wheel.settings(), wheel.lake()
    taken = ingest(lake, settings.sources, now=datetime.now(UTC), salt=settings.salt)
    context.log.info(f"{taken.records} records: {taken.accepted} accepted, {taken.quarantined} quarantined")
    names = ("records", "accepted", "repeated", "quarantined", "pending", "events", "waiting", "branches")
    newest = lake.sql("SELECT time, workload, kind, model_version FROM events ORDER BY time DESC LIMIT 8")
    unjoined = waiting(lake)
    yield dg.MaterializeResult(
        asset_key="events",
        metadata={
            "dagster/row_count": lake.count("events"),
            "rows": table(newest.to_dicts()),
            "by_kind": bars(taken.by_type),
            "masked": bars(taken.masked),
            "waiting": int(unjoined["events"].sum()),
            "waiting_rows": table(unjoined.head(8).to_dicts()),
            "days": [str(day) for day in taken.days],
        },
    )
    told = {"rows": table(reasons(lake).head(8).to_dicts()), "dagster/row_count": lake.count("quarantine")}
    yield dg.MaterializeResult(asset_key="quarantine", metadata=told)
    files = lake.read("ingest_files").sort("time", descending=True)
    yield dg.MaterializeResult(
        asset_key="ingest_files",
        metadata={
            **rows(files, show=["file", "records", "accepted", "repeated", "quarantined", "events", "pending"]),
            "this_run": table([{name: getattr(taken, name) for name in names}]),
        },
    )
