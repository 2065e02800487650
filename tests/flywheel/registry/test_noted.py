"""A verdict reaches the run that trained its checkpoint, page and numbers, once, whatever it was."""

import json
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from flywheel.gate import report
from flywheel.registry import Registry
from flywheel.registry.noted import note, page

VERDICT: dict[str, Any] = {"workload": "drafts", "cycle": 3, "verdict": "hold", "reason": "cannot tell yet"}
VERDICT |= {"champion": "c0", "eval_set": "e1", "gain": 0.02, "low": -0.01, "high": 0.05, "items": 300, "users": 60}
VERDICT |= {"look": 2, "candidate_score": 0.62, "champion_score": 0.6, "n_needed": 1200}
VERDICT["details"] = json.dumps(
    {"costs": {"candidate": {"per_success": {"value": 0.25}}, "champion": {"per_success": {"value": None}}}}
)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """One for all: MLflow takes seconds to set up its database."""
    return Registry(tmp_path_factory.mktemp("home"))


@pytest.fixture
def run(registry: Registry) -> tuple[Registry, MlflowClient, str]:
    """A state folder with a training's run, and a page."""
    client = MlflowClient(registry.tracking_uri)
    told = page(registry.home, VERDICT)
    told.parent.mkdir(parents=True, exist_ok=True)
    told.write_text("<p>hold</p>")
    return registry, client, client.create_run(registry.experiment("drafts")).info.run_id


def history(client: MlflowClient, run_id: str) -> dict[str, list[float]]:
    names = client.get_run(run_id).data.metrics
    return {name: [each.value for each in client.get_metric_history(run_id, name)] for name in names}


@pytest.mark.parametrize("verdict", ["hold", "reject", "promote"])
def test_the_run_is_told_whatever_the_verdict(run: tuple[Registry, MlflowClient, str], verdict: str) -> None:
    registry, client, run_id = run
    assert note(registry, VERDICT | {"verdict": verdict}, run_id)
    data = client.get_run(run_id).data
    assert (data.tags["gate.verdict"], data.tags["gate.reason"]) == (verdict, "cannot tell yet")
    assert (data.metrics["gate/gain"], data.metrics["gate/n_needed"]) == (0.02, 1200)
    assert data.metrics["gate/cost_of_success/candidate"] == 0.25
    assert not {"gate/cost_of_success/champion", "gate/cost_of_success/none"} & set(data.metrics)
    assert [each.path for each in client.list_artifacts(run_id, "gate")] == ["gate/drafts-3.html"]
    assert Path(client.download_artifacts(run_id, "gate/drafts-3.html")).read_text() == "<p>hold</p>"


def test_telling_it_again_changes_nothing_and_news_are_told(run: tuple[Registry, MlflowClient, str]) -> None:
    registry, client, run_id = run
    note(registry, VERDICT, run_id)
    before = client.get_run(run_id).to_dictionary()
    assert not note(registry, VERDICT, run_id)
    assert client.get_run(run_id).to_dictionary() == before
    page(registry.home, VERDICT).write_text("<p>better said</p>")
    assert note(registry, VERDICT, run_id)
    assert note(registry, VERDICT | {"gain": 0.03}, run_id)
    assert history(client, run_id)["gate/gain"] == [0.02, 0.03]
    assert history(client, run_id)["gate/items"] == [300]
    assert Path(client.download_artifacts(run_id, "gate/drafts-3.html")).read_text() == "<p>better said</p>"


def test_a_step_that_was_killed_is_done_again_without_doubles(run: tuple[Registry, MlflowClient, str]) -> None:
    registry, client, run_id = run
    note(registry, VERDICT, run_id)
    client.delete_tag(run_id, "gate.noted")
    assert note(registry, VERDICT, run_id)
    assert {len(values) for values in history(client, run_id).values()} == {1}


def test_without_a_run_or_a_page_there_is_less_to_tell(run: tuple[Registry, MlflowClient, str]) -> None:
    registry, client, run_id = run
    assert not note(registry, VERDICT, None)
    assert not note(registry, VERDICT, "0" * 32)
    page(registry.home, VERDICT).unlink()
    assert note(registry, VERDICT | {"gain": None, "details": "{}"}, run_id)
    assert client.list_artifacts(run_id) == []
    assert "gate/gain" not in client.get_run(run_id).data.metrics


def test_the_page_is_where_the_gate_writes_it(tmp_path: Path) -> None:
    assert page(tmp_path, VERDICT) == report.path(tmp_path, "drafts", 3)
