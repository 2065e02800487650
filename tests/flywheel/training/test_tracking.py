"""A training says what it has to say whether MLflow listens or not, and MLflow has each word once."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flywheel.errors import TrainingFailed, Transient
from flywheel.training.delivery import Delivery, deliver
from flywheel.training.outbox import Outbox, folder_of
from flywheel.training.tracking import tracked
from tests.mlflow_server import Flapping, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flapping]:
    with serving(tmp_path_factory.mktemp("mlflow")) as it:
        yield it


@pytest.fixture(autouse=True)
def connected(server: Flapping) -> None:
    server.wire = lambda path: "through"
    server.seen.clear()


def wanted(server: Flapping, experiment: str) -> dict[str, Any]:
    return {"tracking_uri": server.url, "experiment": experiment, "run_name": "cycle-1", "tags": {"cycle": "1"}}


def say(
    server: Flapping, home: Path, name: str, steps: int = 20, first: int = 0, error: Exception | None = None
) -> None:
    """What a short training would, which may end in an error."""
    with tracked(wanted(server, home.name), home=home, checkpoint=name, params={"a": 1}) as track:
        for step in range(first, steps):
            track.log({"loss": 1 / (1 + step), "accuracy": step / steps}, step)
        if error:
            raise error


def runs(server: Flapping, home: Path) -> dict[str, Any]:
    from mlflow import MlflowClient

    client = MlflowClient(server.url)
    experiment = client.get_experiment_by_name(home.name)
    found = client.search_runs([experiment.experiment_id]) if experiment else []
    assert len({run.data.tags["checkpoint"] for run in found}) == len(found)
    return {run.data.tags["checkpoint"]: run for run in found}


def curve(server: Flapping, run: Any, name: str) -> list[int]:
    from mlflow import MlflowClient

    return sorted(metric.step for metric in MlflowClient(server.url).get_metric_history(run.info.run_id, name))


def test_a_run_has_all_that_belongs_to_it(server: Flapping, tmp_path: Path) -> None:
    say(server, tmp_path, "c")
    run = runs(server, tmp_path)["c"]
    assert (run.info.status, run.info.run_name, run.data.params["a"]) == ("FINISHED", "cycle-1", "1")
    assert run.data.tags["cycle"] == "1"
    assert len(run.data.tags.get("mlflow.source.git.commit", "0" * 40)) == 40
    assert curve(server, run, "loss") == list(range(20))
    assert run.data.metrics["system/memory_megabytes"] > 10
    assert Outbox(folder_of(tmp_path, "c")).progress()[0] == run.info.run_id


def test_twenty_trainings_while_the_server_flaps(server: Flapping, tmp_path: Path) -> None:
    draw = random.Random(0)
    server.wire = lambda path: draw.choice(["through", "lost", "unanswered"])
    for number in range(20):
        say(server, tmp_path, f"c{number}")
    fates = [fate for _, fate in server.seen]
    assert min(fates.count(fate) for fate in ("through", "lost", "unanswered")) >= 5
    server.wire = lambda path: "through"
    assert deliver(tmp_path) == 0
    found = runs(server, tmp_path)
    assert len(found) == 20
    for run in found.values():
        assert run.info.status == "FINISHED"
        assert curve(server, run, "loss") == curve(server, run, "accuracy") == list(range(20))


def test_a_run_that_could_not_be_made_is_made_later_with_its_own_times(server: Flapping, tmp_path: Path) -> None:
    server.wire = lambda path: "lost"
    said: list[str] = []
    with tracked(
        wanted(server, tmp_path.name),
        home=tmp_path,
        checkpoint="c",
        params={},
        report=lambda word, **_: said.append(word),
    ) as track:
        track.log({"loss": 1.0}, 0)
    assert track.run is None
    assert said[-1].startswith("MLflow cannot be reached: what it missed waits in")
    assert deliver(tmp_path) == 3 + 1  # the run, its metrics, the machine, its end
    server.wire = lambda path: "through"
    assert deliver(tmp_path) == 0
    lines, run = Outbox(folder_of(tmp_path, "c")).lines(), runs(server, tmp_path)["c"]
    assert (run.info.start_time, run.info.end_time) == (lines[0]["time"], lines[-1]["time"])


def test_the_next_training_delivers_what_the_one_before_could_not(server: Flapping, tmp_path: Path) -> None:
    server.wire = lambda path: "lost"
    say(server, tmp_path, "first")
    server.wire = lambda path: "through"
    say(server, tmp_path, "second")
    assert curve(server, runs(server, tmp_path)["first"], "loss") == list(range(20))


def test_a_killed_training_goes_on_in_its_run_and_repeats_nothing(server: Flapping, tmp_path: Path) -> None:
    with pytest.raises(Transient):
        say(server, tmp_path, "c", steps=12, error=Transient("stopped"))
    assert runs(server, tmp_path)["c"].info.status == "KILLED"
    with (folder_of(tmp_path, "c") / "said.jsonl").open("a") as handle:
        handle.write('{"kind": "metr')  # torn by the kill
    say(server, tmp_path, "c", first=8)
    run = runs(server, tmp_path)["c"]
    assert run.info.status == "FINISHED"
    assert curve(server, run, "loss") == list(range(20))


def test_a_failed_training_says_why(server: Flapping, tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed):
        say(server, tmp_path, "c", error=TrainingFailed("the loss is not a number"))
    run = runs(server, tmp_path)["c"]
    assert (run.info.status, run.data.tags["error"]) == ("FAILED", "the loss is not a number.")


def test_what_arrived_is_not_said_again_though_nobody_took_note(server: Flapping, tmp_path: Path) -> None:
    say(server, tmp_path, "c")
    outbox = Outbox(folder_of(tmp_path, "c"))
    outbox.arrived(None, 0)  # a kill between the answer and the note of it
    Delivery(outbox, tmp_path).attempt()
    assert curve(server, runs(server, tmp_path)["c"], "loss") == list(range(20))
    assert outbox.waiting() == 0


def test_a_run_that_somebody_deleted_holds_nothing_up(server: Flapping, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    say(server, tmp_path, "c", steps=3)
    outbox = Outbox(folder_of(tmp_path, "c"))
    run, _ = outbox.progress()
    assert run is not None
    MlflowClient(server.url).delete_run(run)
    outbox.say({"kind": "metrics", "time": 1, "step": 99, "values": {"loss": 1.0}})
    delivery = Delivery(outbox, tmp_path)
    delivery.attempt()
    assert outbox.waiting() == 0
    assert "deleted" in delivery.refused[0]


def test_the_same_checkpoint_made_anew_is_another_run(server: Flapping, tmp_path: Path) -> None:
    say(server, tmp_path, "c", steps=2)
    say(server, tmp_path, "c", steps=2)
    told = [json.loads(path.read_text())["run"] for path in (tmp_path / "outbox").glob("*/sent.json")]
    assert len(set(told)) == 2
