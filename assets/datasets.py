"""Records -> the frozen eval set and the dataset of one workload at its cutoff."""

import json

import dagster as dg
import polars as pl
from flywheel import records, signals
from flywheel.datasets import advance, cut, keep_card, sealed
from flywheel.errors import FlywheelError, Transient

from assets.metadata import bars, curve, rows, spec, table
from assets.partitions import WORKLOADS
from assets.processes import failure
from assets.resources import Wheel

FUNNEL = ["kind", "rule", "records_in", "rejected", "records_out", "marked", "detail"]
EVERY_DAY = dg.AllPartitionMapping()
OPTIONS = {
    "group_name": "datasets",
    "kinds": {"polars", "deltalake"},
    "owners": ["team:ml"],
    "partitions_def": WORKLOADS,
}


@dg.asset(
    name="eval_items",
    description="The frozen eval set, and the sealed set beside it: what held-out users asked and finally sent.",
    deps=[dg.AssetDep(name, partition_mapping=EVERY_DAY) for name in ("exchanges", "failure_cases")],
    metadata=dict(spec("eval_items").metadata),
    **OPTIONS,
)
def eval_items(context: dg.AssetExecutionContext, wheel: Wheel) -> dg.MaterializeResult:
    settings, lake, workload = wheel.settings(), wheel.lake(), context.partition_key
    try:
        _require_derived(wheel)
        with lake.writing():
            items = advance(lake, workload, settings.workload(workload))
    except FlywheelError as error:
        raise failure(error) from None
    version = lake.read("eval_sets").filter(workload=workload, role="eval").sort("version").row(-1, named=True)
    shares = [{"stratum": name, **told} for name, told in json.loads(version["strata"]).items()]
    return dg.MaterializeResult(
        metadata={
            **rows(items, show=["stratum", "weight", "request", "reference"]),
            "eval_set": version["eval_set"],
            "version": f"{version['version']}: {version['why']}",
            "sealed": len(sealed(lake, workload)),
            "strata": table(shares),
            "slices": bars(dict(items["slice"].value_counts(sort=True).iter_rows())),
        },
        data_version=dg.DataVersion(version["eval_set"]),
    )


@dg.asset(
    name="dataset_rows",
    description="The training records of one workload at its cutoff, hashed, none of them seen by the eval set.",
    deps=["eval_items", *(dg.AssetDep(kind, partition_mapping=EVERY_DAY) for kind in records.KINDS)],
    metadata=dict(spec("dataset_rows").metadata),
    **OPTIONS,
)
def dataset_rows(context: dg.AssetExecutionContext, wheel: Wheel) -> dg.MaterializeResult:
    try:
        made = cut(wheel.lake(), context.partition_key, wheel.settings().workload(context.partition_key))
    except FlywheelError as error:
        raise failure(error) from None
    mix = made.rows.group_by("kind", "split", "rule").agg(pl.len().alias("records")).sort("kind", "split", "rule")
    steps = wheel.lake().read("funnel").filter(workload=context.partition_key, cycle=made.cycle).sort("kind", "place")
    return dg.MaterializeResult(
        metadata={
            **rows(made.rows, show=["kind", "split", "slice", "rule", "chosen", "rejected"]),
            "funnel": table(steps.select(FUNNEL).to_dicts()),
            "mix": table(mix.to_dicts()),
            "cycle": made.cycle,
            "cutoff": str(made.dataset["cutoff"][0]),
        },
        data_version=dg.DataVersion(made.name),
    )


@dg.asset(
    name="cards",
    description="What the dataset is made of: counts, mix, length, repetition, users, hashes, samples, export lines.",
    deps=["dataset_rows"],
    metadata=dict(spec("cards").metadata),
    **OPTIONS,
)
def cards(context: dg.AssetExecutionContext, wheel: Wheel) -> dg.MaterializeResult:
    try:
        told = keep_card(wheel.lake(), context.partition_key)
    except FlywheelError as error:
        raise failure(error) from None
    biases = [{"pairs": when, **of} for when, of in told["longer"].items()]
    return dg.MaterializeResult(
        metadata={
            **{f"funnel_of_{kind}s": bars(left) for kind, left in told["funnel"].items()},
            "counts": table([told["counts"]] if told["counts"] else []),
            "rules": bars(told["rules"]),
            "slices": bars(told["slices"]),
            "chosen_is_longer": table(biases),
            "repeated": told["repeated"] or 0.0,
            "users": told["users"]["users"],
            "share_of_the_most_frequent_users": curve(told["users"]["curve"]),
            "hashes": table([told["hashes"]]),
            "bridges": table(told["bridges"]),
            "exports": table([{"split": split, **lines} for split, lines in told["exports"].items()]),
            "samples": table(told["samples"]),
        },
        data_version=dg.DataVersion(told["dataset"]),
    )


def _require_derived(wheel: Wheel) -> None:
    """A cycle on half-derived days would leave out what people did there."""
    lake, settings = wheel.lake(), wheel.settings()
    stale = sorted({*signals.stale_days(lake, settings), *records.stale_days(lake, settings)})
    if stale:
        raise Transient(
            "some days of the log are not derived yet",
            seen=", ".join(map(str, stale[:5])),
            do="run the job derive for them first",
        )
