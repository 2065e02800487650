"""A cycle's training in the lake's terms: what is to be run, and what is kept of it. Light: the run is a process of
its own.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from flywheel.checkpoint import fingerprint
from flywheel.lake import Lake
from flywheel.process import Job, Result
from flywheel.settings import Workload
from flywheel.training.phases import Counts, too_few
from flywheel.training.recipe import job, name

EMPTY = {"metrics": "{}", "history": "[]", "mlflow_run": None, "seconds": 0.0, "folder": None, "fingerprint": None}


@dataclass(frozen=True)
class Training:
    """What a cycle's training is: the folder of its process, and its job, or the reason why there is nothing to run."""

    row: dict[str, Any]
    folder: Path
    job: Job | None

    @property
    def reason(self) -> str | None:
        return self.row["reason"]


def plan(lake: Lake, workload: str, rules: Workload, *, start: Path, tracking_uri: str | None) -> Training:
    """The training of the workload's latest dataset; too few records are a reason not to train, not an error.

    A cycle that has trained keeps its start: once its winner is champion, training from the champion would begin
    elsewhere.
    """
    dataset = lake.read("datasets").filter(pl.col("workload") == workload).sort("cycle").row(-1, named=True)
    made_of = {key: dataset[key] for key in ("workload", "cycle", "dataset", "eval_set")}
    done = _trained_before(lake, dataset, rules)
    start_fingerprint = done["start"] if done else fingerprint(start)
    row = {**made_of, "start": start_fingerprint, "reason": too_few(rules.recipe, _counts(dataset)), **EMPTY}
    checkpoint = name(dataset["dataset"], rules.recipe, start_fingerprint)
    folder = lake.home / "training" / workload / checkpoint
    if done or row["reason"]:
        return Training(done or row, folder, None)
    tags = {key: str(value) for key, value in made_of.items()}
    tracking = {
        "tracking_uri": tracking_uri,
        "experiment": workload,
        "run_name": f"cycle-{dataset['cycle']}",
        "tags": tags,
        "inputs": _inputs(lake, dataset),
    }
    asked = job(
        home=lake.home,
        workload=workload,
        cycle=dataset["cycle"],
        dataset=dataset["dataset"],
        start=start,
        recipe=rules.recipe,
        out=lake.home / "checkpoints" / workload / checkpoint,
        mlflow=tracking if tracking_uri else None,
    )
    return Training(row, folder, asked)


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
        if row["folder"] and Path(row["folder"]).name == name(row["dataset"], rules.recipe, row["start"]):
            return row if Path(row["folder"]).exists() else None
    return None


def _counts(dataset: dict[str, Any]) -> Counts:
    return Counts(*(dataset[f"train_{kind}"] for kind in Counts._fields))
