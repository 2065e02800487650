"""Signals -> pairs, rankings, labels, demonstrations, by the same days."""

from collections.abc import Iterator

import dagster as dg
from flywheel.records import KINDS, derive_days

from assets.metadata import bars, rows, spec
from assets.partitions import DAYS
from assets.resources import Wheel
from assets.signals import days_of


@dg.multi_asset(
    name="derive_records",
    specs=[
        spec(
            kind, group_name="records", kinds={"duckdb", "deltalake"}, owners=["team:ml"], deps=["exchanges", "signals"]
        )
        for kind in KINDS
    ],
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    can_subset=False,
)
def derive_records(context: dg.AssetExecutionContext, wheel: Wheel) -> Iterator[dg.MaterializeResult]:
    """Make these days' training records, each with its rule, the rule's version and its events."""
    for kind, records in derive_days(wheel.lake(), wheel.settings(), days_of(context)).items():
        says = [column for column in KINDS[kind] if column in records.columns]
        rules = dict(records["rule"].value_counts(sort=True).iter_rows())
        metadata = rows(records, show=["workload", "slice", "rule", *says]) | {"by_rule": bars(rules)}
        yield dg.MaterializeResult(asset_key=kind, metadata=metadata)
