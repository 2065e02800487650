"""Checkpoint -> answers -> verdict: champion and candidate on the frozen eval set. A verdict never turns a run red."""

from functools import partial

import dagster as dg
import polars as pl
from flywheel.errors import FlywheelError
from flywheel.gate import asking, stage

from assets import processes
from assets.metadata import bars, rows, spec, table
from assets.partitions import WORKLOADS
from assets.resources import Wheel

OPTIONS = {"group_name": "gate", "owners": ["team:ml"], "partitions_def": WORKLOADS}


@dg.asset(
    name="answers",
    description="What candidate and champion answer to the eval items, sampled with the same draws.",
    kinds={"transformers", "pytorch"},
    deps=["checkpoints", "eval_items"],
    metadata=dict(spec("answers").metadata),
    pool="gpu",
    **OPTIONS,
)
def answers(context: dg.AssetExecutionContext, wheel: Wheel, pipes: dg.PipesSubprocessClient) -> dg.MaterializeResult:
    settings, lake, workload = wheel.settings(), wheel.lake(), context.partition_key
    gate = settings.workload(workload).gate
    champion = wheel.champion(workload)
    models = stage.contestants(lake, workload, champion.fingerprint, champion.path)
    items = stage.eval_items(lake, workload)
    run = partial(processes.run, context, pipes)
    try:
        asking.ask(lake, items, models, workload=workload, gate=gate, budget=settings.budget, run=run)
    except FlywheelError as error:
        raise processes.failure(error) from None
    answered = (
        lake.read("answers")
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
def verdicts(context: dg.AssetExecutionContext, wheel: Wheel) -> dg.MaterializeResult:
    settings, workload = wheel.settings(), context.partition_key
    champion = wheel.champion(workload)
    try:
        judged = stage.judge_cycle(wheel.lake(), workload, settings.workload(workload), champion.fingerprint)
    except FlywheelError as error:
        raise processes.failure(error) from None
    verdict = judged.verdict.row(0, named=True)
    context.log.info(f"{verdict['verdict']}: {verdict['reason']}")
    told = {name: verdict[name] for name in ("verdict", "reason", "look", "eval_set", "candidate", "champion")}
    scores = {"champion": verdict["champion_score"] or 0.0, "candidate": verdict["candidate_score"] or 0.0}
    numbers = {name: verdict[name] for name in ("gain", "low", "high") if verdict[name] is not None}
    return dg.MaterializeResult(
        metadata=rows(judged.verdict)
        | told
        | numbers
        | {"scores": bars(scores), "slices": table(judged.slices.to_dicts())}
    )
