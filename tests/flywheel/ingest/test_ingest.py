"""What an ingest takes, and that it takes it once: conservation, order, replaced and torn files."""

import random
import stat
import subprocess
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.errors import BadInput
from flywheel.ingest import Taken, files, ingest, ingest_paths
from flywheel.lake import Lake
from flywheel.settings import Source
from tests.flywheel.ingest.logs import NOW, SOURCES, conserved, log, rated, rows, take

# ---- conservation and order -----------------------------------------------------------------------------------------

GOOD = [rated(id, value) for id in "abc" for value in (-1, 0, 1)]
BAD = [b"{\n", b"null\n", b'{"v":1,"kind":"rated","id"{"v":1}\n', b"\xff\xfe\n", rated("a", 5), rated("a", surprise=1)]
BLANK = [b"\n", b"\r\n", b"  \n"]
LINES = st.lists(st.sampled_from(GOOD * 2 + BAD + BLANK), max_size=12)


@settings(max_examples=15, deadline=None)
@given(runs=st.lists(st.tuples(st.sampled_from("xy"), LINES, st.integers(0, 40)), min_size=1, max_size=3))
def test_every_record_is_accepted_repeated_or_quarantined(
    runs: list[tuple[str, list[bytes], int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Lines come in several runs and two files, and a run may see a file in the middle of a line."""
    home = tmp_path_factory.mktemp("home")
    (home / "logs").mkdir()
    for file, lines, cut in runs:
        content = b"".join(lines)
        seen = content[: max(0, len(content) - cut)]
        log(home, {file: seen}, append=True)
        taken = take(home)
        assert taken.records == taken.accepted + taken.repeated + taken.quarantined
        assert taken.pending == bool(seen and not seen.endswith(b"\n"))
        log(home, {file: content[len(seen) :]}, append=True)
    assert take(home).pending == 0

    logged = [line for _, lines, _ in runs for line in lines]
    conserved(home)
    lake = Lake(home)
    assert lake.read("ingest_files")["records"].sum() == sum(bool(line.strip()) for line in logged)
    assert sorted(lake.read("quarantine")["raw"]) == sorted(line[:-1] for line in logged if line in BAD)
    assert len(rows(home, "events")) == len({line for line in logged if line in GOOD})


@settings(max_examples=12, deadline=None)
@given(lines=st.lists(st.sampled_from(GOOD + BAD), min_size=1, max_size=14), seed=st.integers(0, 2**16))
def test_events_do_not_depend_on_order_split_repetition_or_delay(
    lines: list[bytes], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    at_once, in_parts = tmp_path_factory.mktemp("at-once"), tmp_path_factory.mktemp("in-parts")
    log(at_once, {"all": b"".join(lines)})
    take(at_once)

    chance = random.Random(seed)
    shuffled = lines + chance.choices(lines, k=3)
    chance.shuffle(shuffled)
    for _ in range(2):
        part, shuffled = shuffled[: len(shuffled) // 2 + 1], shuffled[len(shuffled) // 2 + 1 :]
        log(
            in_parts,
            {name: b"".join(chance.choices(part, k=len(part)) + part) for name in chance.sample("pqrs", k=2)},
            append=True,
        )
        take(in_parts)
    log(in_parts, {"rest": b"".join(shuffled)})
    take(in_parts)

    assert rows(in_parts, "events") == rows(at_once, "events")
    conserved(in_parts)


def test_portions_of_any_size_come_to_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = {
        "x": b"".join(GOOD + BAD) + rated("long", comment="x" * 3000),
        "y": b"".join(BLANK + GOOD[::-1]) + b'{"torn',
    }
    log(tmp_path / "whole", content)
    log(tmp_path / "parts", content)
    whole = take(tmp_path / "whole")
    monkeypatch.setattr(files, "BATCH_BYTES", 700)
    parts = take(tmp_path / "parts")
    assert len(rows(tmp_path / "parts", "ingest_files")) > 3
    assert parts == Taken(**{**whole.__dict__, "batch": parts.batch})
    assert rows(tmp_path / "parts", "events") == rows(tmp_path / "whole", "events")
    assert rows(tmp_path / "parts", "quarantine") == rows(tmp_path / "whole", "quarantine")
    conserved(tmp_path / "parts")
    assert take(tmp_path / "parts") == Taken(pending=1)


# ---- one batch ------------------------------------------------------------------------------------------------------


def test_what_was_taken_is_told(tmp_path: Path) -> None:
    told: list[tuple[str, dict[str, float]]] = []
    later = rated("b", at="2026-01-07T00:00:00Z")
    log(tmp_path, {"x": rated("a") + later + later + b"no\n", "y": b'{"v":1,'})
    taken = ingest(
        Lake(tmp_path), SOURCES, now=NOW, progress=lambda message, **numbers: told.append((message, numbers))
    )
    expected = {"files": 1, "records": 4, "accepted": 2, "repeated": 1, "quarantined": 1, "pending": 1, "events": 2}
    assert taken.as_json() == {
        "batch": taken.batch,
        **expected,
        "by_type": {"rated": 2},
        "days": ["2026-01-05", "2026-01-07"],
    }
    assert taken.days == (date(2026, 1, 5), date(2026, 1, 7))
    assert [numbers for _, numbers in told] == [{"records": 4, "events": 2}]
    assert take(tmp_path) == Taken(pending=1)


def test_no_logs_yet(tmp_path: Path) -> None:
    assert take(tmp_path) == Taken()
    assert not (tmp_path / "lake").exists()


def test_quarantine_says_where_and_why_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    log(tmp_path, {"x": rated("a") + b"\r\n" + b" no json \r\n"})
    take(tmp_path)
    log(tmp_path, {"x": rated("b") + b"neither\n"}, append=True)
    take(tmp_path)
    log(tmp_path, {"x": b"\nnor\n"}, append=True)
    take(tmp_path)
    first, then = len(rated("a")) + 2, len(rated("b"))
    assert Lake(tmp_path).read("quarantine").sort("offset").select("file", "offset", "record", "raw").rows() == [
        ("logs/x.jsonl", first, 2, b" no json \r"),
        ("logs/x.jsonl", first + 11 + then, 4, b"neither"),
        ("logs/x.jsonl", first + 11 + then + 8 + 1, 5, b"nor"),
    ]
    folder = tmp_path / "lake" / "quarantine"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()} == {0o600}


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    content = rated("a") + rated("b")
    log(tmp_path, {"x": b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n")})
    assert take(tmp_path).accepted == 2


def test_a_day_ahead_of_the_clock_is_quarantined_and_the_past_is_not(tmp_path: Path) -> None:
    log(tmp_path, {"x": rated("a", at="2026-02-02T00:00:00Z") + rated("b", at="2026-02-02T00:00:00.000001Z")})
    log(tmp_path, {"y": rated("c", at="1990-01-01T00:00:00Z")})
    taken = take(tmp_path)
    assert (taken.accepted, taken.quarantined) == (2, 1)
    assert "field at: more than a day ahead of the clock" in Lake(tmp_path).read("quarantine")["reason"][0]


def test_one_id_with_two_contents_is_marked_on_all_of_them_also_afterwards(tmp_path: Path) -> None:
    log(tmp_path, {"x": rated("a", 1) + rated("b", 1)})
    take(tmp_path)
    log(tmp_path, {"y": rated("a", -1, at="2026-01-09T00:00:00Z") + rated("a", 1)})
    taken = take(tmp_path)
    assert (taken.accepted, taken.repeated) == (1, 1)
    assert taken.days == (date(2026, 1, 5), date(2026, 1, 9))
    events = Lake(tmp_path).read("events").sort("id", "value")
    assert events.select("id", "value", "id_conflict").rows() == [("a", -1, True), ("a", 1, True), ("b", 1, False)]


# ---- files ----------------------------------------------------------------------------------------------------------


def test_a_torn_line_is_pending_and_taken_when_it_is_complete(tmp_path: Path) -> None:
    line = rated("b")
    log(tmp_path, {"x": rated("a") + line[:30]})
    assert (take(tmp_path).accepted, take(tmp_path).pending) == (1, 1)
    log(tmp_path, {"x": line[30:-1]}, append=True)
    assert take(tmp_path) == Taken(pending=1)
    log(tmp_path, {"x": b"\n"}, append=True)
    taken = take(tmp_path)
    assert (taken.accepted, taken.quarantined, taken.pending) == (1, 0, 0)


@pytest.mark.parametrize(
    "replaced",
    [
        pytest.param(rated("new") + rated("a"), id="longer, another beginning"),
        pytest.param(rated("a") + rated("new") + rated("c"), id="as long, the same beginning"),
        pytest.param(rated("a") + rated("new", comment="x" * 9000), id="longer, the same beginning"),
        pytest.param(rated("new"), id="shorter"),
    ],
)
def test_a_replaced_file_is_read_from_its_start(replaced: bytes, tmp_path: Path) -> None:
    log(tmp_path, {"x": rated("a") + rated("b" * 3) + rated("c")})
    take(tmp_path)
    log(tmp_path, {"x": replaced})
    taken = take(tmp_path)
    assert (taken.accepted, taken.records) == (1, replaced.count(b"\n"))
    assert take(tmp_path) == Taken()
    conserved(tmp_path)


def test_a_large_file_that_was_changed_far_from_its_beginning_is_read_from_its_start(tmp_path: Path) -> None:
    beginning = rated("a", comment="x" * 5000)
    log(tmp_path, {"x": beginning + rated("b")})
    take(tmp_path)
    log(tmp_path, {"x": beginning + rated("c") + rated("d")})
    assert take(tmp_path).accepted == 2


@pytest.mark.parametrize("size", [1, 5, 11, 12, 13, 1000])
def test_a_torn_line_of_any_length_is_pending_once(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "BATCH_BYTES", size)
    log(tmp_path, {"x": b"bad\n\n" + b'{"torn'})
    taken = take(tmp_path)
    assert (taken.quarantined, taken.pending) == (1, 1)


def test_a_file_that_comes_back_as_it_was_is_read_once_more_and_not_for_ever(tmp_path: Path) -> None:
    for content in (rated("a") + b"no\n", rated("b"), rated("a") + b"no\n"):
        log(tmp_path, {"x": content})
        assert take(tmp_path).records == content.count(b"\n")
        assert take(tmp_path) == Taken()
    conserved(tmp_path)


def test_a_rotated_file_is_not_taken_twice(tmp_path: Path) -> None:
    log(tmp_path, {"x": rated("a") * 2})
    take(tmp_path)
    (tmp_path / "logs" / "x.jsonl").rename(tmp_path / "logs" / "x-old.jsonl")
    log(tmp_path, {"x": rated("b")})
    taken = take(tmp_path)
    assert (taken.accepted, taken.repeated) == (1, 2)


def test_the_order_of_ingests_does_not_follow_a_clock_that_goes_back(tmp_path: Path) -> None:
    for days, line in enumerate([rated("a"), rated("b"), rated("c")]):
        log(tmp_path, {"x": line}, append=True)
        assert take(tmp_path, NOW - timedelta(days=days)).accepted == 1
    assert take(tmp_path) == Taken()


def test_a_state_folder_can_be_moved(tmp_path: Path) -> None:
    log(tmp_path / "here now", {"x": rated("a")})
    take(tmp_path / "here now")
    (tmp_path / "here now").rename(tmp_path / "there")
    assert take(tmp_path / "there") == Taken()


def test_a_home_may_have_any_name(tmp_path: Path) -> None:
    home = tmp_path / "a [1] * ?"
    log(home, {"x": rated("a")})
    assert [file.name for file in files.find(home, SOURCES)] == ["logs/x.jsonl"]


def test_only_plain_files_are_logs(tmp_path: Path) -> None:
    log(tmp_path, {"x": rated("a")})
    (tmp_path / "logs" / "folder.jsonl").mkdir()
    subprocess.run(["mkfifo", tmp_path / "logs" / "pipe.jsonl"], check=True)
    (tmp_path / "logs" / "gone.jsonl").symlink_to(tmp_path / "nowhere")
    assert take(tmp_path).files == 1


def test_two_sources_are_two_sets_of_events_and_share_no_file(tmp_path: Path) -> None:
    log(tmp_path, {"x": rated("a")})
    log(tmp_path, {"y": rated("a")})
    apart = [Source(name="app", path="{home}/logs/x.jsonl"), Source(name="web", path="{home}/logs/y.jsonl")]
    assert ingest(Lake(tmp_path), apart, now=NOW).accepted == 2
    with pytest.raises(BadInput, match=r"sources app and web both name one file; saw `.*x\.jsonl`"):
        ingest(Lake(tmp_path), [apart[0], Source(name="web", path="{home}/logs/*.jsonl")], now=NOW)


def test_named_files_are_taken_as_logs_of_a_source(tmp_path: Path) -> None:
    path = tmp_path / "my [log].txt"
    path.write_bytes(rated("a"))
    assert ingest_paths(Lake(tmp_path / "home"), [path], source="mine", now=NOW).accepted == 1
    assert Lake(tmp_path / "home").read("events")["source"].to_list() == ["mine"]
    with pytest.raises(BadInput, match=r"there is no such log file; saw `.*nothing`"):
        ingest_paths(Lake(tmp_path / "home"), [tmp_path / "nothing"], source="mine", now=NOW)
