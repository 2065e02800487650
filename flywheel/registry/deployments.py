"""What the alias `champion` was seen to do. MLflow keeps where it points; this table keeps since when and by whom."""

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from flywheel.lake import Lake
from flywheel.registry.store import Registry
from flywheel.tables import TABLES


def observe(lake: Lake, registry: Registry, workloads: Sequence[str]) -> pl.DataFrame:
    """Write down each alias that points elsewhere than when it was last looked at."""
    with lake.writing():
        moves = [move for workload in workloads if (move := _moved(lake, registry, workload))]
        new = pl.DataFrame(moves, schema=TABLES["deployments"].create_empty().schema)
        if moves:
            lake.add("deployments", new)
    return new


def _moved(lake: Lake, registry: Registry, workload: str) -> dict | None:
    champion = registry.champion(workload)
    seen = lake.read("deployments").filter(pl.col("workload") == workload).sort("seen")
    before = seen["version"][-1] if len(seen) else None
    if champion is None or champion.version == before:
        return None
    # MLflow's own alias moves write no tags: those of an earlier promotion would name the wrong person.
    since = seen["seen"][-1].isoformat() if len(seen) else ""
    told = champion.tags if champion.tags.get("promoted_at", "") > since else {}
    who, why = told.get("promoted_by", "unknown"), told.get("reason", "unknown")
    return {
        "workload": workload,
        "seen": datetime.now(UTC),
        "version": champion.version,
        "before": before,
        "who": who,
        "why": why,
    }
