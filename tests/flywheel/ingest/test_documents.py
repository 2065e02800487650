"""Records of `.json`, `.csv` and `.parquet` files: none lost, none invented, none that takes its neighbour with it."""

import csv
import gzip
import io
import json
import os
import random
import subprocess
import sys
import tracemalloc
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flywheel.ingest import strict
from flywheel.ingest.documents import Record, Torn, again, documents, window
from flywheel.ingest.reader import Rejected

BAD = "bad"  # what a rejected record is in the expectations below
PACK = {".gz": gzip.compress, "": bytes}


def found(folder: Path, name: str, data: bytes) -> list[Record | Torn]:
    path = folder / name
    path.write_bytes(data)
    return list(documents(path))


def seen(records: list[Record | Torn]) -> list[Any]:
    return [
        "torn" if isinstance(each, Torn) else BAD if isinstance(each.value, Rejected) else each.value
        for each in records
    ]


def reason(record: Record | Torn) -> str:
    assert isinstance(record, Record)
    assert isinstance(record.value, Rejected)
    return record.value.reason


# ---- JSON -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b" \r\n\t ", []),
        (b"\xef\xbb\xbf", []),
        (b"[]", []),
        (b"\xef\xbb\xbf [ ] \n", []),
        (b"{}", [{}]),
        (b'{"a": [1, {"b": "]}"}]}\n', [{"a": [1, {"b": "]}"}]}]),
        (b'[{"a": 1}, 2, "x,]", null, [3, [4]]]', [{"a": 1}, 2, "x,]", None, [3, [4]]]),
        (b'\xef\xbb\xbf\r\n[\r\n{"a":1},\r\n{"a":2}\r\n]\r\n', [{"a": 1}, {"a": 2}]),
        (b'{"a":1}\n{"a":2}\r\n\n{"a":3}', [{"a": 1}, {"a": 2}, {"a": 3}]),
        (b'{"a":1}{"a":2} {"a":3}', [{"a": 1}, {"a": 2}, {"a": 3}]),
        (b'{\n "a": 1\n}\n{\n "a": 2\n}\n', [{"a": 1}, {"a": 2}]),
        (b'{"a":1}\n[2]\n', [{"a": 1}, [2]]),
        (b"5", [BAD]),
        (b'"a b {"', [BAD]),
        (b"null\n", [BAD]),
        (b"<html>", [BAD]),
        (b'# a log\n{"a":1}\n', [BAD, {"a": 1}]),
        (b'{"a":1}\nnonsense {"a":2}\n{"a":3}\n', [{"a": 1}, BAD, {"a": 3}]),
        (b'{"a":1}}\n{"a":2}\n', [{"a": 1}, BAD, {"a": 2}]),
        (b'{"a":1}\n{"a":nope}\n{"a":3}\n', [{"a": 1}, BAD, {"a": 3}]),
        (b'{"a":1}\n{"a":\xff}\n{"a":1,"a":2}\n{"a":3}', [{"a": 1}, BAD, BAD, {"a": 3}]),
        (b"[1, nope, 3]", [1, BAD, 3]),
        (b'[{"a":1}, {"a" 2}, {"a":[}, {"a":3}]', [{"a": 1}, BAD, BAD]),
        (b'[{"a":1}, {"a":2]}, {"a":3}]', [{"a": 1}, BAD, {"a": 3}]),
        (b'[{"a":1}, {"a":2]}}, {"a":3}]', [{"a": 1}, BAD, {"a": 3}]),
        (b"[1,,2]", [1, BAD, 2]),
        (b"[1,]", [1, BAD]),
        (b"[,]", [BAD, BAD]),
        (b"[1 2]", [BAD]),
        (b'[{"a":1} {"a":2}, 3]', [BAD, 3]),
        (b'[1, "a\nb", "\\ud800", NaN, 1e400, 9223372036854775808, 2]', [1, BAD, BAD, BAD, BAD, BAD, 2]),
        (b"[1, " + b"[" * 200 + b"]" * 200 + b", 2]", [1, BAD, 2]),
        (b"[1] x", [1, BAD]),
        (b'[1]\n[2]\n{"a":3}\n', [1, BAD]),
        (b"[1]]", [1, BAD]),
        (b"]", [BAD]),
        (b"}{}", [BAD]),
    ],
)
@pytest.mark.parametrize("packed", PACK)
def test_json_is_cut_into_its_records(tmp_path: Path, data: bytes, expected: list[Any], packed: str) -> None:
    records = found(tmp_path, f"a.json{packed}", PACK[packed](data))
    assert seen(records) == expected
    assert [each.number for each in records if isinstance(each, Record)] == list(range(1, len(records) + 1))
    for each in records:
        assert isinstance(each, Record)
        assert data[each.offset :].startswith(each.raw)
        if not isinstance(each.value, Rejected):
            assert again(".json", each.raw) == each.value


@pytest.mark.parametrize(
    ("data", "whole", "rest"),
    [
        (b"[", [], b""),
        (b"[1, 2", [1], b"2"),
        (b"[1, -", [1], b"-"),
        (b"[1, 1.", [1], b"1."),
        (b"[1, tru", [1], b"tru"),
        (b'[1, "a', [1], b'"a'),
        (b'[1, "a\\', [1], b'"a\\'),
        (b'[{"a":1},{"a":2', [{"a": 1}], b'{"a":2'),
        (b'[{"a":1},{"a":2}', [{"a": 1}, {"a": 2}], b""),
        (b'[{"a":1},{"a":2}\n', [{"a": 1}, {"a": 2}], b""),
        (b'[{"a":1},\n', [{"a": 1}], b""),
        (b'{"a":1}\n{"a":2', [{"a": 1}], b'{"a":2'),
        (b'{"a":1}\n{"a":"caf\xc3', [{"a": 1}], b'{"a":"caf\xc3'),
        (b'{"a":1}\n{', [{"a": 1}], b"{"),
        (b'{"a": "', [], b'{"a": "'),
    ],
)
def test_a_file_that_ends_inside_a_record_is_torn_while_it_can_grow(
    tmp_path: Path, data: bytes, whole: list[Any], rest: bytes
) -> None:
    plain = found(tmp_path, "a.json", data)
    assert seen(plain) == [*whole, "torn"]
    assert plain[-1].offset == len(data.rstrip() if rest else data) - len(rest)
    packed = found(tmp_path, "b.json.gz", gzip.compress(data))
    assert seen(packed) == [*whole, BAD]
    assert isinstance(packed[-1], Record)
    assert packed[-1].raw == rest


@pytest.mark.parametrize(
    "rest", [b'{"a": "x}, {"b": "y"}]', b'{"a": [}, {"b": 1}]', b'{"a" 1, {"b": 1}]', b'{"a": "\xff"', b"[" * 10**6]
)
def test_what_can_never_become_sound_is_not_waited_for(tmp_path: Path, rest: bytes) -> None:
    records = found(tmp_path, "a.json", b"[1," + rest)
    assert seen(records) == [1, BAD]
    assert isinstance(records[1], Record)
    assert records[1].raw == rest[: window.HEAD_BYTES]
    assert f"{len(rest)} bytes from here" in reason(records[1])


SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8) | st.text(
    '"\\[]{},:', max_size=5
)
VALUES = st.recursive(
    SCALARS | TEXTS,
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(TEXTS, inside, max_size=4),
    max_leaves=8,
)
BROKEN = st.sampled_from(
    [
        b"nope", b"01", b"1 2", b'{"a" 1}', b'{"a":1,"a":2}', b"[1}", b"{]", b'{"a":[1,]}', b'"\xff"', b'["a\nb"]',
        b"[NaN]", b"}", b'{"a":1]}}', b'"\\ud800"', b'{"a":"\\u0000"}', b"[1e999]", b"{'a':1}", b"//", b'"a" "b"',
    ]
)  # fmt: skip
SPACES = st.text(" \n\r\t", max_size=3).map(str.encode)


@st.composite
def elements(draw: st.DrawFn) -> tuple[bytes, bool]:
    """The text of a value, and whether it is sound; an unsound one still has its end."""
    if draw(st.integers(0, 3)) == 0:
        return draw(BROKEN), False
    raw = json.dumps(draw(VALUES), ensure_ascii=draw(st.booleans())).encode()
    return raw, True


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(elements(), SPACES, SPACES), max_size=8), st.integers(3, 40))
def test_each_element_of_an_array_is_one_record_and_bad_ones_have_sound_neighbours(
    tmp_path: Path, parts: list[tuple[tuple[bytes, bool], bytes, bytes]], block: int
) -> None:
    data = b"[" + b",".join(before + raw + behind for (raw, _), before, behind in parts) + b"]"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "BLOCK", block)  # so that borders fall everywhere
        records = found(tmp_path, "a.json", data)
    assert len(records) == len(parts)
    for record, ((raw, good), _, _) in zip(records, parts, strict=True):
        assert isinstance(record, Record)
        assert record.raw == raw
        assert data[record.offset : record.offset + len(raw)] == raw
        assert isinstance(record.value, Rejected) is not good
        assert not good or record.value == json.loads(raw)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.dictionaries(TEXTS, VALUES, max_size=3), SPACES), max_size=8), st.integers(3, 40))
def test_objects_behind_each_other_are_records(
    tmp_path: Path, parts: list[tuple[dict[str, Any], bytes]], block: int
) -> None:
    data = b"".join(json.dumps(value, ensure_ascii=False).encode() + space for value, space in parts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "BLOCK", block)
        records = found(tmp_path, "a.json", data)
    assert seen(records) == [value for value, _ in parts]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(TEXTS, VALUES, max_size=2), min_size=1, max_size=5), st.data())
def test_any_corruption_conserves_what_is_before_it(tmp_path: Path, values: list[Any], data: st.DataObject) -> None:
    raw = json.dumps(values).encode()
    at = data.draw(st.integers(1, len(raw) - 1))
    damaged = raw[:at] + data.draw(st.binary(min_size=1, max_size=3)) + raw[at + 1 :]
    records = found(tmp_path, "a.json", damaged)
    whole = sum(1 for record in found(tmp_path, "b.json", raw[:at]) if isinstance(record, Record))
    assert seen(records)[: max(0, whole - 1)] == values[: max(0, whole - 1)]
    assert all(isinstance(record, Torn) or damaged[record.offset :].startswith(record.raw) for record in records)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([".json", ".csv", ".tsv"]),
    st.integers(3, 20),
    st.binary(max_size=40) | st.text('[]{}",\\:1a\n\r\t', max_size=40).map(str.encode),
)
def test_no_bytes_are_too_strange_and_blocks_change_nothing(
    tmp_path: Path, suffix: str, block: int, data: bytes
) -> None:
    whole = found(tmp_path, f"a{suffix}", data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "BLOCK", block)
        assert found(tmp_path, f"a{suffix}", data) == whole
    for each in whole:
        if isinstance(each, Record) and not isinstance(each.value, Rejected):
            assert again(suffix, each.raw) == each.value


def test_a_record_that_is_too_large_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict, "RECORD_BYTES", 100_000)
    monkeypatch.setattr(window, "BLOCK", 1_000)
    large = b'{"a":"' + b"x" * 100_000 + b'"}'
    for data, expected in (
        (b"[1," + large + b",2]", [1, BAD, 2]),
        (b'{"b":1}' + large + b'{"b":2}', [{"b": 1}, BAD, {"b": 2}]),
        (b"[1," + large[:-2], [1, BAD]),
    ):
        records = found(tmp_path, "a.json", data)
        assert seen(records) == expected
        assert isinstance(records[1], Record)
        assert records[1].raw == large[: window.HEAD_BYTES]
        assert "sha256" in reason(records[1])
    assert f"{len(large)} bytes" in reason(found(tmp_path, "a.json", large)[0])


def test_memory_is_bounded_by_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict, "RECORD_BYTES", 2**20)
    for name, before, behind, expected in (
        ("a.json", b'[1,"', b'",2]', [1, BAD, 2]),
        ("b.json", b"[" * 100 + b'"', b'"' + b"]" * 100, [BAD]),
        ("a.csv", b'a,b\n1,2\n3,"', b'"\n5,6\n', [{"a": "1", "b": "2"}, BAD, {"a": "5", "b": "6"}]),
        ("b.csv", b"a,b\n1,2\n", b"\n5,6\n", [{"a": "1", "b": "2"}, BAD, {"a": "5", "b": "6"}]),
    ):
        path = hole(tmp_path / name, before, 32 * 2**20, behind)
        tracemalloc.start()
        assert seen(list(documents(path))) == expected
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
        tracemalloc.stop()


def hole(path: Path, before: bytes, size: int, behind: bytes) -> Path:
    """A file with many zero bytes in its middle, which take no room on the disk."""
    with path.open("wb") as handle:
        handle.write(before)
        handle.seek(size, os.SEEK_CUR)
        handle.write(behind)
    return path


GIANT = """
import sys
from pathlib import Path
from flywheel.ingest.documents import documents
from flywheel.ingest.reader import Rejected
print([isinstance(each.value, Rejected) for each in documents(Path(sys.argv[1]))])
print(int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is read from /proc")
@pytest.mark.parametrize(
    ("name", "before", "behind"), [("a.json", b'[1,"', b'",2]'), ("a.csv", b'a,b\n1,2\n3,"', b'"\n5,6\n')]
)
def test_a_record_of_a_gigabyte_takes_no_gigabyte(tmp_path: Path, name: str, before: bytes, behind: bytes) -> None:
    path = hole(tmp_path / name, before, 2**30, behind)
    ended = subprocess.run([sys.executable, "-c", GIANT, str(path)], check=True, capture_output=True, text=True)
    rejected, mebibytes = ended.stdout.splitlines()
    assert rejected == "[False, True, False]"
    assert int(mebibytes) < 400


# ---- compressed and broken ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.json.gz", json.dumps([{"n": n, "x": "y" * (n % 7)} for n in range(3_000)]).encode()),
        ("b.json.gz", b"".join(b'{"n":%d}\n' % n for n in range(3_000))),
        ("a.csv.gz", b"n,x\n" + b"".join(b'%d,"a\nb"\n' % n for n in range(3_000))),
    ],
)
def test_a_broken_stream_gives_its_whole_records_and_one_rejected(tmp_path: Path, name: str, data: bytes) -> None:
    packed = gzip.compress(data)
    whole = found(tmp_path, name, packed)
    assert len(whole) == 3_000
    for at in (len(packed) - 1, len(packed) // 2, 40, 11):
        records = found(tmp_path, name, packed[:at])
        assert records[:-1] == whole[: len(records) - 1]
        assert "truncated" in reason(records[-1])
        assert records[-1].offset <= len(data)
    behind = found(tmp_path, name, packed + b"garbage")
    assert behind[:-1] == whole
    assert "followed by something else" in reason(behind[-1])
    assert behind[-1].offset == len(data)


@pytest.mark.parametrize("behind", [b"", b"nonsense", b'{"b":', b'{"b": 2}'])
def test_a_break_is_one_rejected_record_wherever_it_is(tmp_path: Path, behind: bytes) -> None:
    records = found(tmp_path, "a.json.gz", gzip.compress(b'{"a": 1}\n' + behind, 0)[:-8])  # without its sum
    assert seen(records) == [{"a": 1}, *([{"b": 2}] if behind.endswith(b"}") else []), BAD]
    assert "truncated" in reason(records[-1])


def test_a_row_that_the_stream_breaks_is_no_row(tmp_path: Path) -> None:
    packed = gzip.compress(b"a,b\n1,2\n3,4567", 0)  # stored: each byte has its place
    records = found(tmp_path, "a.csv.gz", packed[:-10])
    assert seen(records) == [{"a": "1", "b": "2"}, BAD]
    assert isinstance(records[1], Record)
    assert records[1].raw == b"3,45"
    assert "truncated" in reason(records[1])


# ---- CSV ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"\n\r\n  \n", []),
        (b"  \n  \n", []),
        (b"\n \na,b\n1,2\n", [{"a": "1", "b": "2"}]),
        (b"a,b\n", []),
        (b"a,b", []),
        (b"a,b\n1,2\n", [{"a": "1", "b": "2"}]),
        (b"a,b\n1,2", [{"a": "1", "b": "2"}]),
        (b"\xef\xbb\xbfa,b\r\n1,2\r\n\r\n3,4\r\n", [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]),
        (b'a,b\n"1\n,""2""",\n', [{"a": '1\n,"2"', "b": ""}]),
        (b'"a\nb",c\n1,"2"', [{"a\nb": "1", "c": "2"}]),
        (b"a,b\n1\n1,2,3\n1,2\n", [BAD, BAD, {"a": "1", "b": "2"}]),
        (b"a,b\n\xff,1\n\x00,1\n1,2\n", [BAD, BAD, {"a": "1", "b": "2"}]),
        (b'a,b\n"1"x,2\n1,2\n', [BAD, {"a": "1", "b": "2"}]),
        (b'a,b\n5" pipe,2\n1,2\n', [{"a": '5" pipe', "b": "2"}, {"a": "1", "b": "2"}]),
        (b"a,b\n1\r5,2\n1,2\n", [BAD, {"a": "1", "b": "2"}]),
        (b"a,b\n1,\xc3\xa9\n,\n", [{"a": "1", "b": "é"}, {"a": "", "b": ""}]),
        (b"a,a\n1,2\n3,4\n", [BAD]),
        (b"\xff,a\n1,2\n3,4\n", [BAD]),
        (b"\x00,a\n1,2\n3,4\n", [BAD]),
    ],
)
@pytest.mark.parametrize("packed", PACK)
@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_rows_of_csv(tmp_path: Path, data: bytes, expected: list[Any], packed: str, suffix: str) -> None:
    if suffix == ".tsv":
        data = data.replace(b",", b"\t")
        expected = json.loads(json.dumps(expected).replace("\\n,", "\\n\\t"))
    (tmp_path / f"a{suffix}{packed}").write_bytes(PACK[packed](data))
    records = list(documents(tmp_path / f"a{suffix}{packed}", settled=True))
    assert seen(records) == expected
    for each in records:
        assert isinstance(each, Record)
        row = each.raw.removeprefix(data.removeprefix(b"\xef\xbb\xbf")[: each.raw.find(b"\n") + 1])
        assert row.split(b"\n")[-1] in data[each.offset :]
        value = again(suffix, each.raw)
        assert isinstance(value, Rejected) if isinstance(each.value, Rejected) else value == each.value


@pytest.mark.parametrize("data", [b"a,b\n1,2\n3,hel", b'a,b\n1,2\n3,"hel"', b'a,b\n1,2\n"3'])
def test_a_last_row_without_its_newline_may_go_on_until_the_file_is_settled(data: bytes, tmp_path: Path) -> None:
    first, torn = found(tmp_path, "a.csv", data)
    assert (first.value, torn) == ({"a": "1", "b": "2"}, Torn(8))  # pyright: ignore[reportAttributeAccessIssue]
    settled = list(documents(tmp_path / "a.csv", settled=True))
    assert seen(settled[1:]) == ([{"a": "3", "b": "hel"}] if b"hel" in data else ["torn"])


def test_a_row_has_its_offset_and_can_be_read_alone(tmp_path: Path) -> None:
    data = b'a,"b\n"\r\n1,"x\ny"\r\n22,z\n3,4,5\n'
    records = found(tmp_path, "a.csv", data)
    assert [(each.offset, each.raw) for each in records if isinstance(each, Record)] == [
        (8, b'a,"b\n"\n1,"x\ny"'),
        (17, b'a,"b\n"\n22,z'),
        (22, b'a,"b\n"\n3,4,5'),
    ]
    assert "3 cells under a header of 2" in reason(records[2])


@pytest.mark.parametrize("data", [b'a,b\n1,2\n3,"4\n5,6\n', b'a,b\n1,2\n"', b'a,b\n1,2\n3,"4""'])
def test_open_quotes_are_torn_while_the_file_can_grow(tmp_path: Path, data: bytes) -> None:
    plain = found(tmp_path, "a.csv", data)
    assert seen(plain) == [{"a": "1", "b": "2"}, "torn"]
    assert plain[1].offset == 8
    packed = found(tmp_path, "a.csv.gz", gzip.compress(data))
    assert seen(packed) == [{"a": "1", "b": "2"}, BAD]
    assert "inside quotes" in reason(packed[1])


@pytest.mark.parametrize("row", [b"3," + b"x" * 5_000, b'3,"' + b"x\n" * 5_000 + b'"', b'"3\n",' + b"y" * 5_000])
def test_a_row_that_is_too_large_is_skipped_and_its_beginning_is_never_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: bytes
) -> None:
    monkeypatch.setattr(strict, "RECORD_BYTES", 1_000)
    monkeypatch.setattr(window, "HEAD_BYTES", 100)
    records = found(tmp_path, "a.csv", b"a,b\n1,2\n" + row + b"\n5,6\n")
    assert seen(records) == [{"a": "1", "b": "2"}, BAD, {"a": "5", "b": "6"}]
    assert isinstance(records[1], Record)
    assert isinstance(again(".csv", records[1].raw), Rejected)


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=6) | st.text(
    '",\n\t', max_size=4
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(CELLS, CELLS), max_size=8), st.integers(3, 40), st.sampled_from(["\n", "\r\n"]))
def test_every_row_that_csv_writes_is_read(
    tmp_path: Path, rows: list[tuple[str, str]], block: int, newline: str
) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator=newline).writerows([("one", "two"), *rows])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "BLOCK", block)
        records = found(tmp_path, "a.csv", text.getvalue().encode())
    assert seen(records) == [{"one": one, "two": two} for one, two in rows]
    assert [again(".csv", each.raw) for each in records if isinstance(each, Record)] == seen(records)


def test_a_row_of_a_million_cells_takes_no_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "BLOCK", 2**16)
    assert "1000001 cells" in reason(found(tmp_path, "a.csv", b"a,b\n" + b"," * 10**6 + b"\n")[0])


# ---- Parquet --------------------------------------------------------------------------------------------------------


def parquet(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


def test_rows_of_parquet_are_what_json_says(tmp_path: Path) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=UTC)
    path = parquet(
        tmp_path / "a.parquet",
        {
            "text": ["é", None],
            "number": [2**63 - 1, None],
            "real": [0.1, float("nan")],
            "zoned": pa.array([at, None], pa.timestamp("us", "UTC")),
            "there": pa.array([at, None], pa.timestamp("us", "Europe/Rome")),
            "naive": pa.array([datetime(2026, 1, 2), None], pa.timestamp("ms")),  # noqa: DTZ001
            "fine": pa.array([1, None], pa.timestamp("ns", "UTC")),
            "day": [date(2026, 1, 2), None],
            "price": [Decimal("1.10"), None],
            "turns": [[{"role": "user", "at": at}], None],
        },
    )
    first, second = documents(path)
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    assert first.value == {
        "text": "é",
        "number": 2**63 - 1,
        "real": 0.1,
        "zoned": "2026-01-02T03:04:05.000600Z",
        "there": "2026-01-02T04:04:05.000600+01:00",
        "naive": "2026-01-02T00:00:00",
        "fine": "1970-01-01T00:00:00.000000001+00:00",
        "day": "2026-01-02",
        "price": "1.10",
        "turns": [{"role": "user", "at": "2026-01-02T03:04:05.000600Z"}],
    }
    assert second.value == dict.fromkeys(first.value)
    assert (first.offset, first.number, second.offset, second.number) == (1, 1, 2, 2)
    assert [again(".parquet", each.raw) for each in (first, second)] == [first.value, second.value]
    assert list(json.loads(first.raw)) == sorted(first.value)


@pytest.mark.parametrize(
    ("cell", "word"),
    [
        (b"abc", "bytes"),
        (float("inf"), "infinite"),
        ([{"x": -float("inf")}], "infinite"),
        (timedelta(1), "timedelta"),
        ("a\0b", "NUL"),
        (pa.scalar(2**63, pa.uint64()), "64 bits"),
        ("x" * (strict.RECORD_BYTES + 1), "bytes, more than"),
    ],
)
def test_a_row_that_json_cannot_say_is_refused_alone(tmp_path: Path, cell: Any, word: str) -> None:
    column = (
        pa.array([None, cell, None]) if not isinstance(cell, pa.Scalar) else pa.array([1, cell.as_py(), 2], cell.type)
    )
    records = list(documents(parquet(tmp_path / "a.parquet", {"a": column})))
    assert seen(records)[::2] == [{"a": column[0].as_py()}, {"a": column[2].as_py()}]
    assert word in reason(records[1])
    assert isinstance(records[1], Record)
    assert len(records[1].raw) <= window.HEAD_BYTES
    assert isinstance(again(".parquet", records[1].raw), Rejected)


def test_a_parquet_file_that_cannot_be_read_is_one_rejected_record(tmp_path: Path) -> None:
    good = parquet(tmp_path / "good.parquet", {"a": range(1_000)}).read_bytes()
    for name, data in {
        "cut.parquet": good[:-100],
        "half.parquet": good[: len(good) // 2],
        "text.parquet": b"hello",
        "packed.parquet.gz": gzip.compress(good),
        "hidden.parquet": gzip.compress(good),
    }.items():
        records = found(tmp_path, name, data)
        assert seen(records) == [BAD], name
        assert isinstance(records[0], Record)
        assert records[0].raw == data[: window.HEAD_BYTES]
        assert ("a compressed Parquet file" in reason(records[0])) is name.endswith(".gz")
    assert found(tmp_path, "empty.parquet", b"") == []


def test_rows_before_the_damage_are_read(tmp_path: Path) -> None:
    texts = [random.Random(n).randbytes(20).hex() for n in range(4_000)]
    path = parquet(tmp_path / "a.parquet", {"a": texts}, row_group_size=1_000, compression="zstd", use_dictionary=False)
    data = bytearray(path.read_bytes())
    start = pq.read_metadata(path).row_group(2).column(0).data_page_offset
    data[start : start + 2_000] = bytes(2_000)
    records = found(tmp_path, "b.parquet", bytes(data))
    assert seen(records) == [*({"a": text} for text in texts[:2_000]), BAD]
    assert "from row 2001 on" in reason(records[-1])


def test_two_columns_of_one_name_make_a_file_unreadable(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"]), tmp_path / "a.parquet")
    (record,) = documents(tmp_path / "a.parquet")
    assert "one name" in reason(record)


def test_an_empty_table_has_no_records(tmp_path: Path) -> None:
    assert list(documents(parquet(tmp_path / "a.parquet", {"a": pa.array([], pa.int64())}))) == []


# ---- the whole ------------------------------------------------------------------------------------------------------


def test_a_file_that_is_gone_says_so(tmp_path: Path) -> None:
    for name in ("a.json", "a.csv.gz", "a.parquet"):
        with pytest.raises(FileNotFoundError):
            list(documents(tmp_path / name))


def test_a_suffix_nobody_knows_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.xml"):
        found(tmp_path, "a.xml.gz", b"")


REAL = {
    "tau_bench/gpt-4o-airline.json": 200,
    "pandalm/testset-v1.json": 999,
    "creativity_eval/W3_edits.json": 50,
    "creativity_eval/W12_edits.json": 50,
    "creativity_eval/W16_edits.json": 50,
    "realhumaneval/chat_data.csv": 1_055,
}


@pytest.mark.skipif("FLYWHEEL_REAL_DATA" not in os.environ, reason="FLYWHEEL_REAL_DATA names no folder of real logs")
@pytest.mark.parametrize(("name", "records"), REAL.items())
def test_real_files_have_so_many_records_and_none_is_bad(name: str, records: int) -> None:
    path = Path(os.environ["FLYWHEEL_REAL_DATA"]) / name
    values = [each.value for each in documents(path) if isinstance(each, Record)]
    assert len(values) == records
    assert not any(isinstance(value, Rejected) for value in values)
    if path.suffix == ".json":
        assert values == json.loads(path.read_bytes())
    else:
        with path.open(newline="") as handle:
            assert values == list(csv.DictReader(handle))
