"""Both UIs on one state: runs started in Dagster, an alias moved in MLflow, and the sensors between them."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from flywheel import records, settings, signals
from flywheel.lake import Lake
from flywheel.registry import Registry
from flywheel.settings import REPOSITORY
from tests.e2e.wheel import Wheel, light_wheel

LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
RUN = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
WORKLOAD = "reply-drafts"


class Servers(NamedTuple):
    wheel: Wheel
    dagster: str
    mlflow: str

    def launch(self, job: str, partition: str | None = None) -> str:
        """Start a run as the UI's button does, and wait for its end."""
        selector = {"jobName": job, "repositoryName": "__repository__", "repositoryLocationName": "flywheel"}
        tags = [{"key": "dagster/partition", "value": partition}] if partition else []
        params = {"selector": selector, "runConfigData": {}, "executionMetadata": {"tags": tags}}
        launched = ask(f"{self.dagster}/graphql", {"query": LAUNCH, "variables": {"params": params}})["data"][
            "launchRun"
        ]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run = {"query": RUN, "variables": {"id": launched["run"]["runId"]}}

        def ended() -> str | None:
            status = ask(f"{self.dagster}/graphql", run)["data"]["runOrError"]["status"]
            return status if status in ("SUCCESS", "FAILURE", "CANCELED") else None

        return until(ended)


def ask(url: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read()
    return json.loads(text) if text.startswith(b"{") else text


def until(seen: Callable[[], Any], seconds: float = 150) -> Any:
    """What `seen` comes to see; a server that is not there yet is waited for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if found := seen():
                return found
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        select.select([], [], [], 0.3)
    raise AssertionError(f"not seen in {seconds} seconds")


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    wheel = light_wheel(tmp_path_factory.mktemp("wheel"))
    ended = wheel.flywheel("demo", "--weeks", "1")
    assert ended.returncode == 0, ended.stderr[-3000:]
    dagster, mlflow = free_port(), free_port()
    command = [sys.executable, "-m", "flywheel.cli", "ui", "--dagster-port", dagster, "--mlflow-port", mlflow]
    log = (wheel.home.parent / "ui.log").open("w")
    ui = subprocess.Popen(
        command, cwd=REPOSITORY, env=wheel.environment, stderr=log, stdout=log, start_new_session=True
    )
    try:
        found = Servers(wheel, f"http://127.0.0.1:{dagster}", f"http://127.0.0.1:{mlflow}")
        until(lambda: ask(f"{found.dagster}/server_info"))
        until(lambda: ask(f"{found.mlflow}/health"))
        yield found
    finally:
        os.killpg(ui.pid, signal.SIGINT)
        ui.wait(timeout=60)
        log.close()


@pytest.mark.slow
def test_a_week_played_in_the_ui_is_served_by_the_alias_moved_in_mlflow_and_derived_by_itself(servers: Servers) -> None:
    home, lake = servers.wheel.home, Lake(servers.wheel.home)
    registry = Registry(home)
    (folder,) = lake.read("checkpoints").filter(workload=WORKLOAD)["folder"]
    candidate = registry.register(WORKLOAD, Path(folder), tags={"why": "a test"})
    before = lake.read("deployments").filter(workload=WORKLOAD).height
    serving = registry.champion(WORKLOAD)
    other = next(each for each in registry.versions(WORKLOAD) if serving is None or each.version != serving.version)
    assert {candidate.version, "1"} >= {other.version}
    moved = {"name": WORKLOAD, "alias": "champion", "version": other.version}
    ask(f"{servers.mlflow}/api/2.0/mlflow/registered-models/alias", moved)
    events = lake.read("events").height

    assert servers.launch("play") == "SUCCESS"

    until(lambda: lake.read("events").height > events)
    rules = settings.load(servers.wheel.settings).model_copy(update={"home": home})
    until(lambda: not signals.stale_days(lake, rules) and not records.stale_days(lake, rules))
    week_two = lake.read("events").filter(workload=WORKLOAD, kind="response").sort("time").tail(20)
    assert set(week_two["model_version"]) == {other.version}
    until(lambda: lake.read("deployments").filter(workload=WORKLOAD).height > before)
    assert lake.read("deployments").filter(workload=WORKLOAD).sort("seen")["version"][-1] == other.version


@pytest.mark.slow
def test_a_cycle_started_in_the_ui_is_the_next_cycle_of_the_command_line(servers: Servers) -> None:
    turned = [one["cycle"] for one in servers.wheel.told("status")["cycles"] if one["workload"] == WORKLOAD]
    assert servers.launch("cycle", WORKLOAD) == "SUCCESS"
    cycles = [one for one in servers.wheel.told("status")["cycles"] if one["workload"] == WORKLOAD]
    assert [one["cycle"] for one in cycles] == [*turned, turned[-1] + 1]
    assert cycles[-1]["verdict"] in ("promote", "hold", "reject")
