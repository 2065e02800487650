"""A million damaged records, bombs and endless records: all accounted for, in less than a gigabyte of memory."""

import gzip
import json
import random
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from flywheel.ingest.parts import AHEAD, understood
from flywheel.ingest.reader import Rejected
from flywheel.ingest.readers import FORMATS, reader_for
from flywheel.ingest.strict import RECORD_BYTES, decode
from flywheel.lake import Lake
from flywheel.settings import Source
from tests.flywheel.ingest.apart import accounted, ingested
from tests.flywheel.ingest.logs import NOW, rated
from tests.flywheel.ingest.test_streams import zstd
from tests.flywheel.ingest.test_tau import RUN
from tests.flywheel.ingest.test_tensorzero import TABLES

MEMORY = 1024  # MiB, of all an ingest does

# ---- damaged records ------------------------------------------------------------------------------------------------

TOKENS = [
    b"\0", b"\\u0000", b"\\ud800", b"\xff", b"\xc0\xaf", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\r", b"\n", b"\r\n", b"\\",
    b'"', b"'", b"{", b"}", b"[", b"]", b",", b":", b"[" * 101, b'{"a":' * 101, b"NaN", b"-Infinity", b"1e999", b"-0",
    b"9223372036854775808", b"1" * 400, b"null", b"true", b'"v":1,', b'"id":"a",', b'"at":0,', b'"":', b"\\u0022",
    b"0000-00-00T00:00:00Z", b"9999-12-31T23:59:59.999999Z", "\u2028\u202e\U0010ffff".encode(), b"x" * 5000, b"%s",
]  # fmt: skip
RESPONSE = {"v": 1, "kind": "response", "id": "r", "at": "2026-01-05T09:30:00Z", "workload": "drafts", "parent": "p"}
RESPONSE |= {"prompt": [{"role": "user", "content": "Why?"}], "text": "So.", "model": "m", "tokens_in": 7, "cost": 0.1}
ROW = {"id": "1", "prompt": "Why?", "response": "So.", "user": "u", "rating": 1, "created_at": "2026-01-05T09:30:00Z"}
WHOLE = {
    "native": [rated("a"), rated("b", -1, comment="né", tags={"lang": "en"}), json.dumps(RESPONSE).encode() + b"\n"],
    "tensorzero": [json.dumps(table).encode() + b"\n" for table in TABLES],
    "tau": [json.dumps(RUN).encode() + b"\n"],
    "table": [json.dumps(ROW).encode() + b"\n", b'{"prompt":[{"role":"user","content":"?"}],"response":null}\n'],
}
CELLS = [b"1,Why?,So.,u,1\n", b'2,"a ""b""\n",c,,-1\n']


def damaged(chance: random.Random, records: Sequence[bytes]) -> bytes:
    """One of the records with some of its bytes changed, cut out, doubled, exchanged for another's or put in."""
    record = chance.choice(records)
    start = chance.randrange(len(record))
    end = min(len(record), start + chance.choice((1, 1, 3, 20, 500)))
    match chance.randrange(6):
        case 0:
            return record[:start] + bytes([record[start] ^ 1 << chance.randrange(8)]) + record[start + 1 :]
        case 1:
            return record[:start] + record[end:]
        case 2:
            return record[:end] + record[start:]
        case 3:
            other = chance.choice(records)
            return record[:start] + other[chance.randrange(len(other)) :]
        case _:
            return record[:start] + chance.choice(TOKENS) + record[chance.choice((start, end)) :]


def write_damaged(
    home: Path, sources: Sequence[Source], many: int, chance: random.Random
) -> dict[str, tuple[int, int]]:
    """Files of every format; of those whose records are lines, how many they are, and how many of them are bad."""
    lines: dict[str, tuple[int, int]] = {}
    readers = {source.name: reader_for(source) for source in sources}
    for name, share in (("native", 0.65), ("tensorzero", 0.1), ("tau", 0.03), ("table", 0.1)):
        data = b"".join(damaged(chance, WHOLE[name]) for _ in range(int(many * share))) + b"\n"
        found = [understood(decode(line), readers[name], NOW + AHEAD) for line in data.split(b"\n") if line.strip()]
        lines[f"{name}/a.jsonl"] = len(found), sum(isinstance(each, Rejected) for each in found)
        (home / name).mkdir(parents=True)
        (home / name / "a.jsonl").write_bytes(data)
    for number in range(int(many * 0.06 / 100)):  # where one record may take those behind it with it
        rows = b"".join(damaged(chance, CELLS) for _ in range(100))
        (home / "table" / f"{number}.csv").write_bytes(b"id,prompt,response,user,rating\n" + rows)
        elements = b",".join(damaged(chance, WHOLE["native"]) for _ in range(100))
        (home / "native" / f"{number}.json").write_bytes(b"[" + elements + b"]")
    return lines


@pytest.mark.parametrize(
    ("many", "seed"),
    [(20_000, 1), pytest.param(1_000_000, 2, marks=pytest.mark.slow)],
    ids=["20 thousand", "a million"],
)
def test_damaged_records_are_all_accounted_for(many: int, seed: int, tmp_path: Path) -> None:
    mapped = [Source(name=name, path=f"{{home}}/{name}", format=name, workload="drafts") for name in FORMATS]
    lines = write_damaged(tmp_path, mapped, many, random.Random(seed))
    taken, peak = ingested(tmp_path, mapped)
    files = Lake(tmp_path).read("ingest_files").group_by("file").agg(pl.col("records", "quarantined").sum())
    assert {name: files.filter(file=name).row(0)[1:] for name in lines} == lines
    assert taken.records == taken.accepted + taken.repeated + taken.quarantined
    assert taken.quarantined > many / 3
    assert taken.accepted > many / 100
    accounted(tmp_path)
    assert peak < MEMORY


# ---- bombs and endless records --------------------------------------------------------------------------------------

PACK = {"gz": lambda data: gzip.compress(data, 9), "zst": zstd}
BOMBS = {"zeros": (b"", b"\0"), "line": (b'{"id":"', b"x"), "empty": (b"", b"\n"), "blank": (b"", b" \n")}


def test_bombs_are_stopped_in_bounded_memory(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for form, pack in PACK.items():
        for name, (begin, again) in BOMBS.items():
            packed = pack(rated(f"{name}-{form}") + begin) + pack(again * (2**24 // len(again))) * 12
            (tmp_path / "logs" / f"{name}.jsonl.{form}").write_bytes(packed)
    taken, peak = ingested(tmp_path, [Source(name="app", path="{home}/logs")])
    assert (taken.accepted, taken.quarantined) == (len(PACK) * len(BOMBS), len(PACK) * len(BOMBS))
    assert all("a bomb: it expands to more than" in reason for reason in Lake(tmp_path).read("quarantine")["reason"])
    assert peak < MEMORY


LARGE = 5 * 2**24


def sparse(path: Path, before: bytes, size: int, after: bytes) -> None:
    """A file that holds zeros between two ends, which take no room on the disk."""
    path.write_bytes(before)
    with path.open("r+b") as handle:
        handle.seek(len(before) + size)
        handle.write(after)


@pytest.mark.parametrize("size", [LARGE, pytest.param(2**30, marks=pytest.mark.slow)], ids=["short", "long"])
def test_an_endless_record_is_set_aside_in_bounded_memory(size: int, tmp_path: Path) -> None:
    one, two = rated("one"), rated("two")
    logs = tmp_path / "logs"
    logs.mkdir()
    sparse(logs / "closed.jsonl", one + b'{"id":"', size, b'"}\n' + two)
    sparse(logs / "open.jsonl", one + b'{"id":"', LARGE, b"")
    sparse(logs / "closed.json", b"[" + one + b',{"id":"', LARGE, b'"},' + two + b"]")
    sparse(logs / "open.json", b"[" + one + b',{"id":"', size, b"x")
    sparse(logs / "closed.csv", b'prompt,response\n1,a\n2,"', LARGE, b'"\n3,b\n')
    sparse(logs / "open.csv", b'prompt,response\n4,a\n5,"', LARGE, b"x")
    taken, peak = ingested(tmp_path, [Source(name="app", path="{home}/logs", workload="drafts")])
    assert (taken.accepted, taken.repeated, taken.quarantined, taken.pending) == (5, 4, 5, 1)
    bad = Lake(tmp_path).read("quarantine")
    assert all(f"more than {RECORD_BYTES}; its sha256 is" in reason for reason in bad["reason"])
    assert bad["raw"].bin.size("kb").max() <= 64
    assert peak < MEMORY


@pytest.mark.slow
def test_lines_of_a_byte_take_no_more_memory_than_others(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.jsonl").write_bytes(b"1\n" * 1_500_000)
    taken, peak = ingested(tmp_path, [Source(name="app", path="{home}/logs")])
    assert (taken.records, taken.quarantined) == (1_500_000, 1_500_000)
    assert peak < MEMORY
