"""What the wheel asks for by itself: a new judgement where the champion was replaced, a look at what is live."""

from pathlib import Path

import dagster as dg
import pytest
from mlflow import MlflowClient

from assets.automation import new_logs, void_verdicts
from assets.resources import Wheel
from flywheel.settings import REPOSITORY
from tests.flywheel.registry.made import a_model, a_win


def asked(instance: dg.DagsterInstance) -> list[str | None]:
    """The workloads whose judgement the sensor asks for."""
    found = void_verdicts(dg.build_sensor_context(instance=instance, resources={"wheel": Wheel()}))
    return [request.partition_key for request in found.run_requests or []] if isinstance(found, dg.SensorResult) else []


def test_a_winner_whose_champion_was_replaced_is_judged_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYWHEEL_HOME", str(tmp_path))
    monkeypatch.setenv("FLYWHEEL_SETTINGS", str(REPOSITORY / "flywheel.toml"))
    won = a_win(tmp_path, "reply-drafts")
    with dg.DagsterInstance.ephemeral() as instance:
        assert asked(instance) == []
        other = won.registry.register("reply-drafts", a_model(tmp_path / "other", 2.0), tags={})
        client = MlflowClient(won.registry.tracking_uri)
        client.set_registered_model_alias("reply-drafts", "champion", other.version)
        assert asked(instance) == ["reply-drafts"]


@pytest.mark.parametrize(("path", "asks"), [("sqlite:///mlflow.db", True), ("{home}/logs/*.jsonl", False)])
def test_what_is_live_is_looked_at_though_no_file_has_grown(
    path: str, asks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiments = 'experiments = ["app"]' if asks else ""
    written = f'start = 2026-01-05\n[workloads]\n[[sources]]\nname = "app"\npath = "{path}"\n{experiments}\n'
    (tmp_path / "flywheel.toml").write_text(written)
    monkeypatch.setenv("FLYWHEEL_HOME", str(tmp_path))
    monkeypatch.setenv("FLYWHEEL_SETTINGS", str(tmp_path / "flywheel.toml"))
    found = new_logs(dg.build_sensor_context(resources={"wheel": Wheel()}))
    assert isinstance(found, dg.SensorResult) == asks
