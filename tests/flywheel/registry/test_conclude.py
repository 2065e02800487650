"""The end of a cycle: a winner is promoted once, a rollback is never undone, a void verdict promotes nothing."""

from pathlib import Path

import polars as pl
import pytest
from mlflow import MlflowClient

from flywheel.registry import fail, observe, void
from tests.flywheel.registry.made import Won, a_model, a_win


@pytest.fixture
def won(tmp_path: Path) -> Won:
    return a_win(tmp_path)


def move_alias(won: Won, version: str) -> None:
    """As a person does in the MLflow UI: no tag says who or why."""
    MlflowClient(won.registry.tracking_uri).set_registered_model_alias("drafts", "champion", version)


def champion(won: Won) -> str:
    found = won.registry.champion("drafts")
    assert found is not None
    return found.version


def test_a_winner_is_registered_with_its_lineage_and_promoted_once(won: Won) -> None:
    assert won.conclude()["registered"] == won.conclude()["registered"] == "2"
    assert champion(won) == "2"
    tags = won.registry.versions("drafts")[-1].tags
    assert (tags["dataset"], tags["eval_set"], tags["cycle"], tags["dagster_run"]) == ("d1", "e1", "1", "run-1")
    moves = won.lake.read("deployments").sort("seen")
    assert moves.select("before", "version", "who").rows() == [(None, "1", "flywheel"), ("1", "2", "policy auto")]
    assert len(won.lake.read("cycles")) == 1


def test_by_default_a_person_promotes(won: Won) -> None:
    won.conclude("person")
    assert champion(won) == "1"
    assert "challenger" in won.registry.versions("drafts")[-1].aliases


def test_a_persons_rollback_is_seen_and_never_undone(won: Won) -> None:
    won.conclude()
    move_alias(won, "1")
    observe(won.lake, won.registry, ["drafts"])
    assert won.lake.read("deployments").sort("seen").row(-1, named=True)["who"] == "unknown"
    won.conclude()
    assert champion(won) == "1"


def test_a_verdict_is_void_when_the_champion_it_beat_serves_no_more(won: Won) -> None:
    other = won.registry.register("drafts", a_model(won.home / "other", 2.0), tags={})
    move_alias(won, other.version)
    assert void(won.lake, won.registry, "drafts")
    ended = won.conclude()
    assert (ended["outcome"], ended["registered"]) == ("hold", None)
    assert ended["reason"].startswith("void")
    assert void(won.lake, won.registry, "drafts")


def test_what_was_registered_in_time_is_not_void(won: Won) -> None:
    assert not void(won.lake, won.registry, "drafts")
    won.conclude()
    move_alias(won, "1")
    assert not void(won.lake, won.registry, "drafts")


def test_a_cycle_that_is_judged_anew_and_held_still_names_the_version_it_registered(won: Won) -> None:
    won.conclude()
    held = won.lake.read("verdicts").with_columns(verdict=pl.lit("hold"), reason=pl.lit("items newer than the dataset"))
    won.lake.replace("verdicts", held, {"workload": ["drafts"], "cycle": [1]})
    ended = won.conclude()
    assert (ended["outcome"], ended["registered"]) == ("hold", "2")


def test_a_failure_is_kept_but_not_over_a_cycle_that_ended(won: Won) -> None:
    fail(won.lake, "drafts", "the loss became nan")
    assert won.lake.read("cycles").row(0, named=True)["reason"] == "the loss became nan"
    won.conclude()
    fail(won.lake, "drafts", "MLflow is down")
    assert won.lake.read("cycles")["outcome"].to_list() == ["promote"]
