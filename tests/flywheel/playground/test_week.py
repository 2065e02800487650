"""A week of the product: its log, its truth, its calendar, and that it survives being killed."""

import json
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from flywheel.capture.events import KINDS
from flywheel.errors import Terminal
from flywheel.playground.week import play, played
from flywheel.playground.world import read
from flywheel.process import prepare, result

Serve = dict[str, dict[str, str]]
Lines = list[dict[str, Any]]


def quiet(message: str, **numbers: float) -> None:
    """Nobody listens."""


def lines(folder: Path) -> list[str]:
    return [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def home(small: dict[str, Any], serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which two weeks were played."""
    home = tmp_path_factory.mktemp("home")
    for _ in range(2):
        play(read(small), home, home / "logs", serve, quiet)
    return home


@pytest.fixture(scope="module")
def log(home: Path) -> Lines:
    return [json.loads(line) for line in lines(home / "logs")]


@pytest.fixture(scope="module")
def truth(home: Path) -> Lines:
    return [json.loads(line) for line in lines(home / "playground" / "truth")]


def test_the_same_seed_week_and_models_give_the_same_lines(
    home: Path, small: dict[str, Any], serve: Serve, tmp_path: Path
) -> None:
    play(read(small), tmp_path, tmp_path / "logs", serve, quiet)
    again = lines(tmp_path / "logs")
    assert len(again) > 100
    assert again == lines(home / "logs")[: len(again)]


def test_another_seed_shares_no_fact(home: Path, small: dict[str, Any], serve: Serve, tmp_path: Path) -> None:
    play(read({**small, "seed": 4}), tmp_path, tmp_path / "logs", serve, quiet)
    assert not {json.loads(line)["id"] for line in lines(tmp_path / "logs")} & {
        json.loads(line)["id"] for line in lines(home / "logs")
    }


def test_each_week_lies_on_its_own_days(home: Path) -> None:
    days = [path.stem for path in sorted((home / "logs").iterdir())]
    assert days == [f"2026-01-{day:02}" for day in range(5, 19)]
    assert played(home) == 2


def test_the_result_tells_the_week(small: dict[str, Any], serve: Serve, tmp_path: Path) -> None:
    told = play(read(small), tmp_path, tmp_path / "logs", {"call-notes": serve["call-notes"]}, quiet)
    log = [json.loads(line) for line in lines(tmp_path / "logs")]
    assert told == {
        "week": 1,
        "first_day": "2026-01-05",
        "last_day": "2026-01-11",
        "exchanges": sum(line["kind"] == "response" for line in log),
        "events": len(log),
        "workloads": ["call-notes"],
    }
    assert {line["workload"] for line in log} == {"call-notes"}


def test_every_answer_was_shown_and_carries_what_slices_and_lineage_need(log: Lines) -> None:
    responses = [line for line in log if line["kind"] == "response"]
    shown = {line["answer"] for line in log if line["kind"] == "shown"}
    assert shown == {line["id"] for line in responses}
    for line in responses:
        assert set(line["tags"]) == {"segment", "language"}
        assert line["model_version"] == "1"
        assert line["tokens_out"] > 0
        assert [message["role"] for message in line["prompt"]] in (["system", "user"], ["system", "user", "user"])


def test_ids_are_unique_within_their_kind(log: Lines) -> None:
    assert len({(line["kind"], line["id"]) for line in log}) == len(log)


def test_feedback_comes_after_the_answer_it_speaks_of(log: Lines) -> None:
    given = {line["id"]: line["at"] for line in log if line["kind"] == "response"}
    work = [line for line in log if line["kind"] in ("tool_call", "retrieval")]
    feedback = [line for line in log if line["kind"] != "response" and line not in work]
    assert {line["kind"] for line in feedback} >= {"shown", "edited", "accepted", "rated"}
    assert all(line["at"] > given[line["answer"]] for line in feedback)
    assert work
    assert all(line["at"] < given[line["answer"]] for line in work)


def test_regenerations_share_their_parent_and_rephrased_requests_do_not(log: Lines, truth: Lines) -> None:
    responses = {line["id"]: line for line in log if line["kind"] == "response"}
    needs: dict[str, Lines] = defaultdict(list)
    for line in truth:
        needs[line["need"]].append(line)
    pairs = list(_followed(needs))
    assert {deed for deed, *_ in pairs} >= {"regenerate", "rephrase"}
    for deed, before, after in pairs:
        one, two = responses[before], responses[after]
        assert one["conversation"] == two["conversation"]
        assert one["at"] < two["at"]
        assert (one["parent"] == two["parent"]) == (deed == "regenerate")
        assert (one["prompt"] == two["prompt"]) == (deed == "regenerate")
    parents: dict[str, set[str]] = defaultdict(set)
    for line in responses.values():
        parents[line["parent"]].add(line["conversation"])
    assert all(len(conversations) == 1 for conversations in parents.values())


def _followed(needs: dict[str, Lines]) -> Iterator[tuple[str, str, str]]:
    """An act of asking again, the answer it turned down, and the answer that followed."""
    for answers in needs.values():
        answers.sort(key=lambda line: line["attempt"])
        for before, after in pairwise(answers):
            yield before["acts"][-1]["act"], before["answer"], after["answer"]


def test_the_log_says_what_people_did(log: Lines, truth: Lines) -> None:
    kinds: dict[str, set[str]] = defaultdict(set)
    for line in log:
        kinds[line.get("answer", line["id"])].add(line["kind"])
    leaves = {"send": {"accepted"}, "edit": {"edited", "accepted"}, "rate": {"rated"}, "complaint": {"outcome"}}
    for line in truth:
        expected = {"response", "shown"}.union(*(leaves.get(act["act"], set()) for act in line["acts"]))
        expected |= {"tool_call"} if line["calls"] else set()
        expected |= {"retrieval"} if line["search"] else set()
        expected |= {"outcome"} if line["solved"] else set()
        assert kinds[line["answer"]] == expected


def test_the_truth_speaks_of_every_answer_and_never_reaches_the_log(home: Path, log: Lines, truth: Lines) -> None:
    assert {line["answer"] for line in truth} == {line["id"] for line in log if line["kind"] == "response"}
    allowed = {name for kind in KINDS.values() for name in kind.__dataclass_fields__} | {"kind"}
    secret = {"character", "preferences", "satisfaction", "acts", "means", "need"}
    assert secret <= set(truth[0]) | {"means"}
    assert not secret & allowed
    for line in log:
        assert set(line) <= allowed
    whole = "\n".join(lines(home / "logs"))
    assert not [word for word in ("careless", "hostile", "satisf", "dislike", "preference") if word in whole]


def test_a_killed_week_played_again_gives_the_same_lines(
    home: Path, small: dict[str, Any], serve: Serve, tmp_path: Path
) -> None:
    job = {"do": "week", "home": str(tmp_path), "logs": str(tmp_path / "logs"), "playground": small, "serve": serve}
    command = prepare("playground", tmp_path / "job", job)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any("writing the log" in line for line in process.stderr)
        process.kill()
    # Killed while it wrote or marked; at the worst it had just ended, and then nothing is left to repeat.
    if played(tmp_path) == 0:
        play(read(small), tmp_path, tmp_path / "logs", serve, quiet)
    clean = [line for line in lines(home / "logs") if json.loads(line)["at"] < "2026-01-12"]
    assert [line for line in dict.fromkeys(lines(tmp_path / "logs")) if line in set(clean)] == clean
    assert played(tmp_path) == 1


@pytest.mark.parametrize("cut", [1, 700, 20_000])
def test_a_week_cut_anywhere_in_its_log_is_completed(
    home: Path, small: dict[str, Any], serve: Serve, tmp_path: Path, cut: int
) -> None:
    """What a kill leaves: the outbox, the beginning of the log, no mark."""
    _play_without_mark(read(small), tmp_path, serve, cut)
    play(read(small), tmp_path, tmp_path / "logs", {}, quiet)  # decided already: nothing needs serving
    whole = set(lines(tmp_path / "logs"))
    clean = {line for line in lines(home / "logs") if json.loads(line)["at"] < "2026-01-12"}
    assert clean <= whole
    assert len(whole - clean) <= 1  # the torn line


def _play_without_mark(world: Any, home: Path, serve: Serve, cut: int) -> None:
    from flywheel.playground.week import live

    outbox = home / "playground" / "outbox-001.json"
    outbox.parent.mkdir(parents=True)
    outbox.write_text(json.dumps(live(world, 1, serve, quiet)))
    play(world, home, home / "logs", {}, quiet)
    first, *rest = sorted((home / "logs").iterdir())
    first.write_bytes(first.read_bytes()[:cut])
    for path in rest:
        path.unlink()
    (home / "playground" / "played.json").unlink()
    outbox.write_text(json.dumps(live(world, 1, serve, quiet)))


def test_a_job_that_nobody_knows_is_one_sentence(tmp_path: Path) -> None:
    command = prepare("playground", tmp_path, {"do": "dance", "playground": {}})
    assert subprocess.run(command, check=False, capture_output=True).returncode == 2
    with pytest.raises(Terminal, match="no such job; saw `dance`"):
        result(tmp_path)
