"""Verdict -> registered version -> alias: the end of a cycle; and what a person moved in MLflow since."""

import dagster as dg
import polars as pl
from flywheel.errors import FlywheelError
from flywheel.registry import conclude, observe

from assets import processes
from assets.gate import rerouted
from assets.metadata import rows, spec, table
from assets.partitions import WORKLOADS
from assets.resources import Wheel


@dg.asset(
    name="cycles",
    description="The end of the cycle: a winner is a registered version, and the alias moves if the policy says so.",
    group_name="registry",
    kinds={"mlflow"},
    owners=["team:models"],
    partitions_def=WORKLOADS,
    deps=["verdicts"],
    metadata=dict(spec("cycles").metadata),
)
def cycles(context: dg.AssetExecutionContext, wheel: Wheel) -> dg.MaterializeResult:
    settings, lake, workload = wheel.settings(), wheel.lake(), context.partition_key
    try:
        ended = conclude(lake, wheel.registry(), workload, settings, run=context.run_id)
        routes = rerouted(wheel, workload)
    except FlywheelError as error:
        raise processes.failure(error) from None
    context.log.info(ended["reason"])
    turns = lake.read("cycles").filter(pl.col("workload") == workload).sort("cycle")
    told = {name: ended[name] or "none" for name in ("outcome", "reason", "registered")} | {"routes": routes}
    return dg.MaterializeResult(metadata=rows(turns, show=["cycle", "outcome", "registered", "reason"]) | told)


@dg.asset(
    name="deployments",
    description="Every move of the alias `champion` as it was seen: from, to, when, by whom and why.",
    group_name="registry",
    kinds={"mlflow"},
    owners=["team:models"],
    metadata=dict(spec("deployments").metadata),
)
def deployments(wheel: Wheel) -> dg.MaterializeResult:
    moves = observe(wheel.lake(), wheel.registry(), list(wheel.settings().workloads))
    routes = {workload: rerouted(wheel, workload) for workload in moves["workload"]}
    seen = wheel.lake().read("deployments").sort("seen", descending=True)
    shown = ["workload", "seen", "before", "version", "who", "why"]
    return dg.MaterializeResult(
        metadata=rows(seen, show=shown) | {"new": table(moves.select(shown).to_dicts()), "routes": routes}
    )
