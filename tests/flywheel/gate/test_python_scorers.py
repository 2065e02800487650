"""A team's own scorers plug in: functions and scorers of MLflow, and what they may return."""

import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from flywheel.errors import BadInput
from flywheel.gate.scorers import python
from flywheel.gate.scorers.rows import ANSWERS, answered
from tests.flywheel.gate.workbench import eval_items

ITEMS = eval_items(1, 2)
GIVEN = answered({"i0000": ITEMS["reference"][0], "i0001": "something else"})

PLAIN = """
class Feedback:  # as MLflow's: a value, a rationale, perhaps an error
    def __init__(self, value=None, rationale=None, error=None):
        self.value, self.rationale, self.error = value, rationale, error

def short(outputs): return len(outputs.split()) < 5
def words(outputs): return len(outputs.split())
def same(outputs, expectations): return "yes" if outputs == expectations["expected_response"] else "No"
def asks(inputs): return inputs["messages"][-1]["content"].endswith("?")
def anything(**told): return sorted(told) == ["expectations", "inputs", "outputs", "trace"]
def told(outputs): return Feedback(value=0.5, rationale="half of it")
def several(outputs): return [Feedback(1.0, "good"), Feedback("no", "bad")]
def raises(outputs): raise RuntimeError("the service\\nis down")
def failed(outputs): return Feedback(error="no key")
def nan(outputs): return float("nan")
def nothing(outputs): return None
def perhaps(outputs): return "perhaps"
def empty(outputs): return []
def partly(outputs): return [Feedback(1.0), Feedback(None, "broke")]
def once(outputs):
    if outputs == "something else": raise ValueError("too long")
    return 1
class Strict:
    def __call__(self, outputs): return outputs == "something else"
def whole(session): return 1
number = 3
"""


@pytest.fixture(autouse=True)
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    module = tmp_path / "team_scorers.py"
    module.write_text(PLAIN)
    monkeypatch.delitem(sys.modules, "team_scorers", raising=False)
    return module


def says(name: str) -> list[tuple[Any, Any]]:
    return python.score(ITEMS, GIVEN, f"team_scorers:{name}").select("score", "why").rows()


@pytest.mark.parametrize(
    ("name", "scores"),
    [
        ("short", [0.0, 1.0]),
        ("words", [12.0, 2.0]),
        ("same", [1.0, 0.0]),
        ("asks", [1.0, 1.0]),
        ("anything", [1.0, 1.0]),
        ("told", [0.5, 0.5]),
        ("several", [0.5, 0.5]),
        ("Strict", [0.0, 1.0]),
    ],
)
def test_a_plain_function_takes_what_it_names_and_may_say_it_in_many_ways(name: str, scores: list[float]) -> None:
    assert [score for score, _ in says(name)] == scores


def test_a_rationale_is_kept() -> None:
    assert [why for _, why in says("told")] == ["half of it"] * 2
    assert says("several")[0][1] == "good; bad"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("raises", "RuntimeError: the service is down"),
        ("failed", "no key"),
        ("nan", "the score was nan"),
        ("nothing", "the scorer said None"),
        ("perhaps", "the scorer said 'perhaps'"),
        ("empty", "empty list"),
        ("partly", "the scorer said None"),
    ],
)
def test_what_is_no_score_is_a_hole_in_one_line(name: str, why: str) -> None:
    for score, reason in says(name):
        assert score is None
        assert why in reason
        assert "\n" not in reason


def test_one_broken_item_leaves_the_others() -> None:
    assert says("once") == [(1.0, None), (None, "ValueError: too long")]


@pytest.mark.parametrize(
    ("named", "what"),
    [
        ("team_scorers:gone", "gone"),
        ("no_such_module:short", "no_such_module"),
        ("team_scorers", "team_scorers"),
        ("team_scorers:number", "is no function"),
        ("team_scorers:whole", "whole sessions"),
    ],
)
def test_a_scorer_that_cannot_be_called_is_one_sentence(named: str, what: str) -> None:
    with pytest.raises(BadInput, match=what):
        python.score(ITEMS, GIVEN, named)


def test_another_source_is_another_scorer(team: Path) -> None:
    before = python.source("team_scorers:short")
    team.write_text(PLAIN.replace("< 5", "< 6"))
    assert python.source("team_scorers:short") != before


def test_a_plain_function_needs_no_mlflow() -> None:
    script = dedent("""
        import sys
        sys.modules["mlflow"] = None
        from flywheel.gate.scorers import python
        from flywheel.gate.scorers.rows import answered
        from tests.flywheel.gate.workbench import eval_items
        print(python.score(eval_items(1, 1), answered({"i0000": "ok"}), "team_scorers:short")["score"].to_list())
    """)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.stdout.strip() == "[1.0]", ended.stderr[-800:]


MLFLOW = """
from mlflow.entities import Feedback
from mlflow.genai.scorers import Scorer, scorer

@scorer
def exact(outputs, expectations) -> bool:
    return outputs == expectations["expected_response"]

@scorer(name="polite", timeout=5)
def polite(inputs, outputs):
    return Feedback(value="yes" if "else" in outputs else "no", rationale=inputs["messages"][0]["role"])

@scorer
def strict(outputs):
    raise ValueError("not today")

@scorer
def both(outputs):
    return [Feedback(name="a", value=True), Feedback(name="b", value=0.5)]

@scorer
def broken(outputs):
    return Feedback(error=RuntimeError("no quota"))

@scorer
def slow(trace):
    return trace.info.execution_duration

class Long(Scorer):
    name: str = "long"

    def __call__(self, outputs):
        return len(outputs.split()) > 5
"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("exact", [(1.0, None), (0.0, None)]),
        ("polite", [(0.0, "user"), (1.0, "user")]),
        ("strict", [(None, "ValueError: not today")] * 2),
        ("both", [(0.75, None)] * 2),
        ("broken", [(None, "no quota")] * 2),
        ("slow", [(1500.0, None)] * 2),
        ("Long", [(1.0, None), (0.0, None)]),
    ],
)
def test_scorers_of_mlflow_plug_in(team: Path, name: str, expected: list[tuple[Any, Any]]) -> None:
    team.with_name("mlflow_scorers.py").write_text(MLFLOW)
    given = GIVEN.with_columns(seconds=1.5).cast(ANSWERS)  # pyright: ignore[reportArgumentType]
    found = python.score(ITEMS, given, f"mlflow_scorers:{name}")
    assert found.select("score", "why").rows() == expected


def test_no_scorer_reports_its_calls_elsewhere(team: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    from mlflow.telemetry.utils import is_telemetry_disabled

    team.with_name("mlflow_scorers.py").write_text(MLFLOW)
    python.score(ITEMS, GIVEN, "mlflow_scorers:exact")
    assert is_telemetry_disabled()
