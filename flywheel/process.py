"""A stage in a process of its own: how it is started, how it reports, how it ends.

Training, generation and the playground need torch; each runs as `python -m flywheel.<stage> FOLDER`, so that memory is
freed and no torch is loaded where assets are. The folder holds `job.json` (what to do) and, afterwards, `result.json`
or `error.json`. The same command works by hand, under `accelerate launch` and through Dagster Pipes.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from flywheel.errors import FlywheelError, Terminal, TrainingFailed, Transient

Job = dict[str, Any]
Result = dict[str, Any]
Run = Callable[[str, Path, Job], Result]
"""Runs `python -m flywheel.<stage> FOLDER`, here and now or through Dagster."""
ERRORS = {kind.__name__: kind for kind in (Terminal, TrainingFailed, Transient)}


class Report(Protocol):
    """Tells whoever listens how far the work is."""

    def __call__(self, message: str, **numbers: float) -> None: ...


# ---- the parent's side ----------------------------------------------------------------------------------------------


def prepare(stage: str, folder: Path, job: Mapping[str, Any]) -> list[str]:
    """Write the job, forget an earlier end, and return the command that does it."""
    folder.mkdir(parents=True, exist_ok=True)
    for end in ("result.json", "error.json"):
        (folder / end).unlink(missing_ok=True)
    _write(folder / "job.json", job)
    return [sys.executable, "-m", f"flywheel.{stage}", str(folder)]


def result(folder: Path) -> Result:
    """What the process left: its result, or its error raised here."""
    if (folder / "result.json").exists():
        return json.loads((folder / "result.json").read_text())
    if (folder / "error.json").exists():
        error = json.loads((folder / "error.json").read_text())
        raise ERRORS.get(error["type"], Terminal)(error["sentence"])
    raise Transient(
        "the process ended without a result", seen=folder, do="run it again; was it killed or out of memory?"
    )


def run(stage: str, folder: Path, job: Mapping[str, Any]) -> Result:
    """Do the job here and now, its progress on stderr."""
    waited(prepare(stage, folder, job))
    return result(folder)


def waited(command: Sequence[str]) -> None:
    """Until it has ended. A Ctrl-C reaches it too, and it may have something to save: it is never killed for that."""
    with subprocess.Popen(command, stdout=sys.stderr) as process:
        while process.returncode is None:
            with suppress(KeyboardInterrupt):
                process.wait()


# ---- the child's side -----------------------------------------------------------------------------------------------


def child(work: Callable[[Job, Report], Result]) -> None:
    """The body of a `__main__`: read the job, do it, leave the result; of several ranks only the first writes."""
    folder = Path(sys.argv[1])
    first = os.environ.get("RANK", "0") == "0"
    with _reporting(first) as report:
        try:
            ended, end = work(json.loads((folder / "job.json").read_text()), report), "result.json"
        except FlywheelError as error:
            ended, end = {"type": type(error).__name__, "sentence": str(error)}, "error.json"
            report(str(error))
    if first:
        _write(folder / end, ended)
    sys.exit(0 if end == "result.json" else 2)


@contextmanager
def _reporting(first: bool) -> Iterator[Report]:
    """Report on stderr, and to Dagster when it launched this process through Pipes."""

    def tell(message: str, **numbers: float) -> None:
        if first:
            print(_line(message, numbers), file=sys.stderr, flush=True)  # noqa: T201

    if not first or "DAGSTER_PIPES_CONTEXT" not in os.environ:
        yield tell
        return
    from dagster_pipes import (
        open_dagster_pipes,
    )  # the child's half of the pipe; without it nothing of Dagster is needed

    with open_dagster_pipes() as pipes:

        def tell_both(message: str, **numbers: float) -> None:
            tell(message, **numbers)
            pipes.log.info(_line(message, numbers))

        yield tell_both


def _line(message: str, numbers: Mapping[str, float]) -> str:
    return "  ".join([message, *(f"{name} {value:.4g}" for name, value in numbers.items())])


def _write(path: Path, content: Mapping[str, Any]) -> None:
    """All of the file or nothing of it."""
    half = path.with_suffix(".half")
    half.write_text(json.dumps(content, indent=1, default=str))
    half.replace(path)
