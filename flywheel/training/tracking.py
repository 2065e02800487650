"""One MLflow run for a training, which never waits for MLflow nor fails with it: what is said goes into an outbox.

A training that is taken up again goes on in the same run, and what it says a second time on the way is not said twice.
Registering its result belongs in `flywheel.registry`.
"""

import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flywheel import database
from flywheel.errors import Transient
from flywheel.process import Report
from flywheel.training.delivery import Delivery, Sender, deliver, now
from flywheel.training.outbox import Outbox, opened
from flywheel.training.system import System

PATIENCE, SHORT = 30.0, 3.0
"""Seconds for a server to take the last of it before the process ends; where somebody waits for that, only some."""
FOR_A_FILE = 600.0
"""A database that is a file is never down; making it takes long where others use the machine too."""
SYSTEM_EVERY = 10.0
"""Seconds between two looks at the machine."""


class Track:
    """Where metrics go; this one keeps none of them."""

    run: str | None = None

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Take note of the metrics of one step."""


class MlflowTrack(Track):
    """Metrics go to the outbox, and from there to a run in MLflow; each name and step once."""

    def __init__(self, outbox: Outbox, home: Path) -> None:
        self.outbox, self.delivery = outbox, Delivery(outbox, home)
        self.said = {(name, x["step"]) for x in outbox.lines() if "values" in x for name in x["values"]}
        self.system, self.looked = System(), 0.0
        self.looks = sum(name == "system/memory_megabytes" for name, _ in self.said)
        self.sender = Sender(self.delivery)

    @property
    def run(self) -> str | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.outbox.progress()[0]

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        self._say(metrics, step)
        if time.monotonic() - self.looked >= SYSTEM_EVERY:
            self._say(self.system.look(), self.looks)
            self.looked, self.looks = time.monotonic(), self.looks + 1

    def _say(self, metrics: Mapping[str, float], step: int) -> None:
        values = {name: float(value) for name, value in metrics.items() if (name, step) not in self.said}
        if values:
            self.said |= {(name, step) for name in values}
            self.outbox.say({"kind": "metrics", "time": now(), "step": step, "values": values})
            self.sender.wake()

    def end(self, status: str, error: str, report: Report) -> None:
        """The run ends as the training did; what MLflow has not taken by then waits for the next who asks."""
        self.outbox.say({"kind": "end", "status": status, "time": now(), "error": error})
        server = not self.outbox.lines()[0]["tracking_uri"].startswith(database.SQLITE)
        self.sender.end(SHORT if status == "KILLED" else PATIENCE if server else FOR_A_FILE)
        if waiting := self.outbox.waiting():
            report(f"MLflow cannot be reached: what it missed waits in {self.outbox.folder}", lines=waiting)
        for refused in self.delivery.refused[:1]:
            report(f"MLflow refused some of it: {refused}")


@contextmanager
def tracked(
    wanted: Mapping[str, Any] | None,
    *,
    home: Path,
    checkpoint: str,
    params: Mapping[str, Any],
    report: Report = lambda message, **numbers: None,
) -> Iterator[Track]:
    """A run that ends as the block does: FINISHED, FAILED, or KILLED if it can be taken up again."""
    if wanted is None:
        yield Track()
        return
    outbox = opened(home, checkpoint)
    if outbox.lines():
        outbox.say({"kind": "again"})
    else:
        outbox.say(_opening(wanted, checkpoint, params))
    track = MlflowTrack(outbox, home)
    try:
        yield track
    except BaseException as error:
        track.end("KILLED" if isinstance(error, Transient) else "FAILED", str(error), report)
        raise
    track.end("FINISHED", "", report)
    if not outbox.waiting():  # it is there: now is the time for what others left
        deliver(home, report)


def _opening(wanted: Mapping[str, Any], checkpoint: str, params: Mapping[str, Any]) -> dict[str, Any]:
    commit = _commit()
    tags = {
        **wanted.get("tags", {}),
        "checkpoint": checkpoint,
        **({"mlflow.source.git.commit": commit} if commit else {}),
    }
    return {
        "kind": "run",
        "time": now(),
        "token": uuid.uuid4().hex,
        "tracking_uri": wanted["tracking_uri"],
        "experiment": wanted["experiment"],
        "run_name": wanted["run_name"],
        "tags": tags,
        "params": {name: str(value) for name, value in params.items()},
        "inputs": wanted.get("inputs") or [],
    }


def _commit() -> str | None:
    """Of the code that trains, where it lies in a clone."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    asked = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return told.stdout.strip() or None
