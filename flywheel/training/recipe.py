"""What a training run is asked to do: its job, the name it gives its checkpoint, and whether that is there already.

Light, for whoever starts a run; the run itself is `flywheel.training.run`.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flywheel.checkpoint import fingerprint
from flywheel.errors import TrainingFailed
from flywheel.process import Job, Result
from flywheel.settings import Recipe


def name(dataset: str, recipe: Recipe, start_fingerprint: str, *, replay: str = "") -> str:
    """A checkpoint's folder name: what it is made of, so that the same run asked for twice is one run."""
    made_of = [dataset, recipe.model_dump(), start_fingerprint, *([replay] if replay else [])]
    identity = json.dumps(made_of, sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def job(
    *,
    home: Path,
    workload: str,
    cycle: int,
    dataset: str,
    start: Path,
    recipe: Recipe,
    out: Path,
    mlflow: Mapping[str, Any] | None = None,
    reward: bool = False,
) -> Job:
    """The `job.json` of one run; `mlflow` holds tracking_uri, experiment, run_name and tags.

    With `reward` it is a run for a reward model, which is no candidate: its `out` lies apart from the checkpoints.
    """
    return {
        "home": str(home),
        "workload": workload,
        "cycle": cycle,
        "dataset": dataset,
        "start": str(start),
        "recipe": recipe.model_dump(),
        "out": str(out),
        "mlflow": None if mlflow is None else dict(mlflow),
        "reward": reward,
    }


def finished(out: Path) -> Result | None:
    """What the run that made this checkpoint said; None where it is still to be made."""
    told = out / "training.json"  # the folder is moved into place as a whole, with this in it
    if not told.exists():
        return None
    return {"checkpoint": str(out), "fingerprint": fingerprint(out), **json.loads(told.read_text())}


def half(out: Path) -> Path:
    """Where a run works until its checkpoint is whole."""
    return out.with_name(f"{out.name}.half")


def require_affordable(ahead: dict[str, Any], minutes: float | None) -> None:
    """A run that would outlast its budget is not begun."""
    if minutes is not None and ahead["minutes"] > minutes:
        each = ", ".join(f"{phase['phase']} {phase['minutes']:.3g}" for phase in ahead["phases"])
        raise TrainingFailed(
            "this training would take longer than it may",
            seen=f"about {ahead['minutes']:.3g} minutes ({each})",
            allowed=f"{minutes:g} minutes (budget.training_minutes)",
            do="raise the budget, or lower epochs or max_length of the recipe, or train with lora or a smaller model",
        )
