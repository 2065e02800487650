"""What nobody should have written: all of it ends in a table with its reason, and stops no other file."""

import gzip
import io
import json
import os
import socket
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flywheel.errors import Transient
from flywheel.ingest import Taken, chunks, growing, ingest, stage
from flywheel.lake import Lake
from flywheel.settings import Source
from tests.flywheel.ingest.apart import accounted, state
from tests.flywheel.ingest.logs import NOW, rated
from tests.flywheel.ingest.test_streams import zstd

_new = count()


def good(**more: Any) -> bytes:
    """A sound line that no other case has."""
    return rated(f"n{next(_new)}", **more)


def raw(name: str, value: str) -> bytes:
    """A line whose field of this name holds this text of JSON."""
    line = json.dumps(json.loads(good()) | {name: "HERE"}).encode() + b"\n"
    return line.replace(b'"HERE"', value.encode("utf-8", "surrogatepass"))


def bare(line: bytes) -> bytes:
    return line.strip()


class Case(NamedTuple):
    name: str
    data: bytes
    accepted: int
    reasons: tuple[str, ...] = ()
    pending: int = 0


def many(line: bytes, times: int) -> bytes:
    return line * times


def response(**more: Any) -> bytes:
    record = {"v": 1, "kind": "response", "id": f"n{next(_new)}", "at": "2026-01-05T09:30:00Z", "workload": "drafts"}
    record |= {"parent": "p", "prompt": [{"role": "user", "content": "?"}], "text": "!", "model": "m", **more}
    return json.dumps(record).encode() + b"\n"


def parquet(**columns: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


GZ, ZST = gzip.compress(good() + good()), zstd(good() + good())
SUM, SIZE = (bytearray(gzip.compress(good() + good(), 0)) for _ in range(2))
SUM[-8] ^= 1
SIZE[-4] ^= 1
TABLE = parquet(prompt=["a", "b"], response=["x", "y"])
JSONL = "not one JSON document"

CASES = [
    # ---- framing
    Case("empty.jsonl", b"", 0),
    Case("newlines.jsonl", b"\n\r\n \n\t\n\x0b\x0c\n", 0),
    Case("no-final-newline.jsonl", good() + bare(good()), 2),
    Case("torn.jsonl", good() + good()[:40], 1, pending=1),
    Case("torn-scalar.jsonl", good() + b"12", 1, pending=1),
    Case("crlf.jsonl", (good() + good()).replace(b"\n", b"\r\n"), 2),
    Case("cr-only.jsonl", (good() + good()).replace(b"\n", b"\r") + b"\n", 0, (JSONL,)),
    Case("line-separator.jsonl", raw("comment", '"a\u2028b\u2029\u0085c"'), 1),
    Case("mark-first.jsonl", b"\xef\xbb\xbf" + good(), 1),
    Case("mark-inside.jsonl", good() + b"\xef\xbb\xbf" + good(), 2),
    Case("two-marks.jsonl", b"\xef\xbb\xbf\xef\xbb\xbf" + good(), 1),
    Case("two-on-a-line.jsonl", bare(good()) + good() + good(), 1, (f"{JSONL}: Extra data",)),
    Case("over-two-lines.jsonl", good().replace(b", ", b",\n", 1) + good(), 1, (JSONL, JSONL)),
    Case("garbage-behind.jsonl", bare(good()) + b"x\n" + good(), 1, (f"{JSONL}: Extra data",)),
    Case("array-on-a-line.jsonl", b"[" + bare(good()) + b"]\n" + good(), 1, ("not a JSON object",)),
    Case("scalars.jsonl", b'1\n"a"\nnull\ntrue\n-0\n', 0, ("not a JSON object",) * 5),
    Case("nul-bytes.jsonl", b"\0" * 100 + b"\n" + good(), 1, ("a NUL byte",)),
    Case("nul-tail.jsonl", good() + b"\0" * 4096, 1, pending=1),
    Case("one-byte.jsonl", b"x", 0, pending=1),
    # ---- JSON
    Case("malformed.jsonl", b"{\n}\n{'a':1}\n<html>\n" + good(), 1, (JSONL,) * 4),
    Case("a-key-twice.jsonl", good().replace(b'"v"', b'"id": "other", "v"'), 0, ('the key "id" comes twice',)),
    Case("nan.jsonl", raw("value", "NaN") + raw("value", "Infinity"), 0, ("NaN is no JSON", "Infinity is no JSON")),
    Case("minus-zero.jsonl", raw("value", "-0") + raw("value", "-0.0"), 2),
    Case("too-great.jsonl", raw("value", "1e400") + raw("value", "-1e400"), 0, ("too great for a float",) * 2),
    Case("beyond-53-bits.jsonl", response(tokens_in=2**53 + 1), 1),
    Case("beyond-64-bits.jsonl", response(tokens_in=2**63) + response(tokens_in=-(2**70)), 0, ("beyond 64 bits",) * 2),
    Case("long-integer.jsonl", raw("value", "1" * 10_000), 0, ("beyond 64 bits",)),
    Case("deep.jsonl", raw("comment", "[" * 10**5 + "]" * 10**5), 0, ("nested deeper than 100",)),
    Case("deep-and-open.jsonl", b"[" * 10**5 + b"\n" + good(), 1, ("nested deeper than 100",)),
    Case("many-keys.jsonl", good(**{f"k{n}": 1 for n in range(10**5)}), 0, ("field k",)),
    Case("empty-key.jsonl", good(**{"": 1}), 0, ("field : rated has no such field",)),
    Case("escaped-nul.jsonl", raw("comment", '"a\\u0000b"') + raw("comment", '"a\\\\u0000b"'), 1, ("an escaped NUL",)),
    Case("comma-behind.jsonl", good().replace(b"}", b",}"), 0, (JSONL,)),
    # ---- encoding
    Case("invalid.jsonl", raw("comment", '"HERE"').replace(b"HERE", b"\xff\xfe"), 0, ("not UTF-8",)),
    Case("overlong.jsonl", raw("comment", '"HERE"').replace(b"HERE", b"\xc0\xaf"), 0, ("not UTF-8",)),
    Case("latin-1.jsonl", raw("comment", '"café"').decode().encode("latin-1") + good(), 1, ("not UTF-8",)),
    Case("half.jsonl", raw("comment", '"\\ud800"') + raw("comment", '"\\udc00\\ud800"'), 0, ("surrogate",) * 2),
    Case("raw-half.jsonl", raw("comment", '"\ud800"'), 0, ("not UTF-8",)),
    Case("utf-16.jsonl", good().decode().encode("utf-16"), 0, ("(UTF-16?)",), 1),
    Case("utf-32.jsonl", good().decode().encode("utf-32"), 0, ("not UTF-8",), 1),
    Case("twins.jsonl", raw("comment", '"é"') + raw("comment", '"e\u0301"'), 2),
    Case("unseen.jsonl", raw("comment", '"\u202e\u200b\ufeff\U000e0041\ufdd0"'), 1),
    Case("control-tokens.jsonl", raw("comment", '"<|im_start|>system</s>{{ 7*7 }}{% x %}"'), 1),
    # ---- schema drift
    Case("new-field.jsonl", good(surprise=1) + good(), 1, ("field surprise: rated has no such field",)),
    Case("missing-field.jsonl", b'{"v":1,"kind":"rated","id":"m"}\n', 0, ("missing",)),
    Case("retyped.jsonl", raw("id", "7") + raw("value", '"1"'), 0, ("field id", "field value")),
    Case("retyped-inside.jsonl", raw("tags", "[]") + raw("tags", '{"a":1}'), 0, ("field tags", "field tags")),
    Case("kinds.jsonl", good(kind="smiled") + good(v=2), 0, ("field kind: no such event", "field v: no such version")),
    Case("nulls.jsonl", good(user=None, tags={}) + good(workload=None), 1, ("field workload",)),
    Case("message-field.jsonl", response(prompt=[{"role": "user", "content": "?", "name": "x"}]), 0, ("field name",)),
    # ---- time
    Case("ahead.jsonl", good(at="2026-02-01T12:00:00Z") + good(at="2031-01-01T00:00:00Z"), 1, ("a day ahead",)),
    Case("far.jsonl", good(at="0001-01-01T00:00:00Z") + good(at="9999-12-31T23:59:59Z"), 1, ("a day ahead",)),
    Case("numbers.jsonl", raw("at", "1767605400") + raw("at", "1767605400000") + raw("at", "-1"), 0, ("field at",) * 3),
    Case("naive.jsonl", good(at="2026-01-05T09:30:00"), 0, ("without its offset",)),
    Case("offset.jsonl", good(at="2026-01-05T09:30:00+05:30") + good(at="2026-01-05T09:30:00.123456789Z"), 2),
    Case("leap-second.jsonl", good(at="2016-12-31T23:59:60Z") + good(at="2026-02-29T00:00:00Z"), 0, ("field at",) * 2),
    Case("before-the-first-year.jsonl", good(at="0001-01-01T00:00:00+01:00"), 0, ("field at",)),
    # ---- compression
    Case("whole.jsonl.gz", GZ, 2),
    Case("members.jsonl.gz", gzip.compress(good()) + gzip.compress(good()[:20]) + bytes(600), 1, (JSONL,)),
    Case("truncated.jsonl.gz", gzip.compress(good() + good())[:-20], 0, ("the gzip data is truncated",)),
    Case("no-footer.jsonl.gz", gzip.compress(good(), 0)[:-8], 1, ("the gzip data is truncated",)),
    Case("sum.jsonl.gz", bytes(SUM), 2, ("damaged",)),
    Case("size.jsonl.gz", bytes(SIZE), 2, ("damaged",)),
    Case("followed.jsonl.gz", gzip.compress(good()) + b"something else", 1, ("followed by something else",)),
    Case("header-only.jsonl.gz", GZ[:2], 0, ("truncated",)),
    Case("nothing.jsonl.gz", b"", 0),
    Case("plain.jsonl.gz", good() + good(), 2),
    Case("unnamed.jsonl", gzip.compress(good()), 1),
    Case("twice.jsonl.gz", gzip.compress(gzip.compress(good())), 0, ("not UTF-8",)),
    Case("whole.jsonl.zst", ZST, 2),
    Case("truncated.jsonl.zst", zstd(good())[:-4], 0, ("the zstd data is damaged or truncated",)),
    Case("followed.jsonl.zst", zstd(good()) + b"something else", 1, ("the zstd data is damaged",)),
    Case("torn.jsonl.gz", gzip.compress(good() + good()[:-9]), 1, (JSONL,)),
    # ---- documents
    Case("array.json", b"[" + bare(good()) + b",{'a'}," + bare(good()) + b"]", 2, (JSONL,)),
    Case("growing.json", b"[" + good() + b"," + good()[:50], 1, pending=1),
    Case("values.json", good() + b"nonsense\n" + good(), 2, (JSONL,)),
    Case("followed.json", b"[" + good() + b"]]", 1, ("something follows the array",)),
    Case("deep.json", b"[" + b"[" * 10**5 + b"]" * 10**5 + b"," + good() + b"]", 1, ("nested deeper than 100",)),
    Case("cut.json.gz", gzip.compress(b"[" + good() + b"," + good()[:50]), 1, ("the file ends before the bracket",)),
]  # fmt: skip

ROWS = [
    Case("quotes.csv", b'prompt,response\nq1,"a\n""b"\nq2,b"c\nq3,"d"e\n', 2, ("not a row of CSV",)),
    Case("ragged.csv", b"prompt,response\nr1,a,b\nr2\nr3,c\n", 1, ("3 cells under a header of 2", "1 cells")),
    Case("header-twice.csv", b"prompt,prompt\na,b\n", 0, ("two columns have one name",)),
    Case("open.csv", b'prompt,response\no1,a\no2,"b\n', 1, pending=1),
    Case("bytes.csv", b"prompt,response\nb1,\xff\nb2,\0\nb3,c\n", 1, ("not UTF-8", "a NUL byte")),
    Case("mark.csv", b"\xef\xbb\xbfprompt,response\r\nm1,a\r\n\r\n", 1),
    Case("empty-cells.csv", b"prompt,response\n,a\ne2,\n", 1, ("field prompt: empty",)),
    Case("header-only.csv", b"prompt,response\n", 0),
    Case("renamed.csv", b"question_,reply_\na,b\n", 0, ("prompt",)),
    Case("open.csv.gz", gzip.compress(b'prompt,response\nz1,a\nz2,"b\n'), 1, ("the file ends inside quotes",)),
    Case("tabs.tsv", b"prompt\tresponse\nt1\ta,b\nt2\n", 1, ("1 cells under a header of 2",)),
    Case("numbers.json", b'[{"prompt":"j","response":1},{"prompt":1e999,"response":"x"},{}]', 1, ("too great", "pro")),
    Case("whole.parquet", TABLE, 2),
    Case("no-rows.parquet", parquet(prompt=pa.array([], pa.string()), response=pa.array([], pa.string())), 0),
    Case("cut.parquet", TABLE[:-20], 0, ("the Parquet file cannot be read",)),
    Case("magic.parquet", b"PAR2" + TABLE[4:-4] + b"PAR2", 0, ("the Parquet file cannot be read",)),
    Case("text.parquet", b"prompt,response\n", 0, ("the Parquet file cannot be read",)),
    Case("bytes.parquet", parquet(prompt=["p1"], response=[b"\xff"]), 0, ("column response: bytes",)),
    Case("infinite.parquet", parquet(prompt=["p2"], response=[float("inf")]), 0, ("an infinite number",)),
    Case("packed.parquet.gz", gzip.compress(TABLE), 0, ("a compressed Parquet file",)),
]  # fmt: skip


def sources(home: Path) -> list[Source]:
    return [
        Source(name="app", path=f"{home}/logs"),
        Source(name="sheet", path=f"{home}/tables", format="table", workload="drafts"),
    ]


def written(home: Path) -> list[Source]:
    for folder, cases in (("logs", CASES), ("tables", ROWS)):
        (home / folder).mkdir(parents=True)
        for case in cases:
            (home / folder / case.name).write_bytes(case.data)
    return sources(home)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All cases taken at once: none of them stops another."""
    home = tmp_path_factory.mktemp("bad")
    ingest(Lake(home), written(home), now=NOW)
    accounted(home)
    return home


@pytest.mark.parametrize(
    ("name", "case"),
    [
        pytest.param(f"{folder}/{case.name}", case, id=case.name)
        for folder, cases in (("logs", CASES), ("tables", ROWS))
        for case in cases
    ],
)
def test_each_record_is_where_it_belongs(name: str, case: Case, home: Path) -> None:
    took = Lake(home).read("ingest_files").filter(file=name).select("accepted", "repeated", "quarantined", "pending")
    bad = Lake(home).read("quarantine").filter(file=name).sort("record")
    expected = [(case.accepted, 0, len(case.reasons), case.pending)]
    assert took.rows() == expected or (took.is_empty() and not case.accepted and not case.reasons)
    assert len(bad) == len(case.reasons)
    for seen, words in zip(bad["reason"], case.reasons, strict=True):
        assert words in seen


def test_again_there_is_nothing_new(home: Path) -> None:
    once_more = ingest(Lake(home), sources(home), now=NOW)  # tables that end in a torn row are read once more
    assert (once_more.accepted, once_more.quarantined, once_more.repeated) == (0, 0, once_more.records)
    before = state(home)
    taken = ingest(Lake(home), sources(home), now=NOW)
    assert taken == Taken(pending=sum(case.pending for case in CASES + ROWS))
    assert state(home) == before


def test_in_portions_of_any_size_it_comes_to_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("whole", "parts"):
        (tmp_path / name / "logs").mkdir(parents=True)
        for case in CASES:
            if len(case.data) < 2_000:
                (tmp_path / name / "logs" / case.name).write_bytes(case.data)
    whole = ingest(Lake(tmp_path / "whole"), sources(tmp_path / "whole"), now=NOW)
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 61)
    monkeypatch.setattr(chunks, "CHUNK_RECORDS", 1)
    monkeypatch.setattr(growing, "CHUNK_LINES", 1)
    monkeypatch.setattr(growing, "SHORT_BYTES", 7)
    parts = ingest(Lake(tmp_path / "parts"), sources(tmp_path / "parts"), now=NOW)
    assert whole.records > 100
    assert parts == replace(whole, batch=parts.batch)
    assert state(tmp_path / "parts") == state(tmp_path / "whole")
    accounted(tmp_path / "parts")


# ---- paths and live files -------------------------------------------------------------------------------------------

NAMES = [
    b"plain.jsonl",
    b"%2e%2e%2fa.jsonl",
    b"x'; COPY events TO 'x.jsonl",
    b"a\nb.jsonl",
    b"[a]*?.jsonl",
    b"-rf.jsonl",
    b"PLAIN.jsonl",
    b"con.jsonl",
    b"\xff.jsonl",
    b"\\xff.jsonl",
    b" .jsonl",
    "\u202e.jsonl".encode(),
    b"n" * 249 + b".jsonl",
]


def test_a_file_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    for name in NAMES:
        (folder / os.fsdecode(name)).write_bytes(good() + b"bad\n")
    for _ in range(2):
        taken = ingest(Lake(tmp_path), sources(tmp_path), now=NOW)
    assert taken == Taken()
    files = Lake(tmp_path).read("ingest_files")
    assert files["file"].n_unique() == len(NAMES)
    assert (files["accepted"].sum(), files["quarantined"].sum()) == (len(NAMES), len(NAMES))
    accounted(tmp_path)


def test_nothing_but_plain_files_below_the_folder_is_read(tmp_path: Path) -> None:
    folder, outside = tmp_path / "logs", tmp_path / "outside.jsonl"
    (folder / "below").mkdir(parents=True)
    outside.write_bytes(good())
    (folder / "below" / "plain.jsonl").write_bytes(good())
    (folder / "inside.jsonl").symlink_to(folder / "below" / "plain.jsonl")
    (folder / "outside.jsonl").symlink_to(outside)
    (folder / "up.jsonl").symlink_to("../outside.jsonl")
    (folder / "loop.jsonl").symlink_to(folder / "loop.jsonl")
    (folder / "dangling.jsonl").symlink_to(tmp_path / "nowhere")
    (folder / "folder.jsonl").mkdir()
    (folder / "around").symlink_to(folder)
    (folder / "null.jsonl").symlink_to("/dev/null")
    (folder / "zero.jsonl").symlink_to("/dev/zero")
    (folder / "hard.jsonl").hardlink_to(folder / "below" / "plain.jsonl")
    os.mkfifo(folder / "pipe.jsonl")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(folder / "s.log"))
        taken = ingest(Lake(tmp_path), sources(tmp_path), now=NOW)
    bad = Lake(tmp_path).read("quarantine").sort("file")
    assert bad.select("file", "raw").rows() == [("logs/outside.jsonl", b""), ("logs/up.jsonl", b"")]
    assert set(bad["reason"]) == {"a link that leads out of its source's folder"}
    assert (taken.accepted, taken.repeated, taken.quarantined) == (1, 2, 2)


Change = Callable[[Path], Any]


@pytest.mark.parametrize(
    ("change", "accepted"),
    [
        pytest.param(lambda path: path.unlink(), 2, id="deleted"),
        pytest.param(lambda path: path.rename(path.with_suffix(".gone")), 2, id="renamed"),
        pytest.param(lambda path: path.write_bytes(good()), 3, id="replaced"),
        pytest.param(lambda path: os.truncate(path, 10), 2, id="truncated"),
        pytest.param(lambda path: path.write_bytes(b""), 2, id="emptied"),
        pytest.param(lambda path: (path.unlink(), path.mkdir()), 2, id="now a folder"),
    ],
)
@pytest.mark.parametrize("name", ["b.jsonl", "b.json", "b.jsonl.gz"])
def test_a_file_that_changes_after_it_was_found_stops_no_other(
    name: str, change: Change, accepted: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    for each in ("a.jsonl", name, "c.jsonl"):
        (folder / each).write_bytes(good())
    found = stage.find(tmp_path, sources(tmp_path))
    change(folder / name)
    monkeypatch.setattr(stage, "find", lambda home, sources: found)
    with pytest.raises(Transient, match=name) if (folder / name).is_dir() else nullcontext():
        ingest(Lake(tmp_path), sources(tmp_path), now=NOW)
    assert len(Lake(tmp_path).read("events")) == accepted
    accounted(tmp_path)


def test_a_file_that_cannot_be_read_stops_no_other_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for name in ("a", "c"):
        (tmp_path / "logs" / f"{name}.jsonl").write_bytes(good())
    (tmp_path / "logs" / "b.jsonl").symlink_to("/proc/self/mem")  # whose first byte is an input/output error
    named = [Source(name="app", path=f"{tmp_path}/logs/{name}.jsonl") for name in "abc"]
    for _ in range(2):
        with pytest.raises(Transient, match=r"could not be read .*b\.jsonl"):
            ingest(Lake(tmp_path), named, now=NOW)
        assert len(Lake(tmp_path).read("events")) == 2
    (tmp_path / "logs" / "b.jsonl").unlink()
    (tmp_path / "logs" / "b.jsonl").write_bytes(good())
    assert ingest(Lake(tmp_path), named, now=NOW).accepted == 1
    accounted(tmp_path)


def test_bad_elements_of_one_document_are_each_in_quarantine(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(
        json.dumps({"of": "a", "rows": [{"n": 1}, {"n": 2}, {"prompt": "?", "response": "!"}]})
    )
    nested = Source(name="sheet", path="{home}/a.json", format="table", workload="drafts", records="rows")
    taken = ingest(Lake(tmp_path), [nested], now=NOW)
    assert (taken.accepted, taken.quarantined) == (1, 2)
    assert Lake(tmp_path).read("quarantine")["record"].sort().to_list() == [1, 2]


@pytest.mark.parametrize("name", ["a.json", "a.csv", "a.jsonl.gz"])
def test_a_file_that_is_read_again_has_its_bad_records_in_quarantine_once(name: str, tmp_path: Path) -> None:
    pack = gzip.compress if name.endswith("gz") else bytes
    data = b"prompt,response\nonly one\nq,r\n" if name == "a.csv" else b"bad\n" + good()
    for more in (b"", b"worse\n", b"worst\n"):
        data += more
        (tmp_path / name).write_bytes(pack(data))
        taken = ingest(Lake(tmp_path), [Source(name="app", path="{home}/a.*", workload="drafts")], now=NOW)
        assert taken.quarantined == 1
    assert taken.repeated == 3
    accounted(tmp_path)
