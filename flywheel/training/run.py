"""One training run: rows in, a complete checkpoint folder out, or one sentence why not.

Everything is written beside the checkpoint's folder and moved there last: a folder that exists is complete, and a run
that was killed is simply run again.
"""

import json
import os
import shutil
import time
import warnings
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import datasets
import transformers

from flywheel.checkpoint import fingerprint
from flywheel.errors import TrainingFailed
from flywheel.lake import locked
from flywheel.process import Job, Report, Result
from flywheel.settings import Recipe
from flywheel.training.answers import Answers
from flywheel.training.control import controlled
from flywheel.training.development import Development
from flywheel.training.dpo import dpo
from flywheel.training.offers import Offers
from flywheel.training.preflight import preflight
from flywheel.training.recipe import finished, require_affordable
from flywheel.training.rows import Rows, fitting, read, require
from flywheel.training.sft import sft
from flywheel.training.tracking import Track, tracked
from flywheel.training.trainer import Coder
from flywheel.training.trial import Planned
from flywheel.training.watch import Watch

LIBRARIES = ("torch", "transformers", "trl", "accelerate")
RANKS = int(os.environ.get("WORLD_SIZE", "1"))
FIRST = os.environ.get("RANK", "0") == "0"  # of several processes under accelerate, the one that writes


def train(job: Job, report: Report) -> Result:
    """Do the job; asked again for a checkpoint that is there, say what it was."""
    _quiet()
    out, home = Path(job["out"]), Path(job["home"])
    if job.get("preflight"):
        return {"preflight": _looked_ahead(job, Recipe(**job["recipe"]), report)}
    with locked(home / "locks" / f"training-{out.name}") if FIRST else nullcontext():
        if finished(out) is None:
            if out.exists():
                raise TrainingFailed("the checkpoint's folder was not made by training", seen=out, do="move it away")
            _make(job, Recipe(**job["recipe"]), out, report)
    return finished(out) or {}


class Phases(NamedTuple):
    """What the phases of a run left."""

    folder: Path
    history: list[dict[str, Any]]
    metrics: dict[str, Any]


def _make(job: Job, recipe: Recipe, out: Path, report: Report) -> None:
    began, home, start = time.monotonic(), Path(job["home"]), Path(job["start"])
    coder = Coder(start)
    rows, left_out = _rows(job, recipe, coder)
    report("training", **rows.counts(), left_out=left_out)
    require(rows, recipe.min_records)
    ahead = preflight(_planned(rows, recipe), start, recipe, coder=coder, ranks=RANKS, report=report)
    require_affordable(ahead, job.get("minutes"))
    made_of = {**{name: job[name] for name in ("workload", "cycle", "dataset")}, "start": fingerprint(start)}
    params = {**made_of, **_flat(recipe.model_dump())}
    with tracked(job["mlflow"] if FIRST else None, home=home, checkpoint=out.name, params=params) as track:
        half = out.with_name(f"{out.name}.half")
        done = _phases(start, rows, recipe, coder=coder, folder=_empty(half), report=report, track=track)
    if FIRST:
        told = {
            "metrics": done.metrics,
            "history": done.history,
            "preflight": ahead,
            "counts": rows.counts(),
            "left_out": left_out,
            "seconds": round(time.monotonic() - began, 1),
            "versions": {library: version(library) for library in LIBRARIES},
            "mlflow_run": track.run,
        }
        _write(done.folder / "recipe.json", {**made_of, "recipe": recipe.model_dump()})
        _write(done.folder / "training.json", told)
        done.folder.rename(out)
        shutil.rmtree(half)


def _looked_ahead(job: Job, recipe: Recipe, report: Report) -> dict[str, Any]:
    """Only what is ahead; whoever asked judges the cost."""
    coder = Coder(Path(job["start"]))
    rows, left_out = _rows(job, recipe, coder)
    require(rows, recipe.min_records)
    told = preflight(_planned(rows, recipe), Path(job["start"]), recipe, coder=coder, ranks=RANKS, report=report)
    return {**told, "left_out": left_out, "budget_minutes": job.get("minutes")}


def _planned(rows: Rows, recipe: Recipe) -> list[Planned]:
    both = [Planned("sft", sft, rows.demonstrations, recipe.sft), Planned("dpo", dpo, rows.pairs, recipe.dpo)]
    return [planned for planned in both if planned.rows]


def _rows(job: Job, recipe: Recipe, coder: Coder) -> tuple[Rows, int]:
    found = read(Path(job["home"]), job["workload"], job["dataset"])
    found = controlled(found, job.get("control"), recipe.seed)
    plain = Rows(*([coder.plain(row) for row in group] for group in found))
    return fitting(plain, lambda row: coder.tokens(row) <= recipe.max_length)


def _phases(
    start: Path, rows: Rows, recipe: Recipe, *, coder: Coder, folder: Path, report: Report, track: Track
) -> Phases:
    """SFT where there are demonstrations, DPO where there are pairs; each starts where the one before it ended.

    The folder that is left is that of the checkpoint chosen among all that they offered.
    """
    history: list[dict[str, Any]] = []
    development, answers = Development(rows, coder, recipe), Answers(rows, coder)
    offers = Offers(folder, development, history=history, report=report, track=track)

    def watching(phase: str, count: int, epochs: float) -> Watch:
        more = {"recipe": recipe, "development": development, "answers": answers}
        return Watch(phase, rows=count, epochs=epochs, history=history, report=report, track=track, **more)

    if rows.demonstrations:
        watch = watching("sft", len(rows.demonstrations), recipe.sft.epochs)
        sft(start, rows.demonstrations, recipe, coder=coder, watch=watch, offers=offers)
    if rows.pairs:
        watch, last = watching("dpo", len(rows.pairs), recipe.dpo.epochs), offers.newest
        dpo(last.folder if last else start, rows.pairs, recipe, coder=coder, watch=watch, offers=offers)
    kept, chosen = offers.chosen()
    track.log({"chosen": chosen["checkpoint"]}, chosen["checkpoint"])
    final = {f"{point['phase']}/loss": point["loss"] for point in history if "loss" in point}
    return Phases(kept, history, final | chosen)


def _quiet() -> None:
    """Progress is told by `report`; the libraries' own bars and deprecations of each other only hide it."""
    datasets.disable_progress_bars()
    transformers.logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")


def _empty(folder: Path) -> Path:
    """Without what a killed run left in it."""
    if FIRST:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    return folder


def _flat(recipe: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in recipe.items():
        flat |= _flat(value, f"{prefix}{name}/") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1))
