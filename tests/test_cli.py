"""The command line as people and programs meet it: one JSON object on stdout, or one sentence and exit code 2."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.flywheel.ingest.logs import conserved, log, rated, take

ROOT = Path(__file__).parents[1]
COUNTS = ["files", "records", "accepted", "repeated", "quarantined", "pending", "events", "waiting"]
SETTINGS = """
start = 2026-01-05

[[sources]]
name = "chat"
path = "{home}/exports/*.csv"
format = "table"
workload = "drafts"

[sources.columns]
rated = "stars"

[workloads.drafts]
base_model = "none"
"""
RESPONSE = {"v": 1, "kind": "response", "id": "a", "at": "2026-01-05T09:00:00Z", "workload": "drafts", "parent": "p"}
RESPONSE |= {"prompt": [{"role": "user", "content": "Mail ana@example.com?"}], "text": "Yes.", "model": "m"}


def flywheel(folder: Path, *arguments: str | Path, home: str = "home") -> subprocess.CompletedProcess[bytes]:
    own = {"FLYWHEEL_HOME": str(folder / home), "FLYWHEEL_SETTINGS": str(folder / "flywheel.toml")}
    if not (folder / "flywheel.toml").exists():
        (folder / "flywheel.toml").write_text(SETTINGS)
    command = [sys.executable, "-m", "flywheel.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=os.environ | own, check=False, capture_output=True)


def told(folder: Path, *arguments: str | Path) -> dict[str, Any]:
    """The one object on stdout; anything else there would not be JSON."""
    ended = flywheel(folder, *arguments, "--json")
    assert ended.returncode == 0, ended.stderr.decode()
    assert ended.stdout.count(b"\n") == 1
    return json.loads(ended.stdout)


def test_ingest_says_what_it_took_and_takes_it_once(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(
        json.dumps(RESPONSE).encode() + b"\n" + rated("r") + rated("lost", answer="b") + b"{}\n" + b'{"v":'
    )
    first = told(tmp_path, "ingest", path, "--workload", "drafts")
    assert list(first) == [*COUNTS, "by_type", "branches", "masked"]
    assert [first[name] for name in COUNTS] == [1, 4, 3, 0, 1, 1, 3, 1]
    assert first["by_type"] == {"rated": 2, "response": 1}
    assert first["masked"] == {"EMAIL": 1}
    again = told(tmp_path, "ingest", path, "--workload", "drafts")
    assert [again[name] for name in COUNTS] == [0, 0, 0, 0, 0, 1, 0, 0]


def test_a_bad_row_can_be_seen_and_comes_in_when_its_mapping_was_mended(tmp_path: Path) -> None:
    path = tmp_path / "chat.csv"
    path.write_bytes(b"id,prompt,response,stars\n1,Why?,So.,1\n2,How?,Th\xc3\xbcs.,5\n")
    assert told(tmp_path, "ingest", path, "--source", "chat")["quarantined"] == 1
    listed = told(tmp_path, "quarantine", "list")
    (bad,) = listed["records"]
    assert listed["quarantined"] == 1
    assert (bad["source"], bad["file"], bad["record"], bad["offset"]) == ("chat", str(path), 2, 38)
    assert "stars" in bad["reason"]

    shown = flywheel(tmp_path, "quarantine", "show", bad["id"])
    assert shown.stdout == b"id,prompt,response,stars\n2,How?,Th\xc3\xbcs.,5\n"
    assert shown.returncode == 0

    mended = SETTINGS.replace('rated = "stars"', 'rated = "stars"\nrated_range = [1, 5]')
    (tmp_path / "flywheel.toml").write_text(mended)
    retried = told(tmp_path, "quarantine", "retry", "--source", "chat")
    assert (retried["records"], retried["accepted"], retried["quarantined"], retried["left"]) == (1, 1, 0, 0)
    assert retried["by_type"] == {"rated": 1, "response": 1}
    conserved(tmp_path / "home")


def test_waiting_names_feedback_until_its_answer_is_there(tmp_path: Path) -> None:
    log(tmp_path / "home", {"a": rated("r")})
    assert take(tmp_path / "home").waiting == 1
    (waits,) = told(tmp_path, "waiting")["waiting"]
    assert (waits["workload"], waits["answer"], waits["kind"], waits["events"]) == ("drafts", "a", "rated", 1)
    (tmp_path / "late.jsonl").write_text(json.dumps(RESPONSE) + "\n")
    assert told(tmp_path, "ingest", tmp_path / "late.jsonl")["events"] == 1
    assert told(tmp_path, "waiting") == {"waiting": []}


@pytest.mark.parametrize(
    ("arguments", "home", "said"),
    [
        pytest.param(["ingest", "no/such.jsonl"], "home", ["no/such.jsonl", "name files"], id="no such file"),
        pytest.param(["quarantine", "show", "beef"], "home", ["beef", "quarantine list"], id="no such id"),
        pytest.param(["gaps", "nope"], "home", ["nope", "flywheel derive"], id="a workload nobody derived"),
        pytest.param(["audit", "take", "no.jsonl"], "home", ["no.jsonl"], id="no such file of labels"),
        pytest.param(
            ["train", "drafts", "--control", "length", "--reward"], "home", ["two runs", "name one"], id="two at once"
        ),
        pytest.param(["waiting", "--json"], "my home", ["my home", "FLYWHEEL_HOME"], id="a space in the state folder"),
    ],
)
def test_what_a_person_got_wrong_is_one_sentence(
    tmp_path: Path, arguments: list[str], home: str, said: list[str]
) -> None:
    ended = flywheel(tmp_path, *arguments, home=home)
    assert ended.returncode == 2
    assert ended.stdout == b""
    (sentence,) = ended.stderr.decode().splitlines()
    assert sentence.endswith(".")
    assert all(part in sentence for part in said)


def test_what_is_derived_can_be_read_and_labelled(tmp_path: Path) -> None:
    """From one corrected answer to a gap for retrieval, a map of failures, and a label that changes a confidence."""
    talk = RESPONSE | {"conversation": "t", "user": "u", "text": "Your order is on its way."}
    said = "No, that is wrong: the carrier is Hermes, tracking number 88-4417-C."
    second = talk | {"id": "b", "parent": "p2", "at": "2026-01-05T09:01:00Z", "text": "Sorry."}
    second |= {"prompt": [*RESPONSE["prompt"], {"role": "user", "content": said}]}
    (tmp_path / "log.jsonl").write_text(json.dumps(talk) + "\n" + json.dumps(second) + "\n")
    told(tmp_path, "ingest", tmp_path / "log.jsonl", "--workload", "drafts")
    first = told(tmp_path, "derive")
    assert first["signals"] == {"correction": 1}
    kinds = ["pairs", "rankings", "labels", "demonstrations", "failure_cases", "knowledge_gaps"]
    assert list(first["records"]) == kinds
    assert (first["records"]["knowledge_gaps"], first["records"]["pairs"]) == (1, 0)
    assert told(tmp_path, "derive") == first | {"days": 0}
    (gap,) = told(tmp_path, "gaps", "drafts")["gaps"]
    assert "88-4417-C" in gap["facts"][0]
    assert {row["failure"] for row in told(tmp_path, "failures", "drafts")["failures"]} == {"correction"}
    drawn = Path(told(tmp_path, "audit", "draw")["file"])
    drawn.write_text(drawn.read_text().replace('"label": null', '"label": false'))
    again = flywheel(tmp_path, "audit", "draw")
    assert (again.returncode, b"perhaps with labels" in again.stderr) == (2, True)
    told(tmp_path, "audit", "take", drawn)
    assert told(tmp_path, "derive")["days"] == 1
    (row,) = told(tmp_path, "show", "signals")["rows"]
    assert row["audited"]
    assert row["confidence"] < 0.7


# ---- the gate by hand ------------------------------------------------------------------------------------------------


def two_files(folder: Path, gain: float = 0.3) -> list[str | Path]:
    """Scores of two models on sixty items; what the candidate gains varies by an even tenth."""
    for name, more in (("a", 0.0), ("b", gain)):
        rows = [{"item_id": n, "score": n % 7 / 10 + (more and more + n % 2 / 10), "slice": "all"} for n in range(60)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return ["gate", "compare", "--champion", folder / "a.jsonl", "--candidate", folder / "b.jsonl"]


def test_two_files_of_scores_are_judged(tmp_path: Path) -> None:
    asked = two_files(tmp_path)
    found = told(tmp_path, *asked)
    assert [found[name] for name in ("verdict", "n", "n_needed")] == ["promote", 60, None]
    assert found["gain"] == pytest.approx(0.35)
    assert list(found["slices"]) == ["all"]
    (tmp_path / "policy.toml").write_text("min_gain = 0.5\n")
    assert told(tmp_path, *asked, "--policy", tmp_path / "policy.toml")["verdict"] == "hold"
    people = flywheel(tmp_path, *asked).stderr.decode()
    assert people.startswith("promote\n- better than the champion")


def test_judging_two_files_loads_nothing_heavy(tmp_path: Path) -> None:
    asked = [str(each) for each in [*two_files(tmp_path), "--json"]]
    script = f"""
import sys
from typer.testing import CliRunner
from flywheel.cli.common import app
import flywheel.cli
assert CliRunner().invoke(app, {asked}).exit_code == 0
heavy = {{"torch", "transformers", "trl", "mlflow", "dagster", "pandas"}}
loaded = heavy & {{name.split(".")[0] for name in sys.modules}}
assert not loaded, loaded
"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-800:]


@pytest.mark.parametrize(
    ("policy", "said"),
    [("min_gain = 2", "min_gain"), ("min_gane = 0.1", "min_gane"), ("min_gain =", "not TOML"), (None, "no/such.toml")],
)
def test_a_policy_that_cannot_be_used_is_one_sentence(tmp_path: Path, policy: str | None, said: str) -> None:
    path = tmp_path / "policy.toml"
    if policy:
        path.write_text(policy)
    ended = flywheel(tmp_path, *two_files(tmp_path), "--policy", path if policy else "no/such.toml")
    assert (ended.returncode, ended.stdout) == (2, b"")
    (sentence,) = ended.stderr.decode().splitlines()
    assert said in sentence


def test_a_torn_row_is_refused_with_exit_code_two(tmp_path: Path) -> None:
    asked = two_files(tmp_path)
    with (tmp_path / "b.jsonl").open("a") as file:
        file.write('{"item_id": 60, "score"')
    ended = flywheel(tmp_path, *asked, "--json")
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert "line 61 of" in ended.stderr.decode()


def test_power_in_words_and_numbers(tmp_path: Path) -> None:
    asked = ["gate", "power", "--n", "800", "--sd", "0.45", "--gain", "0.05"]
    found = told(tmp_path, *asked)
    assert found["power"] == pytest.approx(0.83, abs=0.01)
    assert found["n_needed"] == pytest.approx(735, abs=3)
    assert told(tmp_path, *asked, "--look", "20")["power"] < 0.3
    assert "A true gain of 0.050 is seen 83% of the time" in flywheel(tmp_path, *asked).stderr.decode()


def test_the_ledger_of_a_workload_that_was_never_judged(tmp_path: Path) -> None:
    found = told(tmp_path, "gate", "ledger", "drafts")
    assert found == {"workload": "drafts", "items": 0, "left": 0.0, "broken": [], "looks": []}
    assert flywheel(tmp_path, "gate", "ledger", "nobody").returncode == 2
