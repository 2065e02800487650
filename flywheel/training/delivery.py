"""Brings what trainings said to MLflow, each metric once, whenever MLflow is there.

A server that is down, or that fails in the midst of an answer, is asked again later and less and less often. Since a
request whose answer never came may have been heard, what the run has is looked at before anything is said again: a run
is found by a tag of its own, a metric by its name and step.
"""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flywheel import database
from flywheel.lake import locked
from flywheel.training.outbox import Line, Outbox

LEAST, MOST = 0.5, 60.0
"""Seconds between attempts, doubled by each that fails."""
TOKEN = "flywheel.outbox"
BATCH = 500
"""Metrics in one request; MLflow takes a thousand."""
REFUSED = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "INVALID_STATE", "RESOURCE_ALREADY_EXISTS")
"""What MLflow answers where asking again ends the same way: the run or the experiment was deleted, say."""


class Delivery:
    """Of one outbox. Whatever MLflow fails with comes out of `attempt`; the lines stay."""

    def __init__(self, outbox: Outbox, home: Path) -> None:
        self.outbox, self.home = outbox, home
        self.run, self.lines = outbox.progress()
        self.unsure = True
        self.refused: list[str] = []
        self.client: Any = None

    def attempt(self) -> None:
        """Everything that waits, in order."""
        with self.outbox.sending():
            self.run, self.lines = self.outbox.progress()
            lines = self.outbox.lines()
            while self.lines < len(lines):
                together = _together(lines[self.lines :])
                try:
                    self._send(lines[0], together)
                except Exception as error:
                    self.unsure = True
                    if getattr(error, "error_code", None) not in REFUSED:
                        raise
                    self.refused.append(str(error))
                self.lines += len(together)
                self.outbox.arrived(self.run, self.lines)
            self.unsure = False

    def _send(self, opening: Line, together: list[Line]) -> None:
        line = together[0]
        if self.client is None:
            self.client = connected(opening["tracking_uri"], self.home)
        if line["kind"] == "run":
            self._open(line)
        elif line["kind"] == "metrics":
            self._metrics(together)
        elif line["kind"] == "again":
            self.client.update_run(self.run, status="RUNNING")
        else:
            if line.get("error"):
                self.client.set_tag(self.run, "error", line["error"][:500])
            self.client.set_terminated(self.run, line["status"], line["time"])

    def _open(self, line: Line) -> None:
        """The run with all that is known at its start, and with that start; one that is there already is taken."""
        from mlflow.entities import Param

        with locked(self.home / "locks" / "mlflow"):
            experiment = _experiment(self.client, line["experiment"], self.home)
        found = self.client.search_runs([experiment], f"tags.`{TOKEN}` = '{line['token']}'")
        if found:
            self.run = found[0].info.run_id
        else:
            tags = {**line["tags"], TOKEN: line["token"]}
            made = self.client.create_run(experiment, line["time"], tags=tags, run_name=line["run_name"])
            self.run = made.info.run_id
        self.client.log_batch(self.run, params=[Param(name, value) for name, value in line["params"].items()])
        if line["inputs"]:
            _log_inputs(self.client, self.run, line["inputs"])

    def _metrics(self, lines: list[Line]) -> None:
        from mlflow.entities import Metric

        metrics = [Metric(name, value, x["time"], x["step"]) for x in lines for name, value in x["values"].items()]
        if self.unsure:
            names = {metric.key for metric in metrics}
            there = {(name, one.step) for name in names for one in self.client.get_metric_history(self.run, name)}
            metrics = [metric for metric in metrics if (metric.key, metric.step) not in there]
        if metrics:
            self.client.log_batch(self.run, metrics)


class Sender:
    """Delivers beside a training, from a thread; what it could not by the end waits on disk."""

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        self.wanted, self.ending = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._work, daemon=True, name="mlflow")
        self.thread.start()

    def wake(self) -> None:
        self.wanted.set()

    def end(self, seconds: float) -> None:
        """Once more all that waits; a server that does not answer is left alone after this long."""
        self.ending.set()
        self.wanted.set()
        self.thread.join(seconds)

    def _work(self) -> None:
        pause = LEAST
        while True:
            ending = self.ending.is_set()
            self.wanted.clear()
            try:
                self.delivery.attempt()
                pause = LEAST
            except Exception:  # MLflow's errors are many, its database's and its network's too
                self.ending.wait(pause)
                pause = min(2 * pause, MOST)
                self.wanted.set()
            if ending:
                return
            if not self.ending.is_set():
                self.wanted.wait()


def deliver(home: Path, told: Callable[[str], None] = lambda word: None) -> int:
    """What earlier trainings could not deliver; how many lines still wait."""
    left, down = 0, set[str]()
    for folder in sorted(path for path in (home / "outbox").glob("*") if (path / "said.jsonl").exists()):
        outbox = Outbox(folder)
        if not outbox.waiting():
            continue
        server = outbox.lines()[0]["tracking_uri"]
        if server not in down:
            try:
                Delivery(outbox, home).attempt()
            except Exception as error:  # as above
                down.add(server)
                told(f"MLflow does not take what {folder.name} said ({type(error).__name__}); it is kept")
        left += outbox.waiting()
    return left


def connected(tracking_uri: str, home: Path) -> Any:
    """A client that gives up on a server soon."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    return database.client(tracking_uri, home)


def now() -> int:
    return int(time.time() * 1000)


def _together(lines: list[Line]) -> list[Line]:
    """The lines that go in one request: metrics that follow each other."""
    if lines[0]["kind"] != "metrics":
        return lines[:1]
    taken, count = 0, 0
    for line in lines:
        count += len(line.get("values", ()))
        if line["kind"] != "metrics" or (taken and count > BATCH):
            break
        taken += 1
    return lines[:taken]


def _experiment(client: Any, name: str, home: Path) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return found.experiment_id
    return client.create_experiment(name, artifact_location=(home / "mlartifacts" / name).as_uri())


def _log_inputs(client: Any, run: str, inputs: list[dict[str, str]]) -> None:
    """What the run was made of, where MLflow shows it: beside the run."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    client.log_inputs(run, [
        DatasetInput(
            Dataset(one["name"], one["digest"], "delta", one["source"], profile=one["profile"]),
            [InputTag("mlflow.data.context", one["context"])],
        )
        for one in inputs
    ])  # fmt: skip
