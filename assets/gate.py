"""Checkpoint -> answers -> verdict: champion and candidate on the frozen eval set. A verdict never turns a run red."""

from functools import partial

import dagster as dg
import polars as pl
from flywheel.datasets import frozen, sealed
from flywheel.errors import BadInput, FlywheelError
from flywheel.gate import report, stage, telling
from flywheel.gate.sendings import Desk

from assets import processes
from assets.metadata import bars, rows, spec, table
from assets.partitions import WORKLOADS
from assets.resources import Wheel

OPTIONS = {"group_name": "gate", "owners": ["team:ml"], "partitions_def": WORKLOADS, "pool": "gpu"}


@dg.asset(
    name="answers",
    description="What candidate and champion answer to the eval items, sampled with the same draws.",
    kinds={"transformers", "pytorch"},
    deps=["checkpoints", "eval_items"],
    metadata=dict(spec("answers").metadata),
    **OPTIONS,
)
def answers(context: dg.AssetExecutionContext, wheel: Wheel, pipes: dg.PipesSubprocessClient) -> dg.MaterializeResult:
    desk, workload = _desk(wheel, context.partition_key), context.partition_key
    try:
        champion = wheel.champion(workload)
        models = stage.contestants(desk.lake, workload, champion.fingerprint, champion.path)
        items = frozen(desk.lake, workload, desk.rules)
        stage.ask(desk, items, models, partial(processes.run, context, pipes))
    except FlywheelError as error:
        raise processes.failure(error) from None
    answered = (
        desk.lake.read("answers")
        .filter(pl.col("model").is_in(list(models)))
        .join(items.select("item", "request"), on="item")
    )
    return dg.MaterializeResult(metadata=rows(answered.sort("item", "model"), show=["model", "request", "text"]))


@dg.asset(
    name="verdicts",
    description="Promote, hold or reject: the candidate against today's champion, paired by item, clustered by user.",
    kinds={"polars", "numpy"},
    deps=["answers"],
    metadata=dict(spec("verdicts").metadata),
    **OPTIONS,
)
def verdicts(context: dg.AssetExecutionContext, wheel: Wheel, pipes: dg.PipesSubprocessClient) -> dg.MaterializeResult:
    desk, workload = _desk(wheel, context.partition_key), context.partition_key
    try:
        champion = wheel.champion(workload)
        models = stage.contestants(desk.lake, workload, champion.fingerprint, champion.path)
        items = pl.concat([frozen(desk.lake, workload, desk.rules), sealed(desk.lake, workload)])
        run = partial(processes.run, context, pipes)
        judged = stage.judge_cycle(desk, items, models, champion=champion.fingerprint, run=run)
        page = report.written(desk.settings.home, telling.told(desk.lake, workload, desk.rules))
        routes = rerouted(wheel, workload)
    except FlywheelError as error:
        raise processes.failure(error) from None
    verdict = judged.verdict.row(0, named=True)
    context.log.info(f"{verdict['verdict']}: {verdict['reason']}")
    told = {name: verdict[name] for name in ("verdict", "look", "eval_set", "candidate", "champion")}
    numbers = {name: verdict[name] for name in ("gain", "low", "high", "n_needed") if verdict[name] is not None}
    scores = {"champion": verdict["champion_score"] or 0.0, "candidate": verdict["candidate_score"] or 0.0}
    why = dg.MetadataValue.md("\n".join(f"1. {reason}" for reason in verdict["reasons"]))
    shown = {"scores": bars(scores), "slices": table(judged.slices.to_dicts()), "page": dg.MetadataValue.path(page)}
    shown["routes"] = dg.MetadataValue.text(routes)
    return dg.MaterializeResult(metadata=rows(judged.verdict) | told | numbers | {"why": why} | shown)


def rerouted(wheel: Wheel, workload: str) -> str:
    """Write the routes anew for the champion that serves now: where they lie, or why they stay as they were."""
    champion, rules = wheel.registry().champion(workload), wheel.settings().workload(workload)
    if champion is None:
        return "none: there is no champion yet"
    try:
        return str(telling.rerouted(wheel.lake(), workload, rules, champion=champion.fingerprint))
    except BadInput as error:
        return f"not written anew: {error}"


def _desk(wheel: Wheel, workload: str) -> Desk:
    lake = wheel.lake()
    return Desk(lake=lake, settings=wheel.settings(), workload=workload, cycle=stage.current_cycle(lake, workload))
