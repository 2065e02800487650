"""One failing workload does not stop the other, and says why in one sentence."""

import os
from pathlib import Path

import dagster as dg
import pytest

from flywheel.settings import REPOSITORY
from tests.e2e.wheel import light_wheel


@pytest.mark.slow
def test_a_training_that_fails_is_a_sentence_and_the_other_workload_completes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first recipe in the file is that of reply-drafts; such a rate makes its loss overflow.
    wheel = light_wheel(tmp_path, (r"sft = \{ learning_rate = [0-9e.-]+", "sft = { learning_rate = 1e30"))
    ended = wheel.flywheel("demo", "--weeks", "2")
    assert ended.returncode == 0, ended.stderr[-3000:]
    cycles = {(one["workload"], one["cycle"]): one for one in wheel.told("status")["cycles"]}
    failed, other = cycles["reply-drafts", 2], cycles["call-notes", 1]
    assert failed["verdict"] == "failed"
    assert "learning rate" in failed["reason"]
    assert failed["reason"].count("\n") == 0
    assert other["verdict"] in ("promote", "hold", "reject")
    monkeypatch.setitem(os.environ, "FLYWHEEL_HOME", str(wheel.home))
    monkeypatch.setitem(os.environ, "DAGSTER_HOME", str(REPOSITORY))
    with dg.DagsterInstance.get() as instance:
        runs = instance.get_runs(dg.RunsFilter(job_name="cycle", statuses=[dg.DagsterRunStatus.FAILURE]))
        failures = [
            event for run in runs for event in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
        ]
    said = [event.dagster_event.step_failure_data.user_failure_data.description for event in failures]
    assert said
    assert set(said) == {cycles["reply-drafts", number]["reason"] for number in (1, 2)}
