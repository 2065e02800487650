"""Events -> exchanges and signals, by the UTC day of the answer they speak of: one asset for each kind of signal."""

from collections.abc import Iterator
from datetime import date

import dagster as dg
import polars as pl
from flywheel import settings
from flywheel.signals import catch_up, derive_days, stale_days
from flywheel.tables import SIGNAL_KINDS

from assets.metadata import bars, columns, progress, rows, spec
from assets.partitions import DAYS
from assets.resources import Wheel

OPTIONS = {"group_name": "signals", "kinds": {"duckdb", "deltalake"}, "owners": ["team:ml"]}
KINDS = [*SIGNAL_KINDS, *(own.name for own in settings.load().signals.own)]
KEYS = {kind: dg.AssetKey(["signals", kind]) for kind in KINDS}
SHOWN = ["slice", "value", "detail", "confidence", "weight", "audited", "text"]
TOLD = "Signals of this kind, in the table `signals`. What it means, and how far to trust it: docs/signals.md."


@dg.multi_asset(
    name="derive_signals",
    specs=[
        spec("exchanges", deps=["events"], **OPTIONS),
        *(
            dg.AssetSpec(
                key,
                description=TOLD,
                metadata={"dagster/column_schema": columns("signals")},
                deps=["exchanges"],
                **OPTIONS,
            )
            for key in KEYS.values()
        ),
    ],
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    can_subset=False,
)
def derive_signals(context: dg.AssetExecutionContext, wheel: Wheel) -> Iterator[dg.MaterializeResult]:
    """Derive what the log has outgrown in these days; where that is nothing, derive them anew from the log."""
    lake, read, days = wheel.lake(), wheel.settings(), days_of(context)
    stale = stale_days(lake, read)
    tell = progress(context, "signals: slice")
    if stale and {max(day, read.start) for day in stale} <= set(days):
        catch_up(lake, read, tell)
    else:
        derive_days(lake, read, days, tell)
    exchanges = of_days(lake.scan("exchanges"), days)
    slices = dict(exchanges.select(pl.col("slice").value_counts(sort=True)).unnest("slice").collect().iter_rows())
    n = sum(slices.values())
    sample = exchanges.head(8).collect()
    shown = rows(sample, show=["slice", "request", "response", "final"]) | {"dagster/row_count": n}
    yield dg.MaterializeResult(asset_key="exchanges", metadata=shown | {"slices": bars(slices)})
    found = of_days(lake.scan("signals"), days)
    for kind, key in KEYS.items():
        yield dg.MaterializeResult(asset_key=key, metadata=_told(found.filter(pl.col("kind") == kind), n))


def _told(found: pl.LazyFrame, exchanges: int) -> dict:
    """How often, how sure, and a few to look at."""
    counts = found.select("detail", "audited", sure=pl.col("confidence").mul(10).floor().clip(0, 9)).collect()
    details = dict(counts["detail"].drop_nulls().value_counts(sort=True).iter_rows())
    tenths = dict(counts.group_by("sure").len().sort("sure").iter_rows())
    told = rows(found.head(8).collect(), show=SHOWN) | {"dagster/row_count": len(counts), "of_exchanges": exchanges}
    told["rate"] = len(counts) / exchanges if exchanges else 0.0
    if len(counts):
        told["confidence"] = bars({f"{tenth / 10:.1f} to {(tenth + 1) / 10:.1f}": n for tenth, n in tenths.items()})
        audited = int(counts["audited"].sum())
        told["trust"] = f"{audited} of {len(counts)} with an audited confidence" if audited else "default, not audited"
    return told | ({"details": bars(details)} if details else {})


def of_days(table: pl.LazyFrame, days: list[date]) -> pl.LazyFrame:
    return table.filter(pl.col("day").is_between(min(days), max(days)))


def days_of(context: dg.AssetExecutionContext) -> list[date]:
    """The days of this run, one or a range."""
    return [window.start.date() for window in map(DAYS.time_window_for_partition_key, context.partition_keys)]
