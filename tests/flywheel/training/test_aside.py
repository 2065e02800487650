"""Runs beside the candidate's: on the same dataset and start, and nobody takes what they make for a candidate."""

from pathlib import Path
from typing import Any

import pytest

from flywheel.datasets import cut
from flywheel.lake import Lake
from flywheel.settings import Recipe, Step, Workload
from flywheel.training.run import train
from flywheel.training.stage import Aside, Training, aside, plan
from tests.flywheel.datasets.made import RULES, derived, edits

RECIPE = Recipe(sft=Step(learning_rate=1e-3), dpo=Step(learning_rate=1e-4), min_records=10, phases=("sft", "dpo"))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    made = derived(tmp_path_factory.mktemp("aside"), edits(120))
    cut(made, "drafts", RULES)
    return made


@pytest.fixture
def rules() -> Workload:
    return RULES.model_copy(update={"recipe": RECIPE})


def planned(lake: Lake, rules: Workload, start: Path, kind: Aside, **more: Any) -> Training:
    return aside(lake, "drafts", rules, start=start, kind=kind, **{"tracking_uri": None, "minutes": 60.0, **more})


def test_each_has_a_place_and_a_name_of_its_own(lake: Lake, rules: Workload, tiny_model: Path) -> None:
    candidate = plan(lake, "drafts", rules, start=tiny_model, tracking_uri="uri", minutes=60).job
    assert candidate is not None
    assert (candidate["minutes"], Path(candidate["out"]).parent.parent.name) == (60, "checkpoints")
    outs = {candidate["out"]}
    for kind, folder in (("shuffled", "controls"), ("length", "controls"), ("reward", "rewards")):
        job = planned(lake, rules, tiny_model, kind, tracking_uri="uri").job
        assert job is not None
        assert Path(job["out"]).parent.parent.name == folder
        assert (job["mlflow"]["tags"]["aside"], job["mlflow"]["run_name"]) == (kind, f"cycle-{job['cycle']}-{kind}")
        assert all(job[name] == candidate[name] for name in ("dataset", "start", "cycle"))
        outs.add(job["out"])
    assert len(outs) == 4
    assert "aside" not in candidate["mlflow"]["tags"]


def test_the_length_control_has_no_sft(lake: Lake, rules: Workload, tiny_model: Path) -> None:
    job = planned(lake, rules, tiny_model, "length").job
    assert job is not None
    assert job["recipe"]["phases"] == ("dpo",)


def test_a_control_trains_and_is_no_candidate(lake: Lake, rules: Workload, tiny_model: Path) -> None:
    job = planned(lake, rules, tiny_model, "shuffled").job
    assert job is not None
    done = train(job, lambda message, **numbers: None)
    assert Path(done["checkpoint"]).parent == lake.home / "controls" / "drafts"
    assert {point["phase"] for point in done["history"]} >= {"sft", "dpo"}
    assert lake.read("checkpoints").is_empty()
    assert not (lake.home / "checkpoints").exists()
