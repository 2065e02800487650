"""Events -> exchanges and signals, by the UTC day of the answer they speak of."""

from collections.abc import Iterator

import dagster as dg
from flywheel.signals import derive_days

from assets.metadata import bars, rows, spec
from assets.partitions import DAYS
from assets.resources import Wheel


@dg.multi_asset(
    name="derive_signals",
    specs=[
        spec(name, group_name="signals", kinds={"duckdb", "deltalake"}, owners=["team:ml"], deps=["events"])
        for name in ("exchanges", "signals")
    ],
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    can_subset=False,
)
def derive_signals(context: dg.AssetExecutionContext, wheel: Wheel) -> Iterator[dg.MaterializeResult]:
    """Derive these days purely from the events of every conversation that has an answer on them."""
    derived = derive_days(wheel.lake(), wheel.settings(), days_of(context))
    slices = dict(derived.exchanges["slice"].value_counts(sort=True).iter_rows())
    shown = ["slice", "request", "response", "final"]
    yield dg.MaterializeResult(
        asset_key="exchanges", metadata=rows(derived.exchanges, show=shown) | {"slices": bars(slices)}
    )
    kinds = dict(derived.signals["kind"].value_counts(sort=True).iter_rows())
    shown = ["kind", "slice", "value", "confidence", "audited", "text"]
    yield dg.MaterializeResult(
        asset_key="signals", metadata=rows(derived.signals, show=shown) | {"by_kind": bars(kinds)}
    )


def days_of(context: dg.AssetExecutionContext) -> list:
    """The days of this run, one or a range."""
    return [window.start.date() for window in map(DAYS.time_window_for_partition_key, context.partition_keys)]
