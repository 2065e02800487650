"""Dataset -> checkpoint: SFT then DPO in a process of its own, on the `gpu` pool."""

import json

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
        training = plan(lake, workload, rules, start=start, tracking_uri=wheel.registry().tracking_uri)
    except FlywheelError as error:
        raise processes.failure(error) from None
    result = processes.run(context, pipes, "training", training.folder, training.job) if training.job else None
    kept = keep(lake, training, result)
    losses = [step["loss"] for step in json.loads(kept["history"][0])]
    metrics = json.loads(kept["metrics"][0])
    told = {"outcome": training.reason or f"trained in {kept['seconds'][0]:.0f} s", "loss": curve(losses)}
    return dg.MaterializeResult(
        metadata=rows(kept) | told | {"metrics": table([metrics] if metrics else [])},
        data_version=dg.DataVersion(kept["fingerprint"][0] or "none"),
    )
