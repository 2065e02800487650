"""The log writer: whole lines from any number of writers, whoever is killed."""

import json
import math
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given

from flywheel.capture.events import Accepted, Event, Outcome, Rated, ToolCall, as_record
from flywheel.capture.writer import Writer
from tests.flywheel.capture.made import EVENTS

RATED = Rated(id="1", at="2026-01-05T09:30:00Z", workload="drafts", answer="a", value=1, comment="good")

# A writer that says on stdout that it has begun, then writes for ever; its texts are long, so that kills hit a write.
ENDLESS = """
import sys
from flywheel.capture.events import Edited
from flywheel.capture.writer import Writer
writer, name, number = Writer(sys.argv[1]), sys.argv[2], 0
while True:
    text = name * 300_000 + "\\n"
    writer.write(Edited(id=f"{name}{number}", at="2026-01-05T09:30:00Z", workload="drafts", answer="a", text=text))
    number += 1
    if number == 3:
        print("begun", flush=True)
"""

# A writer that the system kills when half of its line is on disk, while it holds the lock.
HALF = """
import os, signal, sys
from flywheel.capture.events import Edited
from flywheel.capture.writer import Writer
write = os.write
def half(handle, data):
    write(handle, bytes(data)[: len(data) // 2])
    os.kill(os.getpid(), signal.SIGKILL)
os.write = half
Writer(sys.argv[1]).write(Edited(id="torn", at="2026-01-05T09:30:00Z", workload="drafts", answer="a", text="a text"))
"""


def lines(folder: Path) -> list[bytes]:
    return [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_bytes().splitlines(keepends=True)]


def parsed(line: bytes) -> dict[str, object] | None:
    try:
        return json.loads(line)
    except ValueError:
        return None


@given(event=EVENTS)
def test_a_line_is_the_event(event: Event, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("log")
    Writer(folder).write(event)
    (path,) = folder.iterdir()
    assert path.name == f"{event.at[:10]}.jsonl"
    assert path.read_bytes().count(b"\n") == 1
    assert json.loads(path.read_bytes()) == json.loads(json.dumps(as_record(event)))


def test_fields_at_their_default_are_not_written(tmp_path: Path) -> None:
    Writer(tmp_path).write(RATED)
    assert (tmp_path / "2026-01-05.jsonl").read_text() == (
        '{"v":1,"kind":"rated","id":"1","at":"2026-01-05T09:30:00Z","workload":"drafts","answer":"a","value":1,"comment":"good"}\n'
    )


def test_events_go_to_the_file_of_their_day_in_order(tmp_path: Path) -> None:
    times = ["2026-01-05T23:59:59.999999Z", "2026-01-06T00:00:00Z", "2026-01-05T08:00:00Z"]
    Writer(tmp_path).write_all(replace(RATED, id=str(number), at=at) for number, at in enumerate(times))
    written = {path.name: [json.loads(line)["id"] for line in path.open()] for path in tmp_path.iterdir()}
    assert written == {"2026-01-05.jsonl": ["0", "2"], "2026-01-06.jsonl": ["1"]}


@pytest.mark.parametrize(
    ("event", "names"),
    [
        (Outcome(id="1", at=RATED.at, workload="w", name="sold", value=math.nan), "JSON"),
        (Outcome(id="1", at=RATED.at, workload="w", name="sold", value=math.inf), "JSON"),
        (replace(RATED, comment="half a character: \ud800"), "surrogates"),
        (
            ToolCall(id="1", at=RATED.at, workload="w", answer="a", name="t", arguments={"when": object()}),
            "serializable",
        ),
        (replace(RATED, value=5), "field value.*from -1 to 1.*saw `5`"),
        (replace(RATED, value=math.nan), "field value"),
        (replace(RATED, at="2026-01-05T09:30:00"), "field at.*saw `2026-01-05T09:30:00`"),
        (replace(RATED, at="2026-01-05T09:30:00+02:00"), "field at"),
        (replace(RATED, at="2026-02-30T09:30:00Z"), "field at"),
        (replace(RATED, at="2026-01-05T09:30:00Z\n"), "field at"),
        (replace(RATED, at="../../etc/passwd"), "field at"),
        (replace(RATED, at=None), "field at"),
    ],
)
def test_what_cannot_be_logged_is_refused_in_words_and_nothing_is_written(
    event: Event, names: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=rf"this {event.kind} event cannot be logged: (?s:.*){names}"):
        Writer(tmp_path).write_all([RATED, event])
    assert list(tmp_path.iterdir()) == []


def test_threads_do_not_mix_their_lines(tmp_path: Path) -> None:
    writer = Writer(tmp_path)

    def log(number: int) -> None:
        writer.write_all(replace(RATED, id=f"{number}-{each}", comment="x" * 5000) for each in range(20))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(log, range(16)))
    ids = [json.loads(line)["id"] for line in lines(tmp_path)]
    assert sorted(ids) == sorted(f"{number}-{each}" for number in range(16) for each in range(20))


def test_a_writer_killed_within_a_line_leaves_it_torn_and_the_next_one_closes_it(tmp_path: Path) -> None:
    Writer(tmp_path).write(RATED)
    killed = subprocess.run([sys.executable, "-c", HALF, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not lines(tmp_path)[-1].endswith(b"\n")
    Writer(tmp_path).write(replace(RATED, id="2"))
    first, torn, last = lines(tmp_path)
    assert [json.loads(first)["id"], parsed(torn), json.loads(last)["id"]] == ["1", None, "2"]
    assert b'"id":"torn"' in torn


def test_processes_killed_while_they_write_lose_at_most_the_line_they_were_at(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ENDLESS, str(tmp_path)]
    writers = [subprocess.Popen([*command, name], stdout=subprocess.PIPE) for name in "abc"]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"begun\n"
    for writer in writers:
        writer.kill()
        writer.communicate()
    Writer(tmp_path).write(replace(RATED, id="last"))

    *found, last = [parsed(line) for line in lines(tmp_path)]
    assert last is not None
    assert last["id"] == "last"
    assert found.count(None) <= len(writers)
    for name in "abc":
        whole = [each for each in found if each and str(each["id"]).startswith(name)]
        assert len(whole) >= 3
        assert [each["id"] for each in whole] == [f"{name}{number}" for number in range(len(whole))]
        assert all(each["text"] == name * 300_000 + "\n" for each in whole)


def test_no_beginning_of_a_line_is_json(tmp_path: Path) -> None:
    Writer(tmp_path).write(Accepted(id="1", at=RATED.at, workload="wörk", answer="a", how='se"n}t', tags={"a": "b"}))
    (line,) = lines(tmp_path)
    whole = line.removesuffix(b"\n")
    assert [size for size in range(1, len(whole)) if parsed(whole[:size]) is not None] == []
    assert parsed(whole)
