"""The end of a cycle: a winner becomes a registered version, and the cycle's row says how it went, written last."""

from pathlib import Path
from typing import Any

import polars as pl

from flywheel.lake import Lake
from flywheel.registry.deployments import observe
from flywheel.registry.noted import note
from flywheel.registry.store import Registry
from flywheel.settings import Settings


def conclude(
    lake: Lake, registry: Registry, workload: str, settings: Settings, *, run: str | None = None
) -> dict[str, Any]:
    """Act on the workload's latest verdict; doing it again changes nothing."""
    verdict = _latest(lake, "verdicts", workload)
    dataset = _of_cycle(lake, "datasets", verdict)
    earlier = lake.read("cycles").filter(workload=workload, cycle=verdict["cycle"])["registered"]
    row = {
        "workload": workload,
        "cycle": verdict["cycle"],
        "cutoff": dataset["cutoff"],
        "outcome": verdict["verdict"],
        "reason": verdict["reason"],
        "registered": earlier.first(),  # judged anew and held, the version it made is there all the same
        "run": run,
    }
    note(registry, verdict, _of_cycle(lake, "checkpoints", verdict)["mlflow_run"])
    if verdict["verdict"] == "promote":
        row |= _promote(lake, registry, settings, verdict, dataset, run)
    observe(lake, registry, [workload])
    _write(lake, row)
    return row


def void(lake: Lake, registry: Registry, workload: str) -> bool:
    """A promotion waits in vain: the champion its candidate beat serves no more, so the gate must judge anew."""
    verdicts = lake.read("verdicts").filter(pl.col("workload") == workload).sort("cycle").tail(1)
    if verdicts.is_empty() or verdicts["verdict"][0] != "promote":
        return False
    verdict, champion = verdicts.row(0, named=True), registry.champion(workload)
    moved = champion is not None and champion.fingerprint not in (verdict["champion"], verdict["candidate"])
    ended = lake.read("cycles").filter(workload=workload, cycle=verdict["cycle"])
    # Registered before the alias moved, the version waits for a person, who sees what it beat.
    return moved and (ended.is_empty() or ended["registered"][0] is None)


def fail(lake: Lake, workload: str, sentence: str, *, run: str | None = None) -> None:
    """Keep why a cycle did not end; a cycle that did end stays as it is."""
    cutoff = lake.scan("events").filter(pl.col("workload") == workload).select(pl.col("time").max()).collect().item()
    cutoffs = lake.read("datasets").filter((pl.col("workload") == workload) & (pl.col("cutoff") < cutoff))
    cycle = 1 + len(cutoffs)
    ended = lake.read("cycles").filter(pl.col("workload") == workload, pl.col("cycle") == cycle)
    if ended.is_empty() or ended["outcome"][0] == "failed":
        row = {"workload": workload, "cycle": cycle, "cutoff": cutoff, "outcome": "failed"}
        _write(lake, row | {"reason": sentence, "registered": None, "run": run})


def _promote(
    lake: Lake,
    registry: Registry,
    settings: Settings,
    verdict: dict[str, Any],
    dataset: dict[str, Any],
    run: str | None,
) -> dict[str, Any]:
    """Register the winner, unless the champion it beat is no longer the champion."""
    workload = verdict["workload"]
    champion = registry.champion(workload)
    serving = champion.fingerprint if champion else "none"
    if serving not in (verdict["champion"], verdict["candidate"]):
        reason = f"void: it beat champion {verdict['champion']}, but {serving} serves now; the gate must judge it anew"
        return {"outcome": "hold", "reason": reason}
    checkpoint = _of_cycle(lake, "checkpoints", verdict)
    scores = {"gate/gain": verdict["gain"], "gate/score": verdict["candidate_score"]}
    version = registry.register(
        workload,
        Path(checkpoint["folder"]),
        tags=lineage(verdict, dataset, settings, run),
        metrics=scores if checkpoint["mlflow_run"] else None,
        run_id=checkpoint["mlflow_run"],
    )
    # A version that has served and serves no more was taken back by a person, and the wheel does not undo that.
    served = lake.read("deployments").filter(workload=workload, version=version.version)
    if settings.workload(workload).promotion == "auto" and serving != verdict["candidate"] and served.is_empty():
        registry.promote(workload, version.version, who="policy auto", why=verdict["reason"])
    return {"registered": version.version}


def lineage(verdict: dict[str, Any], dataset: dict[str, Any], settings: Settings, run: str | None) -> dict[str, str]:
    """What leads from a version back to the run, the dataset and, through its rows, the events; and to what it beat."""
    return {
        "cycle": str(verdict["cycle"]),
        "dataset": verdict["dataset"],
        "eval_set": verdict["eval_set"],
        "cutoff": dataset["cutoff"].isoformat(),
        "verdict": verdict["verdict"],
        "gain": f"{verdict['gain']:.4f}",
        "interval": f"{verdict['low']:.4f} to {verdict['high']:.4f}",
        "champion_beaten": verdict["champion"],
        "base_model": settings.workload(verdict["workload"]).base_model,
        "dagster_run": run or "none",
    }


def _of_cycle(lake: Lake, table: str, verdict: dict[str, Any]) -> dict[str, Any]:
    return lake.read(table).filter(workload=verdict["workload"], cycle=verdict["cycle"]).row(0, named=True)


def _latest(lake: Lake, table: str, workload: str) -> dict[str, Any]:
    return lake.read(table).filter(pl.col("workload") == workload).sort("cycle").row(-1, named=True)


def _write(lake: Lake, row: dict[str, Any]) -> None:
    with lake.writing():
        ended = pl.DataFrame([row], infer_schema_length=None)
        lake.replace("cycles", ended, {"workload": [row["workload"]], "cycle": [row["cycle"]]})
