"""A cycle's training in the lake's terms: what is to be run, and what is kept of it. Light: the run is a process of
its own.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from flywheel.checkpoint import fingerprint
from flywheel.lake import Lake
from flywheel.process import Job, Result
from flywheel.settings import Recipe, Workload
from flywheel.training.phases import Counts, too_few
from flywheel.training.recipe import job, name
from flywheel.training.replay import digest

EMPTY = {"metrics": "{}", "history": "[]", "mlflow_run": None, "seconds": 0.0, "folder": None, "fingerprint": None}

Aside = Literal["shuffled", "length", "reward", "preflight"]
ASIDE = {"shuffled": "controls", "length": "controls", "reward": "rewards", "preflight": "preflights"}
"""Where in the state folder each lies."""


@dataclass(frozen=True)
class Training:
    """What a cycle's training is: the folder of its process, and its job, or the reason why there is nothing to run."""

    row: dict[str, Any]
    folder: Path
    job: Job | None

    @property
    def reason(self) -> str | None:
        return self.row["reason"]


def plan(
    lake: Lake,
    workload: str,
    rules: Workload,
    *,
    start: Path,
    tracking_uri: str | None,
    minutes: float | None = None,
) -> Training:
    """The training of the workload's latest dataset; too few records are a reason not to train, not an error.

    A cycle that has trained keeps its start: once its winner is champion, training from the champion would begin
    elsewhere. `minutes` is what it may take.
    """
    dataset, made_of = _latest(lake, workload)
    done = _trained_before(lake, dataset, rules)
    start_fingerprint = done["start"] if done else fingerprint(start)
    row = {**made_of, "start": start_fingerprint, "reason": too_few(rules.recipe, _counts(dataset)), **EMPTY}
    checkpoint = _name(lake, dataset["dataset"], rules.recipe, start_fingerprint)
    folder = lake.home / "training" / workload / checkpoint
    if done or row["reason"]:
        return Training(done or row, folder, None)
    out = lake.home / "checkpoints" / workload / checkpoint
    tracking = _tracking(lake, dataset, tracking_uri) if tracking_uri else None
    asked = _asked(lake, dataset, rules.recipe, start=start, out=out, mlflow=tracking)
    return Training(row, folder, asked | {"minutes": minutes})


def aside(
    lake: Lake, workload: str, rules: Workload, *, start: Path, kind: Aside, tracking_uri: str | None, minutes: float
) -> Training:
    """A run on the same dataset and start whose result is no candidate: it lies in a folder of its own, the table
    `checkpoints` never hears of it, and so neither the gate nor the registry does.
    """
    dataset, made_of = _latest(lake, workload)
    recipe = rules.recipe
    if kind == "length" and recipe.phases:  # demonstrations say nothing of length
        left = tuple(phase for phase in recipe.phases if phase != "sft")
        recipe = recipe.model_copy(update={"phases": left or None})
    checkpoint = f"{_name(lake, dataset['dataset'], recipe, fingerprint(start))}-{kind}"
    tracking = _tracking(lake, dataset, tracking_uri, kind=kind) if tracking_uri else None
    asked = _asked(
        lake, dataset, recipe, start=start, out=lake.home / ASIDE[kind] / workload / checkpoint, mlflow=tracking
    )
    told = {kind: True} if kind in ("reward", "preflight") else {"control": kind}
    row = {**made_of, "start": fingerprint(start), "reason": None, **EMPTY}
    return Training(row, lake.home / "training" / workload / checkpoint, asked | told | {"minutes": minutes})


def _latest(lake: Lake, workload: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The workload's latest dataset, and what of it a training is made of."""
    dataset = lake.read("datasets").filter(pl.col("workload") == workload).sort("cycle").row(-1, named=True)
    return dataset, {key: dataset[key] for key in ("workload", "cycle", "dataset", "eval_set")}


def _asked(lake: Lake, dataset: dict[str, Any], recipe: Recipe, **more: Any) -> Job:
    of = {name: dataset[name] for name in ("workload", "cycle", "dataset")}
    return job(home=lake.home, recipe=recipe, **of, **more)


def _tracking(lake: Lake, dataset: dict[str, Any], uri: str, kind: str = "") -> dict[str, Any]:
    """How MLflow knows the run; one that is no candidate says so in its name and in a tag."""
    tags = {key: str(dataset[key]) for key in ("workload", "cycle", "dataset", "eval_set")}
    return {
        "tracking_uri": uri,
        "experiment": dataset["workload"],
        "run_name": f"cycle-{dataset['cycle']}" + (f"-{kind}" if kind else ""),
        "tags": tags | ({"aside": kind} if kind else {}),
        "inputs": _inputs(lake, dataset),
    }


def _inputs(lake: Lake, dataset: dict[str, Any]) -> list[dict[str, str]]:
    """The dataset and the eval set, as MLflow shows the inputs of a run: by name and hash, with their counts."""
    counts = {name: value for name, value in dataset.items() if isinstance(value, int)}
    source = json.dumps({"path": str(lake.root / "dataset_rows"), "dataset": dataset["dataset"]})
    trained = {"digest": dataset["dataset"], "context": "training", "profile": json.dumps(counts), "source": source}
    source = json.dumps({"path": str(lake.root / "eval_items"), "eval_set": dataset["eval_set"]})
    held = {"digest": dataset["eval_set"], "context": "evaluation", "profile": "{}", "source": source}
    name = dataset["workload"]
    return [{"name": f"{name} cycle {dataset['cycle']}", **trained}, {"name": f"{name} eval set", **held}]


def keep(lake: Lake, training: Training, result: Result | None) -> pl.DataFrame:
    """Write what came of it to `checkpoints`."""
    row = dict(training.row)
    if result is not None:
        row |= {
            "folder": result["checkpoint"],
            "fingerprint": result["fingerprint"],
            "metrics": json.dumps(result["metrics"]),
            "history": json.dumps(result["history"]),
            "mlflow_run": result["mlflow_run"],
            "seconds": float(result["seconds"]),
        }
    kept = pl.DataFrame([row], infer_schema_length=None)
    with lake.writing():
        lake.replace("checkpoints", kept, {"workload": [row["workload"]], "cycle": [row["cycle"]]})
    return kept


def _trained_before(lake: Lake, dataset: dict[str, Any], rules: Workload) -> dict[str, Any] | None:
    """The row of this cycle's checkpoint, if this dataset and recipe made it and it is still there."""
    same = (pl.col("workload") == dataset["workload"]) & (pl.col("cycle") == dataset["cycle"])
    for row in lake.read("checkpoints").filter(same, pl.col("dataset") == dataset["dataset"]).iter_rows(named=True):
        if row["folder"] and Path(row["folder"]).name == _name(lake, row["dataset"], rules.recipe, row["start"]):
            return row if Path(row["folder"]).exists() else None
    return None


def _name(lake: Lake, dataset: str, recipe: Recipe, start: str) -> str:
    return name(dataset, recipe, start, replay=digest(lake.home, recipe))


def _counts(dataset: dict[str, Any]) -> Counts:
    return Counts(*(dataset[f"train_{kind}"] for kind in Counts._fields))
