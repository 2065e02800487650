"""What an ingest takes and tells, and that it takes it once: conservation, portions, quarantine, conflicts."""

import gzip
import json
import random
import re
import stat
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.errors import BadInput
from flywheel.ingest import Taken, batch, chunks, ingest, ingest_paths, reasons, strict
from flywheel.ingest.strict import decode
from flywheel.lake import Lake
from flywheel.settings import Source
from tests.flywheel.ingest.logs import NOW, SOURCES, conserved, log, rated, rows, take

# ---- conservation and order -----------------------------------------------------------------------------------------

GOOD = [rated(id, value) for id in "abc" for value in (-1, 0, 1)]
BAD = [b"{\n", b"null\n", b'{"v":1,"kind":"rated","id"{"v":1}\n', b"\xff\xfe\n", rated("a", 5), rated("a", surprise=1)]
BLANK = [b"\n", b"\r\n", b"  \n"]
LINES = st.lists(st.sampled_from(GOOD * 2 + BAD + BLANK), max_size=12)


@settings(max_examples=12, deadline=None)
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
        tail = seen[seen.rfind(b"\n") + 1 :]
        assert taken.pending == bool(tail.strip() and not isinstance(decode(tail), dict))
        log(home, {file: content[len(seen) :]}, append=True)
    assert take(home).pending == 0

    logged = [line for _, lines, _ in runs for line in lines]
    conserved(home)
    lake = Lake(home)
    assert lake.read("ingest_files")["records"].sum() == sum(bool(line.strip()) for line in logged)
    assert sorted(lake.read("quarantine")["raw"]) == sorted(line[:-1] for line in logged if line in BAD)
    assert len(rows(home, "events")) == len({line for line in logged if line in GOOD})


@settings(max_examples=6, deadline=None)
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


@pytest.mark.parametrize(
    ("portions", "batches"),
    [
        pytest.param([(batch, "BATCH_ROWS", 5)], 3, id="batches of a few rows"),
        pytest.param([(batch, "BATCH_BYTES", 700), (chunks, "CHUNK_BYTES", 400)], 4, id="batches of a few bytes"),
        pytest.param([(chunks, "CHUNK_BYTES", 13), (chunks, "CHUNK_RECORDS", 1)], 1, id="chunks smaller than a record"),
        pytest.param(
            [(batch, "BATCH_ROWS", 2), (chunks, "CHUNK_BYTES", 64), (chunks, "CHUNK_RECORDS", 2)], 5, id="all small"
        ),
    ],
)
def test_portions_of_any_size_come_to_the_same(
    portions: list[tuple[ModuleType, str, int]], batches: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = {
        "x.jsonl": b"".join(GOOD + BAD) + rated("long", comment="x" * 3000),
        "y.jsonl": b"".join(BLANK + GOOD[::-1]) + b'{"torn',
        "z.json": b"[" + b",".join(line.strip() for line in [*GOOD[3:], b"null", rated("only here")]) + b"]",
        "p.jsonl.gz": gzip.compress(b"".join([*GOOD, rated("packed"), *BAD])),
    }
    for home in (tmp_path / "whole", tmp_path / "parts"):
        (home / "logs").mkdir(parents=True)
        for name, data in content.items():
            (home / "logs" / name).write_bytes(data)
    whole = take_all(tmp_path / "whole")
    for place, name, size in portions:
        monkeypatch.setattr(place, name, size)
    parts = take_all(tmp_path / "parts")
    assert Lake(tmp_path / "whole").read("ingest_files")["batch"].n_unique() == 1
    assert Lake(tmp_path / "parts").read("ingest_files")["batch"].n_unique() >= batches
    assert parts == Taken(**{**whole.__dict__, "batch": parts.batch})
    assert rows(tmp_path / "parts", "events") == rows(tmp_path / "whole", "events")
    assert rows(tmp_path / "parts", "quarantine") == rows(tmp_path / "whole", "quarantine")
    conserved(tmp_path / "parts")
    conserved(tmp_path / "whole")
    assert take_all(tmp_path / "parts") == Taken(pending=1)


def take_all(home: Path) -> Taken:
    return ingest(Lake(home), [Source(name="app", path="{home}/logs/*")], now=NOW)


# ---- one batch ------------------------------------------------------------------------------------------------------


def test_what_was_taken_is_told(tmp_path: Path) -> None:
    told: list[tuple[str, dict[str, float]]] = []
    later = rated("b", comment="write to ana@example.org", at="2026-01-07T00:00:00Z")
    log(tmp_path, {"x": rated("a") + later + later + b"no\n", "y": b'{"v":1,'})
    taken = ingest(
        Lake(tmp_path), SOURCES, now=NOW, progress=lambda message, **numbers: told.append((message, numbers))
    )
    expected = {"files": 1, "records": 4, "accepted": 2, "repeated": 1, "quarantined": 1, "pending": 1, "events": 2}
    assert taken.as_json() == {
        **expected,
        "waiting": 2,
        "branches": 0,
        "masked": {"EMAIL": 2},  # the repeated one was masked too
        "by_type": {"rated": 2},
    }
    assert taken.batch == Lake(tmp_path).read("ingest_files")["batch"][0]
    assert taken.days == (date(2026, 1, 5), date(2026, 1, 7))
    sizes = [path.stat().st_size for path in (tmp_path / "logs").iterdir()]
    assert told[0] == ("ingest: reading", {"files": 2, "bytes": sum(sizes)})
    assert all(message == "ingest: read" for message, _ in told[1:])
    assert max(numbers["bytes_read"] for _, numbers in told[1:]) == max(sizes)
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


def test_a_conflict_is_seen_within_a_batch_and_between_portions_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 100)
    log(tmp_path, {"x": rated("a", 1) + rated("b") + rated("a", -1), "y": rated("b") + rated("c") + rated("a", 1)})
    taken = take(tmp_path)
    assert (taken.accepted, taken.repeated, taken.events) == (4, 2, 4)
    events = Lake(tmp_path).read("events").sort("id", "value")
    assert events.select("id", "id_conflict").rows() == [("a", True), ("a", True), ("b", False), ("c", False)]


def test_what_is_marked_already_is_not_written_again(tmp_path: Path) -> None:
    log(tmp_path, {"x": rated("a", 1) + rated("a", -1) + rated("b")})
    take(tmp_path)
    log(tmp_path, {"x": rated("a", 0, at="2026-01-09T00:00:00Z")}, append=True)
    assert take(tmp_path).days == (date(2026, 1, 9),)
    assert Lake(tmp_path).read("events").sort("id")["id_conflict"].to_list() == [True, True, True, False]


def test_the_same_id_of_two_kinds_or_two_sources_is_no_conflict(tmp_path: Path) -> None:
    edited = rated("a").replace(b'"rated"', b'"edited"').replace(b'"value": 1', b'"text": "t"')
    log(tmp_path, {"x": rated("a", 1) + edited, "y": rated("a", -1)})
    apart = [Source(name="app", path="{home}/logs/x.jsonl"), Source(name="web", path="{home}/logs/y.jsonl")]
    assert ingest(Lake(tmp_path), apart, now=NOW).by_type == {"edited": 1, "rated": 2}
    assert Lake(tmp_path).read("events")["id_conflict"].sum() == 0


def test_of_a_record_too_long_its_beginning_and_its_sum_are_kept(tmp_path: Path) -> None:
    long = rated("long", comment="x" * strict.RECORD_BYTES)
    log(tmp_path, {"x": rated("a") + long + rated("b")})
    taken = take(tmp_path)
    assert (taken.accepted, taken.quarantined) == (2, 1)
    (bad,) = Lake(tmp_path).read("quarantine").iter_rows(named=True)
    assert bad["raw"] == long[: 2**16]
    assert bad["offset"] == len(rated("a"))
    assert bad["reason"].startswith(f"a record of {len(long) - 1} bytes, more than {strict.RECORD_BYTES}")
    conserved(tmp_path)


# ---- sources --------------------------------------------------------------------------------------------------------


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
    assert ingest_paths(Lake(tmp_path / "home"), [path], Source(name="mine", path=""), now=NOW).accepted == 1
    assert Lake(tmp_path / "home").read("events")["source"].to_list() == ["mine"]
    with pytest.raises(BadInput, match=r"there is no such log file; saw `.*nothing`"):
        ingest_paths(Lake(tmp_path / "home"), [tmp_path / "nothing"], Source(name="mine", path=""), now=NOW)


@pytest.mark.parametrize("first", ["{}", '{"prompt": "?", "response": "!"}', '{"kind": "rated"}'])
def test_a_record_does_not_decide_how_those_behind_it_are_read(first: str, tmp_path: Path) -> None:
    log(tmp_path, {"x": first.encode() + b"\n" + rated("a") + rated("b")})
    assert take(tmp_path).accepted == 2
    assert sorted(Lake(tmp_path).read("events")["id"]) == ["a", "b"]


def test_any_number_of_records_may_come_into_conflict_at_once(tmp_path: Path) -> None:
    """More than a predicate of Delta can name: it ended in a crash, at each ingest that followed too."""
    many = 25_000
    for file, value in (("x", 1), ("y", 0)):
        log(tmp_path, {file: b"".join(rated(str(each), value) for each in range(many))})
        take(tmp_path)
    events = Lake(tmp_path).read("events")
    assert events["id_conflict"].sum() == 2 * many
    conserved(tmp_path)


# ---- words for people who may not see the records -------------------------------------------------------------------


def test_reasons_say_nothing_that_only_the_records_know(tmp_path: Path) -> None:
    odd = {"jane@example.com": 1, "v": 1, "kind": "rated"}
    log(
        tmp_path, {"x": json.dumps(odd).encode() + b"\n" + rated("a", jane="Doe") + b'{"Jane Doe": 1, "Jane Doe": 2}\n'}
    )
    (tmp_path / "logs" / "y.csv").write_bytes(b"I am jane@example.com,my card is 4111111111111111\nwhat,else\n")
    sources = [*SOURCES, Source(name="table", path="{home}/logs/*.csv", format="table", workload="drafts")]
    taken = ingest(Lake(tmp_path), sources, now=NOW)
    assert taken.quarantined == 4
    told = reasons(Lake(tmp_path))
    assert told["records"].sum() == 4
    assert not re.search("(?i)jane|doe|4111|my card", " ".join(told["reason"])), told["reason"].to_list()
    assert all(told["reason"].str.len_chars() > 10)


def test_a_path_is_taken_literally_and_under_one_name(tmp_path: Path) -> None:
    (tmp_path / "a{home}b").mkdir()
    (tmp_path / "a{home}b" / "x.jsonl").write_bytes(rated("a") + b"bad\n")
    lake, source = Lake(tmp_path / "state"), Source(name="app", path="")
    assert ingest_paths(lake, [tmp_path / "a{home}b" / "x.jsonl"], source, now=NOW).records == 2
    again = ingest_paths(lake, [tmp_path / "a{home}b" / ".." / "a{home}b"], source, now=NOW)
    assert again.records == 0
    assert lake.read("ingest_files")["file"].n_unique() == 1


def test_a_folder_without_logs_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no log file in there.*\.jsonl"):
        ingest_paths(Lake(tmp_path / "state"), [tmp_path], Source(name="app", path=""), now=NOW)
