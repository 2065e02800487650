"""One training run: rows in, a complete checkpoint folder out, or one sentence why not.

Everything is written beside the checkpoint's folder and moved there last: a folder that exists is complete, and a run
that was killed is simply run again: it goes on from its newest durable checkpoint (`resuming`). How its phases follow
each other is in `course`.
"""

import json
import shutil
import time
import warnings
from collections import Counter
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import datasets
import transformers

from flywheel.checkpoint import fingerprint
from flywheel.errors import TrainingFailed
from flywheel.gpu import held, needed
from flywheel.lake import locked
from flywheel.process import Job, Report, Result
from flywheel.settings import Recipe
from flywheel.training.control import controlled
from flywheel.training.course import Course, planned
from flywheel.training.phases import require
from flywheel.training.preflight import preflight
from flywheel.training.recipe import finished, half, require_affordable
from flywheel.training.replay import replayed
from flywheel.training.resuming import FIRST, RANKS, Resume, agreed
from flywheel.training.rows import Rows, fitting, read
from flywheel.training.saving import sync, synced
from flywheel.training.tracking import tracked
from flywheel.training.trainer import Coder
from flywheel.training.trial import Planned

LIBRARIES = ("torch", "transformers", "trl", "accelerate", "peft")


def train(job: Job, report: Report) -> Result:
    """Do the job; asked again for a checkpoint that is there, say what it was."""
    _quiet()
    out, home, recipe = Path(job["out"]), Path(job["home"]), Recipe(**job["recipe"])
    if job.get("preflight"):
        with held(report, room=needed(Path(job["start"]), lora=recipe.lora is not None)):
            return {"preflight": _looked_ahead(job, recipe, report)}
    with locked(home / "locks" / f"training-{out.name}") if FIRST else nullcontext():
        if finished(out) is None:
            if out.exists():
                raise TrainingFailed("the checkpoint's folder was not made by training", seen=out, do="move it away")
            with held(report, room=needed(Path(job["start"]), lora=recipe.lora is not None)):
                _make(job, recipe, out, report)
        if FIRST:
            shutil.rmtree(half(out), ignore_errors=True)
    return finished(out) or {}


class Ready(NamedTuple):
    """What a run begins with."""

    coder: Coder
    rows: Rows
    left_out: Counter[str]
    """Rows that nothing can be learned from, by the reason."""
    phases: tuple[Planned, ...]


def _make(job: Job, recipe: Recipe, out: Path, report: Report) -> None:
    began, home, start = time.monotonic(), Path(job["home"]), Path(job["start"])
    ready = _ready(job, recipe, report)
    resume = Resume(half(out), out.name, minutes=recipe.save_minutes, report=report)
    if (ahead := resume.ahead()) is None:
        ahead = agreed(preflight(ready.phases, start, recipe, coder=ready.coder, ranks=RANKS, report=report))
    require_affordable(ahead, job.get("minutes"))
    resume.remember(ahead)
    made_of = {**{name: job[name] for name in ("workload", "cycle", "dataset")}, "start": fingerprint(start)}
    params = {**made_of, **_flat(recipe.model_dump())}
    with tracked(
        job["mlflow"] if FIRST else None, home=home, checkpoint=out.name, params=params, report=report
    ) as track:
        course = Course(start, recipe, ready.phases, ready.rows, ready.coder, report, track, resume)
        done = course.run()
    if FIRST:
        told = {
            "metrics": done.metrics,
            "history": done.history,
            "preflight": ahead,
            "counts": ready.rows.counts(),
            "left_out": ready.left_out.total(),
            "why_left_out": dict(ready.left_out),
            "seconds": round(time.monotonic() - began, 1),
            "versions": {library: version(library) for library in LIBRARIES},
            "mlflow_run": track.run,
            "cut": resume.memory(),
        }
        _write(done.folder / "recipe.json", {**made_of, "recipe": recipe.model_dump()})
        _write(done.folder / "training.json", told)
        synced(done.folder)
        done.folder.rename(out)
        sync(out.parent)


def _looked_ahead(job: Job, recipe: Recipe, report: Report) -> dict[str, Any]:
    """Only what is ahead; whoever asked judges the cost."""
    ready = _ready(job, recipe, report)
    told = preflight(ready.phases, Path(job["start"]), recipe, coder=ready.coder, ranks=RANKS, report=report)
    left_out = {"left_out": ready.left_out.total(), "why_left_out": dict(ready.left_out)}
    return {**told, **left_out, "budget_minutes": job.get("minutes")}


def _ready(job: Job, recipe: Recipe, report: Report) -> Ready:
    home, coder = Path(job["home"]), Coder(Path(job["start"]))
    found = read(home, job["workload"], job["dataset"])
    found = found._replace(replay=replayed(home, recipe, len(found.demonstrations)))
    found = controlled(found, job.get("control"), recipe.seed)
    plain = Rows(*([coder.plain(row) for row in group] for group in found))
    rows, left_out = fitting(plain, lambda row: coder.unfit(row, recipe.max_length))
    report("training", **rows.counts(), left_out=left_out.total())
    if not any(rows):
        _require_sayable(left_out)
    phases = require(recipe, rows, reward=job.get("reward", False))
    return Ready(coder, rows, left_out, planned(phases, rows, recipe))


def _require_sayable(left_out: Counter[str]) -> None:
    for why, count in left_out.most_common(1):
        raise TrainingFailed(
            f"no record can be learned from: {why}",
            seen=f"{count} of {left_out.total()} records",
            do="mend the base model's chat template, or raise max_length of the recipe",
        )


def _quiet() -> None:
    """Progress is told by `report`; the libraries' own bars and deprecations of each other only hide it."""
    datasets.disable_progress_bars()
    transformers.logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")


def _flat(recipe: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in recipe.items():
        flat |= _flat(value, f"{prefix}{name}/") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1))
