"""One training run: rows in, a complete checkpoint folder out, or one sentence why not.

Everything is written beside the checkpoint's folder and moved there last: a folder that exists is complete, and a run
that was killed is simply run again: it goes on from its newest durable checkpoint (`resuming`).
"""

import gc
import json
import shutil
import time
import warnings
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import datasets
import torch
import transformers

from flywheel.checkpoint import fingerprint
from flywheel.errors import TrainingFailed
from flywheel.gpu import held, needed
from flywheel.lake import locked
from flywheel.process import Job, Report, Result
from flywheel.settings import Recipe
from flywheel.training.development import Development
from flywheel.training.dpo import dpo
from flywheel.training.offers import Offers
from flywheel.training.recipe import finished
from flywheel.training.resuming import FIRST, Resume
from flywheel.training.rows import Rows, fitting, read, require
from flywheel.training.saving import sync, synced
from flywheel.training.sft import sft
from flywheel.training.tracking import Track, tracked
from flywheel.training.trainer import Coder
from flywheel.training.watch import Watch

LIBRARIES = ("torch", "transformers", "trl", "accelerate")


def train(job: Job, report: Report) -> Result:
    """Do the job; asked again for a checkpoint that is there, say what it was."""
    _quiet()
    out, home = Path(job["out"]), Path(job["home"])
    with locked(home / "locks" / f"training-{out.name}") if FIRST else nullcontext():
        if finished(out) is None:
            if out.exists():
                raise TrainingFailed("the checkpoint's folder was not made by training", seen=out, do="move it away")
            recipe = Recipe(**job["recipe"])
            with held(report, room=needed(Path(job["start"]), lora=recipe.lora is not None)):
                _make(job, recipe, out, report)
        if FIRST:
            shutil.rmtree(_half(out), ignore_errors=True)  # now, or left by a run that was killed just here
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
    made_of = {**{name: job[name] for name in ("workload", "cycle", "dataset")}, "start": fingerprint(start)}
    params = {**made_of, **_flat(recipe.model_dump())}
    with tracked(
        job["mlflow"] if FIRST else None, home=home, checkpoint=out.name, params=params, report=report
    ) as track:
        resume = Resume(_half(out), out.name, minutes=recipe.save_minutes, report=report)
        done = _fitted(start, rows, recipe, coder=coder, report=report, track=track, resume=resume)
    if FIRST:
        told = {
            "metrics": done.metrics,
            "history": done.history,
            "counts": rows.counts(),
            "left_out": left_out,
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


def _rows(job: Job, recipe: Recipe, coder: Coder) -> tuple[Rows, int]:
    found = read(Path(job["home"]), job["workload"], job["dataset"])
    plain = Rows(*([coder.plain(row) for row in group] for group in found))
    return fitting(plain, lambda row: coder.tokens(row) <= recipe.max_length)


def _fitted(
    start: Path, rows: Rows, recipe: Recipe, *, coder: Coder, report: Report, track: Track, resume: Resume
) -> Phases:
    """The phases; out of memory, again from where it was saved with less of a step at a time."""
    while True:
        try:
            return _phases(start, rows, recipe, coder=coder, report=report, track=track, resume=resume)
        except torch.OutOfMemoryError:
            resume.halve()
        gc.collect()
        torch.cuda.empty_cache()


def _phases(
    start: Path, rows: Rows, recipe: Recipe, *, coder: Coder, report: Report, track: Track, resume: Resume
) -> Phases:
    """SFT where there are demonstrations, DPO where there are pairs; each starts where the one before it ended.

    The folder that is left is that of the checkpoint chosen among all that they offered.
    """
    history: list[dict[str, Any]] = []
    development = Development(rows, coder, recipe)
    offers = Offers(resume.folder, development, history=history, report=report, track=track, resume=resume)
    resume.take_up(offers)

    def watching(phase: str, count: int, epochs: float) -> Watch:
        return Watch(phase, rows=count, epochs=epochs, history=history, report=report, track=track)

    if rows.demonstrations and "sft" not in resume.done:
        watch = watching("sft", len(rows.demonstrations), recipe.sft.epochs)
        sft(start, rows.demonstrations, recipe, coder=coder, watch=watch, offers=offers)
    if rows.pairs and "dpo" not in resume.done:
        watch, begin = watching("dpo", len(rows.pairs), recipe.dpo.epochs), offers.beginning("dpo", start)
        dpo(begin, rows.pairs, recipe, coder=coder, watch=watch, offers=offers)
    kept, chosen = offers.chosen()
    track.log({"chosen": chosen["checkpoint"]}, chosen["checkpoint"])
    final = {f"{point['phase']}/loss": point["loss"] for point in history if "loss" in point}
    return Phases(kept, history, final | chosen)


def _quiet() -> None:
    """Progress is told by `report`; the libraries' own bars and deprecations of each other only hide it."""
    datasets.disable_progress_bars()
    transformers.logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")


def _half(out: Path) -> Path:
    """Where a run works until its checkpoint is whole."""
    return out.with_name(f"{out.name}.half")


def _flat(recipe: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in recipe.items():
        flat |= _flat(value, f"{prefix}{name}/") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1))
