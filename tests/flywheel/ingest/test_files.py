"""Files that grow, are torn, replaced, rotated or deleted between runs, and names and links that mean no good."""

import csv
import gzip
import io
import json
import os
import socket
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from flywheel.ingest import Taken, chunks, files, ingest
from flywheel.lake import Lake
from flywheel.settings import Source
from tests.flywheel.ingest.logs import NOW, SOURCES, conserved, log, rated, take

# ---- files of lines -------------------------------------------------------------------------------------------------


def test_a_torn_line_is_pending_and_taken_when_it_is_complete(tmp_path: Path) -> None:
    line = rated("b")
    log(tmp_path, {"x": rated("a") + line[:30]})
    assert (take(tmp_path).accepted, take(tmp_path).pending) == (1, 1)
    log(tmp_path, {"x": line[30:-2]}, append=True)
    assert take(tmp_path) == Taken(pending=1)
    log(tmp_path, {"x": b"}"}, append=True)  # a whole object is no beginning of another line
    taken = take(tmp_path)
    assert (taken.accepted, taken.quarantined, taken.pending) == (1, 0, 0)
    assert take(tmp_path) == Taken()
    log(tmp_path, {"x": b"\n" + rated("c")}, append=True)
    assert take(tmp_path).records == 1
    conserved(tmp_path)


@pytest.mark.parametrize(
    "tail", [b"{", b'{"v":1', b"12", b"null", b'"text"', b"[1]", b"\xff", b'{"a":1}}', b"nonsense"]
)
def test_whatever_else_follows_the_last_newline_is_pending_until_it_ends(tail: bytes, tmp_path: Path) -> None:
    log(tmp_path, {"x": rated("a") + tail})
    assert (take(tmp_path).pending, take(tmp_path)) == (1, Taken(pending=1))
    log(tmp_path, {"x": b"\n"}, append=True)
    taken = take(tmp_path)
    assert (taken.quarantined, taken.pending) == (1, 0)
    assert Lake(tmp_path).read("quarantine")["raw"].to_list() == [tail]


@pytest.mark.parametrize("tail", [b" ", b"\r", b"\t  "])
def test_white_space_behind_the_last_newline_is_nothing(tail: bytes, tmp_path: Path) -> None:
    log(tmp_path, {"x": rated("a") + tail})
    assert take(tmp_path).pending == 0
    log(tmp_path, {"x": rated("b")}, append=True)
    assert take(tmp_path).accepted == 1


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
    monkeypatch.setattr(chunks, "CHUNK_BYTES", size)
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
    assert take(tmp_path) == Taken()


def test_what_was_torn_when_its_file_rotated_is_taken_under_the_new_name(tmp_path: Path) -> None:
    line = rated("b")
    log(tmp_path, {"x": rated("a") + line[:40]})
    assert take(tmp_path).pending == 1
    log(tmp_path, {"x": line[40:]}, append=True)
    (tmp_path / "logs" / "x.jsonl").rename(tmp_path / "logs" / "x-old.jsonl")
    log(tmp_path, {"x": rated("c")})
    taken = take(tmp_path)
    assert (taken.accepted, taken.repeated, taken.pending) == (2, 1, 0)


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_truncated_file_loses_nothing_and_goes_on(kept: int, tmp_path: Path) -> None:
    """As `logrotate` does with `copytruncate`."""
    lines = [rated(id) for id in "abc"]
    log(tmp_path, {"x": b"".join(lines)})
    take(tmp_path)
    log(tmp_path, {"x": b"".join(lines[:kept])})
    assert (take(tmp_path).accepted, take(tmp_path)) == (0, Taken())
    log(tmp_path, {"x": rated("d") + rated("e", comment="x" * 500)}, append=True)
    assert take(tmp_path).accepted == 2
    assert len(Lake(tmp_path).read("events")) == 5
    conserved(tmp_path)


def test_a_deleted_file_takes_nothing_with_it(tmp_path: Path) -> None:
    log(tmp_path, {"x": rated("a"), "y": rated("b")})
    take(tmp_path)
    (tmp_path / "logs" / "x.jsonl").unlink()
    assert take(tmp_path) == Taken()
    log(tmp_path, {"x": rated("a") + rated("c")})
    assert (take(tmp_path).accepted, len(Lake(tmp_path).read("events"))) == (1, 3)


@pytest.mark.parametrize("name", ["x.jsonl", "x.json", "x.jsonl.gz", "x.csv", "x.parquet"])
def test_a_file_deleted_while_others_are_read_is_as_if_it_had_never_been(name: str, tmp_path: Path) -> None:
    log(tmp_path, {"a": rated("a"), "z": rated("z")})
    path = tmp_path / "logs" / name
    path.write_bytes(rated("x"))

    def vanish(message: str, **numbers: float) -> None:
        path.unlink(missing_ok=True)  # told when the files are known and none is open yet

    assert ingest(Lake(tmp_path), [Source(name="app", path="{home}/logs")], now=NOW, progress=vanish).accepted == 2


def test_the_order_of_ingests_does_not_follow_a_clock_that_goes_back(tmp_path: Path) -> None:
    for days, line in enumerate([rated("a"), rated("b"), rated("c")]):
        log(tmp_path, {"x": line}, append=True)
        assert take(tmp_path, NOW - timedelta(days=days)).accepted == 1
    assert take(tmp_path) == Taken()


def test_a_state_folder_can_be_moved(tmp_path: Path) -> None:
    log(tmp_path / "here", {"x": rated("a")})
    take(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    assert take(tmp_path / "there") == Taken()


# ---- files read as a whole ------------------------------------------------------------------------------------------

RATINGS = ["id", "at", "request", "answer", "rating"]


def _csv(ids: str) -> bytes:
    out = io.StringIO()
    table = csv.writer(out)
    table.writerows([RATINGS, *([id, "2026-01-05T09:30:00Z", f"{id}?", f"{id}!", "1"] for id in ids)])
    return out.getvalue().encode()


def _lines(ids: str) -> bytes:
    return b"".join(rated(id) for id in ids)


WHOLE: dict[str, Callable[[str], bytes]] = {
    "x.json": lambda ids: b"[" + b",\n".join(rated(id).strip() for id in ids) + b"]",
    "x.jsonl.gz": lambda ids: gzip.compress(_lines(ids), mtime=0),
    "x.jsonl.zst": lambda ids: pa.compress(_lines(ids), "zstd", asbytes=True),
    "x.json.gz": lambda ids: gzip.compress(json.dumps([json.loads(rated(id)) for id in ids]).encode(), mtime=0),
    "x.csv": _csv,
    "x.csv.gz": lambda ids: gzip.compress(_csv(ids), mtime=0),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_is_read_again_when_it_changed_and_its_known_records_are_repeated(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_RECORDS", 2)

    def taken(ids: str) -> tuple[int, int, int]:
        (tmp_path / "logs" / name).write_bytes(WHOLE[name](ids))
        got = ingest(Lake(tmp_path), sources, now=NOW)
        return got.records, got.accepted, got.repeated

    sources = [Source(name="app", path="{home}/logs/*", workload="drafts")]
    (tmp_path / "logs").mkdir()
    assert taken("abc") == (3, 3, 0)
    assert ingest(Lake(tmp_path), sources, now=NOW).records == 0
    assert taken("abc") == (3, 0, 3)  # written again as it was: only reading it all could tell
    assert taken("abcde") == (5, 2, 3)
    assert taken("abXde") == (5, 1, 4)  # as long as before
    assert taken("b") == (1, 0, 1)
    assert taken("abc") == (3, 0, 3)
    assert ingest(Lake(tmp_path), sources, now=NOW).records == 0
    conserved(tmp_path)
    assert Lake(tmp_path).read("quarantine").is_empty()


@pytest.mark.parametrize("form", ["json", "json.gz", "jsonl.gz", "jsonl"])
def test_a_bad_record_of_a_file_that_is_read_again_is_in_quarantine_once(form: str, tmp_path: Path) -> None:
    def taken(records: list[bytes]) -> tuple[int, int, int]:
        data = b"[" + b",".join(records) + b"]" if "json" in form.split(".") else b"\n".join([*records, b""])
        (tmp_path / "logs" / f"x.{form}").write_bytes(gzip.compress(data, mtime=0) if form.endswith("gz") else data)
        got = ingest(Lake(tmp_path), [Source(name="app", path="{home}/logs/*")], now=NOW)
        conserved(tmp_path)
        return got.accepted, got.repeated, got.quarantined

    good = {id: rated(id).strip() for id in "abcd"}
    (tmp_path / "logs").mkdir()
    assert taken([good["a"], b"null", b"5"]) == (1, 0, 2)
    assert taken([good["b"], b"null", b"5"]) == (1, 2, 0)
    assert taken([good["b"], b"null", b"6", good["c"]]) == (1, 2, 1)
    assert taken([good["d"]]) == (1, 0, 0)
    assert sorted(Lake(tmp_path).read("quarantine")["raw"]) == [b"5", b"6", b"null"]


def test_a_document_still_being_written_is_pending_and_read_again(tmp_path: Path) -> None:
    document = WHOLE["x.json"]("abc")
    path = tmp_path / "logs" / "x.json"
    path.parent.mkdir()
    sources = [Source(name="app", path="{home}/logs")]
    path.write_bytes(document[:-30])
    first = ingest(Lake(tmp_path), sources, now=NOW)
    assert (first.accepted, first.pending) == (2, 1)
    assert ingest(Lake(tmp_path), sources, now=NOW) == Taken(pending=1)
    path.write_bytes(document)
    taken = ingest(Lake(tmp_path), sources, now=NOW)
    assert (taken.accepted, taken.repeated, taken.quarantined, taken.pending) == (1, 2, 0, 0)


# ---- names and links ------------------------------------------------------------------------------------------------


def test_a_home_may_have_any_name(tmp_path: Path) -> None:
    home = tmp_path / "a [1] * ?"
    log(home, {"x": rated("a")})
    assert [file.name for file in files.find(home, SOURCES)] == ["logs/x.jsonl"]


def test_only_files_are_logs(tmp_path: Path) -> None:
    log(tmp_path, {"x": rated("a")})
    logs = tmp_path / "logs"
    (logs / "folder.jsonl").mkdir()
    os.mkfifo(logs / "pipe.jsonl")
    (logs / "gone.jsonl").symlink_to(tmp_path / "nowhere")
    (logs / "round.jsonl").symlink_to("round.jsonl")
    (logs / "null.jsonl").symlink_to(os.devnull)
    here = Path.cwd()
    with socket.socket(socket.AF_UNIX) as listening:
        os.chdir(logs)  # a socket's address is short
        listening.bind("socket.jsonl")
        os.chdir(here)
        for path in ("{home}/logs/*.jsonl", "{home}/logs", "{home}/**/*.jsonl"):
            assert [file.name for file in files.find(tmp_path, [Source(name="app", path=path)])] == ["logs/x.jsonl"]
        assert take(tmp_path).files == 1


@pytest.mark.parametrize(
    "name",
    [
        *("a [1].jsonl", "*.jsonl", "?.jsonl", "[!a].jsonl", "a\nb.jsonl", "a\tb.jsonl", "a'b\"c.jsonl", " .jsonl"),
        *("-rf.jsonl", "a\\nb.jsonl", "%00.jsonl", "; rm x.jsonl", "{home}.jsonl", "é.jsonl", "e\u0301.jsonl"),
        *("\u202e.jsonl", "x" * 200 + ".jsonl"),
        *("\udcff\udcfe.jsonl", "caf\udce9.jsonl"),  # bytes that are no UTF-8
    ],
)
def test_a_file_may_have_any_name(name: str, tmp_path: Path) -> None:
    log(tmp_path, {"x": rated("a")})
    (tmp_path / "logs" / name).write_bytes(rated("b") + b"bad\n")
    taken = take(tmp_path)
    assert (taken.files, taken.accepted, taken.quarantined) == (2, 2, 1)
    assert take(tmp_path) == Taken()
    (written,) = Lake(tmp_path).read("quarantine")["file"]
    as_bytes = os.fsencode(f"logs/{name}").replace(b"\\", rb"\\")
    assert written == as_bytes.decode("utf-8", "backslashreplace")
    conserved(tmp_path)


def test_files_whose_names_are_spelled_alike_stay_two_files(tmp_path: Path) -> None:
    log(tmp_path, {"x\udcff": rated("a") + b"bad\n", "x\\xff": rated("b") + b"bad\n"})
    assert (take(tmp_path).files, take(tmp_path)) == (2, Taken())
    conserved(tmp_path)


def test_a_link_that_leads_out_is_quarantined_once_and_never_read(tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_bytes(rated("secret"))
    (tmp_path / "other.jsonl").write_bytes(rated("other"))
    home = tmp_path / "home"
    log(home, {"x": rated("a")})
    link = home / "logs" / "link.jsonl"
    link.symlink_to(tmp_path / "secret.jsonl")
    taken = take(home)
    assert (taken.accepted, taken.quarantined) == (1, 1)
    assert take(home) == Taken()
    (tmp_path / "secret.jsonl").write_bytes(rated("secret") * 2)
    assert take(home) == Taken()
    link.unlink()
    link.symlink_to("../../other.jsonl")
    assert (take(home).repeated, take(home)) == (1, Taken())

    bad = Lake(home).read("quarantine")
    assert bad.select("file", "reason", "raw").rows() == [
        ("logs/link.jsonl", "a link that leads out of its source's folder", b"")
    ]
    assert Lake(home).read("events")["id"].to_list() == ["a"]
    conserved(home)
    link.unlink()
    link.write_bytes(rated("b"))  # a file of its own now
    assert take(home).accepted == 1


@pytest.mark.parametrize("pattern", ["{home}/logs/*/*.jsonl", "{home}/logs/**/*.jsonl", "{home}/logs/out*/x.jsonl"])
def test_a_folder_that_leads_out_leads_nowhere(pattern: str, tmp_path: Path) -> None:
    log(tmp_path / "elsewhere", {"x": rated("secret")})
    (tmp_path / "home" / "logs").mkdir(parents=True)
    (tmp_path / "home" / "logs" / "out").symlink_to(tmp_path / "elsewhere" / "logs")
    taken = ingest(Lake(tmp_path / "home"), [Source(name="app", path=pattern)], now=NOW)
    assert (taken.accepted, taken.quarantined) == (0, 1)
    assert Lake(tmp_path / "home").read("events").is_empty()


def test_links_that_stay_inside_are_read(tmp_path: Path) -> None:
    log(tmp_path, {"x": rated("a")})
    logs = tmp_path / "logs"
    (logs / "current.jsonl").symlink_to("x.jsonl")
    (logs / "deep").mkdir()
    (logs / "deep" / "y.jsonl").write_bytes(rated("b"))
    (logs / "near.jsonl").symlink_to(logs / "deep" / "y.jsonl")
    taken = take(tmp_path)
    assert (taken.files, taken.accepted, taken.repeated, taken.quarantined) == (3, 2, 1, 0)


def test_a_source_that_is_itself_a_link_was_meant_by_whoever_named_it(tmp_path: Path) -> None:
    log(tmp_path / "disk", {"x": rated("a")})
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "logs").symlink_to(tmp_path / "disk" / "logs")
    assert take(tmp_path / "home").accepted == 1
    (tmp_path / "one.jsonl").symlink_to(tmp_path / "disk" / "logs" / "x.jsonl")
    named = [Source(name="app", path=str(tmp_path / "one.jsonl"))]
    assert ingest(Lake(tmp_path / "other"), named, now=NOW).accepted == 1


def test_folders_that_lead_round_in_a_circle_end(tmp_path: Path) -> None:
    log(tmp_path, {"x": rated("a")})
    (tmp_path / "logs" / "round").symlink_to(tmp_path / "logs")
    taken = ingest(Lake(tmp_path), [Source(name="app", path="{home}/logs/**/*.jsonl")], now=NOW)
    assert taken.accepted == 1
    assert taken.records == taken.accepted + taken.repeated
