"""The stages behind ingest, each by itself: derive and train; the gate has commands of its own (`gate`)."""

import json
from typing import Any

import polars as pl

from flywheel import checkpoint, process, settings
from flywheel.cli.common import AsJson, Named, app, progress, say, wheel
from flywheel.errors import FlywheelError
from flywheel.lake import Lake


@app.command()
def derive(json_out: AsJson = False) -> None:
    """Signals and records of all that the log or a rule has outgrown, and what there is of each then."""
    read, lake = wheel()
    say(_derive(lake, read), json_out)


@app.command()
def train(workload: Named, json_out: AsJson = False) -> None:
    """Cut the workload's dataset at its cutoff and train a candidate on it."""
    from flywheel.datasets import cut
    from flywheel.registry import Registry, fail
    from flywheel.training.stage import keep, plan

    read, lake = wheel()
    rules, registry = read.workload(workload), Registry(read.home)
    _derive(lake, read)
    made = cut(lake, workload, rules)
    base = checkpoint.locate(read.base_model(workload))
    champion = registry.ensure_champion(workload, base)
    start = registry.path(champion) if rules.start_from == "champion" else base
    training = plan(lake, workload, rules, start=start, tracking_uri=registry.tracking_uri)
    try:
        result = process.run("training", training.folder, training.job) if training.job else None
    except FlywheelError as error:
        fail(lake, workload, str(error))
        raise
    kept = keep(lake, training, result).row(0, named=True)
    told = {key: kept[key] for key in ("workload", "cycle", "dataset", "folder", "fingerprint", "reason", "seconds")}
    say(told | {"rows": len(made.rows), "metrics": json.loads(kept["metrics"])}, json_out)


def _derive(lake: Lake, read: settings.Settings) -> dict[str, Any]:
    """Derive what is stale; tell all that the lake then holds."""
    from flywheel import records, signals

    with progress() as tell:
        days = {
            *signals.catch_up(lake, read, tell("signals")).days,
            *records.catch_up(lake, read, tell("records")).days,
        }
    if days:
        for workload in lake.scan("exchanges").select(pl.col("workload").unique().sort()).collect()["workload"]:
            records.map_failures(lake, workload)
    kinds = lake.scan("signals").group_by("kind").len().sort("kind").collect()
    return {
        "days": len(days),
        "signals": dict(kinds.iter_rows()),
        "records": {kind: lake.count(kind) for kind in records.KINDS},
    }
