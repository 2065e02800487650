"""Dataset -> checkpoint, in a process of its own, on the `gpu` pool."""

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import dagster as dg
from flywheel import checkpoint
from flywheel.errors import FlywheelError
from flywheel.training.stage import keep, plan

from assets import processes
from assets.metadata import curve, rows, spec, table
from assets.partitions import WORKLOADS
from assets.resources import Wheel


@dg.asset(
    name="checkpoints",
    description="The model this cycle trained, or why there was nothing to train.",
    group_name="training",
    kinds={"trl", "pytorch"},
    owners=["team:ml"],
    partitions_def=WORKLOADS,
    deps=["dataset_rows"],
    metadata=dict(spec("checkpoints").metadata),
    pool="gpu",
)
def checkpoints(
    context: dg.AssetExecutionContext, wheel: Wheel, pipes: dg.PipesSubprocessClient
) -> dg.MaterializeResult:
    settings, lake, workload = wheel.settings(), wheel.lake(), context.partition_key
    try:
        rules, champion = settings.workload(workload), wheel.champion(workload)
        start, word = wheel.base(workload), ""
        if rules.start_from == "champion":
            start, word = checkpoint.starting_point(champion.path, start)
        if word:
            context.log.info(word)
        budget = settings.budget.training_minutes
        training = plan(lake, workload, rules, start=start, tracking_uri=wheel.registry().tracking_uri, minutes=budget)
    except FlywheelError as error:
        raise processes.failure(error) from None
    result = processes.run(context, pipes, "training", training.folder, training.job) if training.job else None
    kept = keep(lake, training, result)
    history, metrics = json.loads(kept["history"][0]), json.loads(kept["metrics"][0])
    told = {
        "outcome": training.reason or f"trained in {kept['seconds'][0]:.0f} s",
        "chosen": outcome(metrics),
        "checkpoints": table(offered(history, metrics)),
        "loss": curve([point["loss"] for point in history if "loss" in point]),
        "metrics": table([metrics] if metrics else []),
    } | preflight((result or {}).get("preflight"))
    return dg.MaterializeResult(
        metadata=rows(kept) | told, data_version=dg.DataVersion(kept["fingerprint"][0] or "none")
    )


def preflight(ahead: Mapping[str, Any] | None) -> dict[str, Any]:
    """What was told before the first step; nothing where no training ran now."""
    if ahead is None:
        return {}
    runs = [
        (learned, "".join(token for token, _ in some)) for learned, some in groupby(ahead["conversation"], _learned)
    ]
    text = "".join(f"[[{said}]]" if learned else said for learned, said in runs)
    return {
        "preflight": table(ahead["phases"]),
        "one conversation; what is learned stands in [[ ]]": dg.MetadataValue.text(text),
    }


def _learned(token: Sequence[Any]) -> bool:
    return bool(token[1])


def outcome(metrics: Mapping[str, Any]) -> str:
    """Which of a training's checkpoints the gate will look at, in a sentence; older rows do not say."""
    if "chosen" not in metrics:
        return "nothing to choose from"
    return f"{metrics['chosen']}, of {metrics['checkpoints']} checkpoints: {metrics['why']}"


def offered(history: Sequence[Mapping[str, Any]], metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the development rows say of the start and of each checkpoint, one row each."""
    shown = []
    for point in history:
        if "checkpoint" in point:
            numbers = {name.split("/")[1]: value for name, value in point.items() if name.startswith("development/")}
            chosen = "yes" if point["checkpoint"] == metrics["checkpoint"] else ""
            shown.append({"checkpoint": point["name"], **numbers, "chosen": chosen})
    return shown
