"""One MLflow run for a training run, written while it runs. Registering its result belongs in `flywheel.registry`."""

import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flywheel.lake import locked


class Track:
    """Where metrics go; this one keeps none of them."""

    run: str | None = None

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Take note of the metrics of one step."""


class MlflowTrack(Track):
    """Metrics go to a run in MLflow."""

    def __init__(self, client: Any, run: str) -> None:
        self.client, self.run = client, run

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self.client.log_batch(self.run, [Metric(name, value, now, step) for name, value in metrics.items()])


@contextmanager
def tracked(
    wanted: Mapping[str, Any] | None, *, home: Path, checkpoint: str, params: Mapping[str, Any]
) -> Iterator[Track]:
    """A run that ends FINISHED or FAILED as the block does; without `wanted` nothing is tracked."""
    if wanted is None:
        yield Track()
        return
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient  # seconds, and only tracked runs need it
    from mlflow.entities import Param

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    with locked(home / "locks" / "mlflow"):  # two first users would both set the database up
        client = MlflowClient(wanted["tracking_uri"])
        experiment = _experiment(client, wanted["experiment"], home)
    _end_killed(client, experiment, checkpoint)
    tags = {**wanted.get("tags", {}), "checkpoint": checkpoint}
    run = client.create_run(experiment, run_name=wanted["run_name"], tags=tags).info.run_id
    client.log_batch(run, params=[Param(name, str(value)) for name, value in params.items()])
    if inputs := wanted.get("inputs"):
        _log_inputs(client, run, inputs)
    try:
        yield MlflowTrack(client, run)
    except BaseException as error:
        client.set_tag(run, "error", str(error)[:500])
        client.set_terminated(run, "FAILED")
        raise
    client.set_terminated(run, "FINISHED")


def _experiment(client: Any, name: str, home: Path) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return found.experiment_id
    return client.create_experiment(name, artifact_location=(home / "mlartifacts" / name).as_uri())


def _log_inputs(client: Any, run: str, inputs: list[Mapping[str, str]]) -> None:
    """What the run was made of, where MLflow shows it: beside the run."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    client.log_inputs(run, [
        DatasetInput(
            Dataset(one["name"], one["digest"], "delta", one["source"], profile=one["profile"]),
            [InputTag("mlflow.data.context", one["context"])],
        )
        for one in inputs
    ])  # fmt: skip


def _end_killed(client: Any, experiment: str, checkpoint: str) -> None:
    """A killed process cannot end its run; whoever trains the same checkpoint next does it."""
    unfinished = f"tags.checkpoint = '{checkpoint}' and attributes.status = 'RUNNING'"
    for run in client.search_runs([experiment], unfinished):
        client.set_terminated(run.info.run_id, "KILLED")
