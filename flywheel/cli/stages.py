"""Derive by itself; training and the gate have commands of their own (`training`, `gate`)."""

from typing import Any

import polars as pl

from flywheel import settings
from flywheel.cli.common import AsJson, app, progress, say, wheel
from flywheel.lake import Lake


@app.command()
def derive(json_out: AsJson = False) -> None:
    """Signals and records of all that the log or a rule has outgrown, and what there is of each then."""
    read, lake = wheel()
    say(derived(lake, read), json_out)


def derived(lake: Lake, read: settings.Settings) -> dict[str, Any]:
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
