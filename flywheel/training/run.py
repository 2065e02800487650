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
from flywheel.training.development import Development
from flywheel.training.dpo import dpo
from flywheel.training.kto import kto
from flywheel.training.offers import Offers
from flywheel.training.phases import KINDS, Phase, require
from flywheel.training.recipe import finished
from flywheel.training.replay import replayed
from flywheel.training.reward import reward
from flywheel.training.rows import Rows, fitting, read
from flywheel.training.sft import sft
from flywheel.training.tracking import Track, tracked
from flywheel.training.trainer import Coder
from flywheel.training.watch import Watch

LIBRARIES = ("torch", "transformers", "trl", "accelerate", "peft")
LEARN = {"sft": sft, "dpo": dpo, "kto": kto, "reward": reward}
FIRST = os.environ.get("RANK", "0") == "0"  # of several processes under accelerate, the one that writes


def train(job: Job, report: Report) -> Result:
    """Do the job; asked again for a checkpoint that is there, say what it was."""
    _quiet()
    out, home = Path(job["out"]), Path(job["home"])
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
    phases = require(recipe, rows, reward=job.get("reward", False))
    made_of = {**{name: job[name] for name in ("workload", "cycle", "dataset")}, "start": fingerprint(start)}
    params = {**made_of, **_flat(recipe.model_dump())}
    with tracked(job["mlflow"] if FIRST else None, home=home, checkpoint=out.name, params=params) as track:
        half = out.with_name(f"{out.name}.half")
        done = _learned(phases, start, rows, recipe, coder=coder, folder=_empty(half), report=report, track=track)
    if FIRST:
        told = {
            "metrics": done.metrics,
            "history": done.history,
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


def _rows(job: Job, recipe: Recipe, coder: Coder) -> tuple[Rows, int]:
    found = read(Path(job["home"]), job["workload"], job["dataset"])
    found = found._replace(replay=replayed(Path(job["home"]), recipe, len(found.demonstrations)))
    plain = Rows(*([coder.plain(row) for row in group] for group in found))
    return fitting(plain, lambda row: coder.tokens(row) <= recipe.max_length)


def _learned(
    phases: tuple[Phase, ...],
    start: Path,
    rows: Rows,
    recipe: Recipe,
    *,
    coder: Coder,
    folder: Path,
    report: Report,
    track: Track,
) -> Phases:
    """Each phase starts where the one before it ended.

    The folder that is left is that of the checkpoint chosen among all that they offered.
    """
    history: list[dict[str, Any]] = []
    development = Development(phases, rows, coder, recipe)
    offers = Offers(folder, development, history=history, report=report, track=track)
    for phase in phases:
        learned = getattr(rows, KINDS[phase]) + (rows.replay if phase == "sft" else [])
        epochs = getattr(recipe, phase).epochs
        watch = Watch(phase, rows=len(learned), epochs=epochs, history=history, report=report, track=track)
        begin = offers.newest.folder if offers.newest else start
        LEARN[phase](begin, learned, recipe, coder=coder, watch=watch, offers=offers)
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
