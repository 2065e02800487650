"""The fast way and the exact way of reading a native log are one: the same rows, the same rejections, for any bytes."""

import dataclasses
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from flywheel.capture.events import (
    Accepted,
    Edited,
    Event,
    Message,
    Outcome,
    Rated,
    Response,
    Retrieval,
    Shown,
    ToolCall,
    as_record,
)
from flywheel.capture.writer import Writer
from flywheel.ingest import fast, parts, strict
from flywheel.ingest.chunks import Chunk, chunks
from flywheel.ingest.files import File
from flywheel.ingest.reader import Rejected
from flywheel.ingest.readers.native import native
from flywheel.ingest.rows import frame, row, sealed
from flywheel.ingest.strict import decode
from flywheel.settings import Source
from tests.flywheel.capture.made import EVENTS
from tests.flywheel.ingest.logs import NOW

SALT = "salt"
Bad = list[tuple[int, int, str, bytes]]

# ---- both ways ------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True, scope="module")
def even_a_few_lines_are_read_fast() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "FEW", 0)
        yield


def chunk_of(folder: Path, data: bytes) -> Chunk:
    path = folder / "x.jsonl"
    path.write_bytes(data)
    (chunk,) = chunks([File(Source(name="app", path="*", format="native"), "x.jsonl", path)], {})
    return chunk


def at_once(chunk: Chunk) -> tuple[pl.DataFrame, Bad]:
    """What the product makes of a chunk, in the order of the lines."""
    part = parts.read(chunk, now=NOW, salt=SALT)
    found = part.rows.with_columns(record=part.records).sort("record")
    return found, list(part.bad.sort("record").select("record", "offset", "reason", "raw").iter_rows())


def one_by_one(data: bytes) -> tuple[pl.DataFrame, Bad]:
    """What the exact reader says of each line."""
    rows, records, bad, offset, number = [], [], [], 0, 0
    for line in data.split(b"\n"):
        if line.strip():
            number += 1
            value = decode(line)
            events = value if isinstance(value, Rejected) else native(value)
            made = [] if isinstance(events, Rejected) else [row(event) for event in events]
            if isinstance(events, Rejected):
                bad.append((number, offset, events.reason, line))
            elif made[0]["time"] > NOW + timedelta(days=1):
                reason = f"field at: more than a day ahead of the clock; saw `{made[0]['time'].isoformat()}`"
                bad.append((number, offset, reason, line))
            else:
                rows += made
                records.append(number)
        offset += len(line) + 1
    found = sealed(frame(rows), "app", SALT)[0]
    return found.with_columns(record=pl.Series(records, dtype=pl.UInt32)), bad


def agree(folder: Path, lines: Sequence[bytes]) -> bool:
    """Whether both ways find the same rows and reject the same lines, each for the same reason."""
    data = b"\n".join([b"{}", *lines, b""])  # whatever the lines begin with, this is a plain file
    expected, bad = one_by_one(data)
    found, found_bad = at_once(chunk_of(folder, data))
    assert found_bad == bad
    assert_frame_equal(found, expected, check_exact=True)
    floats = [name for name in fast.NUMBERS if found.schema.get(name) == pl.Float64]
    return all(found[name].to_arrow() == expected[name].to_arrow() for name in floats)


# ---- spellings of a record ------------------------------------------------------------------------------------------

TIMES: list[Any] = [
    "2026-01-05T09:30:00Z", "2026-01-05T09:30:00.5Z", "2026-01-05T09:30:00.123456Z", "2026-01-05T09:30:00.1234567Z",
    "2026-01-05T09:30:00.999999999Z", "2026-01-05T09:30:00.9999995Z", "2026-01-05T11:30:00+02:00",
    "2026-01-05t09:30:00z",
    "2026-01-05T09:30:00-00:00", "2026-01-05 09:30:00Z", "2026-01-05T09:30:00", "2026-01-05T09:30Z", "2026-01-05",
    "2026-01-05T24:00:00Z", "2026-01-05T23:59:60Z", "2026-02-29T00:00:00Z", "2024-02-29T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00Z", "0999-12-31T23:59:59Z", "1582-10-10T00:00:00Z", "9999-12-31T23:59:59.999999Z",
    "2026-02-02T00:00:00Z", "2026-02-02T00:00:00.000001Z", "2026-01-05T09:30:00+0200", "2026-01-05T09:30:00+02",
    "2026-01-05T09:30:00 Z", " 2026-01-05T09:30:00Z", "2026-1-5T09:30:00Z", "+2026-01-05T09:30:00Z",
    "-0001-01-01T00:00:00Z",
    "2026-01-05T09:30:00.Z", "2026-13-05T09:30:00Z", "2026-01-05T09:30:00Z\n", "2026-01-05T09:30:00 UTC",
    "infinity", "epoch",
    "1969-12-31T23:59:59.5Z", "٢٠٢٦-01-05T09:30:00Z", "2026-01-05T09:30:00+23:59", "2026-01-05T09:30:00-24:00",
    1767605400,
]  # fmt: skip
NUMBERS = [
    "0", "-0", "-0.0", "1", "1.0", "1e2", "1E+2", "1e-2", "100", "0.1", "0.30000000000000004", "1e-400",
    "5e-324", "1e308",
    "1.7976931348623157e308", "1.7976931348623159e308", "1e309", "-1e400", "9007199254740993", "9223372036854775807",
    "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551615",
    "18446744073709551616",
    "9223372036854775807.0", "9e18", "8.999e18", "1.5", "01", "+1", ".5", "1.", "0x10", "1_000", "NaN", "-NaN",
    "Infinity", "nan",
    "-Infinity", "1e", "1e+", "--1", "1" + "0" * 400, "0." + "1" * 50, "123456789012345678901234567890e-29",
    "2.5", "1e0", "3.0",
    "2.2250738585072011e-308", "0.1000000000000000055511151231257827", "-1", "5", "1e-1", "true", '"1"', "null",
]  # fmt: skip
VALUES = [
    "null", "true", "false", '""', '"x"', "[]", "{}", "[1]", '["a"]', "[null]", '{"a":"b"}', '{"a":1}',
    '{"a":null}', "{\"a\":{}}",
    '{"a":"b","a":"c"}', '[{"a":1,"a":2}]', '{"role":"user","content":"?"}', '[{"role":"user","content":"?"}]',
    "[[]]", "[{}]",
    '[{"content":"?","role":"user"}]', '[{"role":"user","content":"?","name":"x"}]', '[{"role":"user"}]',
    '[{"content":"?"}]',
    '[{"role":null,"content":"?"}]', '[{"role":"user","content":null}]', '[{"role":"user","content":5}]',
    "[5]", '["?"]',
    '[{"role":"user","content":"?"},null]', '[null,{"role":"user","content":"?"}]',
    '[{"role":"user","role":"x","content":"?"}]',
    '[{"role":"user","content":"?","content":"!"}]', '[{"role":"user","content":["?"]}]',
    '[{"role":"user","content":{"a":"?"}}]',
    '[{"role":"user","content":",null"}]', '[{"role":"user","content":"[null :null"}]',
    '[{"Role":"user","content":"?"}]',
    '[{"role":"user","content":"?"},]', '[{"role":"user","content":"?"} ]', '[ {"role":"user","content":"?"}]',
    '"[]"', '"{}"',
    '[{"role":"user","content":true}]', '[{"role":"user","content":1.5},{"role":"user","content":"?"}]',
    '"a\\u0000b"', '"\\ud800"',
    '"\\ud83d\\ude00"', '"\\ude00\\ud83d"', '"\\u001b[1m"', '"\\u000b"', '"\\u0008"',
    '"\\b\\f\\n\\r\\t\\/\\\\\\""', '"\\u007f"',
    '"\x7f"', '"\u2028"', '"\u2029\\u2028"', '"\\u003a"', '"a\\u003Ab"', '"\\x41"', '"\\u00g0"', '"\\u12"',
    '"\t"', '"\x1f"', '"\\\\u0000"',
    '"\\u0000"', '"\\\\\\u0000"', '"\ufeff"', '"\ufffe\uffff"', '"\U0010ffff"', '{"":1}', '{"\\u0061":"1"}',
    '{"a":"1","\\u0061":"2"}',
    "{\"b\":\"1\",\"a\":\"2\"}", "[" * 99 + "]" * 99, "[" * 98 + "]" * 98, "[" * 100 + "]" * 100,
    '{"a":' * 98 + "1" + "}" * 98,
    '{"a":' * 99 + "1" + "}" * 99, '{"a":' * 100 + "1" + "}" * 100, '{"é":"ü"}', '{"a":1e400}',
    '{"a":9223372036854775808}',
    '{"a":18446744073709551616}', '{"a":-0.0}', '{"a":1.0}', '{"a":1e2}', '{"a":[1,]}', '{"a":1,}', "{'a':1}",
    '{"a":NaN}',
    '["a","b"]', '["b","a"]', '["a",1]', "undefined", "None", "True", "//x\n1", "/**/1", "'x'", "[1 2]", '["\\u0061"]',
    '{"mail":"ana@example.org"}', '"ana@example.org"', '"sk-abcdefghijklmnopqrstuvwx1234"', '"+49 30 901820"',
    '{"tensorzero":"DE89 3704 0044 0532 0130 00"}', "1.0", "1", "2", "1e0", "[,]", "{,}", '"a" "b"', "",
]  # fmt: skip
SPACES = ["", "", "", " ", "  ", "\t", "\r"]
UNKNOWN = [
    "surprise",
    "",
    "At",
    "at ",
    "comment",
    "prompt",
    "text",
    "value",
    "v",
    "kind",
    "tokens_in",
    "$.x",
    "a.b",
    '"',
]
TAILS = [" ", "\r", "\t\r", ",", "}", "{}", " x", "\x00", "\x0b", "\ufeff", "//x", "]"]
HEADS = [" ", "\t", "\ufeff", "\ufeff\ufeff", " \ufeff", "\x0c", "\u00a0", "[", ",", "\r"]


def string(value: str, chance: random.Random) -> str:
    """A JSON string, its characters escaped in any of the ways there are."""

    def one(character: str) -> str:
        plain = json.dumps(character, ensure_ascii=False)[1:-1]
        if ord(character) > 0xFFFF:
            return chance.choice(
                [plain, json.dumps(character)[1:-1], json.dumps(character)[1:-1].upper().replace("U", "u")]
            )
        odd = [f"\\u{ord(character):04x}", f"\\u{ord(character):04X}", "\\/" if character == "/" else plain]
        return chance.choice([plain, plain, *odd])

    return '"' + "".join(map(one, value)) + '"'


def spelled(value: Any, chance: random.Random) -> str:
    """JSON of a value in one of its many spellings; text in it that begins with NUL is JSON already."""
    space = chance.choice(SPACES)
    if isinstance(value, str):
        return value[1:] if value.startswith("\0") else string(value, chance)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return chance.choice([f"{value}", f"{int(value)}", f"{value:e}"])
    if isinstance(value, list):
        return "[" + ",".join(space + spelled(each, chance) + space for each in value) + space + "]"
    if isinstance(value, dict):
        pairs = [(string(name, chance), spelled(inside, chance)) for name, inside in value.items()]
        chance.shuffle(pairs)
        return "{" + space + f"{space},{space}".join(f"{name}{space}:{space}{inside}" for name, inside in pairs) + "}"
    return json.dumps(value)


def bare(event: Event) -> dict[str, Any]:
    """Every field of an event, those at their default too."""
    return {"kind": event.kind} | dataclasses.asdict(event)


def twice(written: str, name: str, value: str, chance: random.Random) -> str:
    """The same key once more, before the others or after them."""
    more = f"{string(name, chance)}:{value}"
    inside = written[written.index("{") + 1 : written.rindex("}")]
    return "{" + (f"{more},{inside}" if chance.random() < 0.5 else f"{inside},{more}") + "}"


def changed(record: dict[str, Any], chance: random.Random) -> str:
    """The record with one thing about it odd, most often one that makes it unsound."""
    names = sorted(record)
    name, raw = chance.choice(names), chance.choice(VALUES)
    match chance.randrange(9):
        case 0:
            return spelled({**record, name: "\0" + raw}, chance)
        case 1:
            return spelled({**record, "at": chance.choice(TIMES)}, chance)
        case 2:
            numbers = [each for each in fast.NUMBERS if each in record] or ["v"]
            return spelled({**record, chance.choice(numbers): "\0" + chance.choice(NUMBERS)}, chance)
        case 3:
            return spelled({each: record[each] for each in names if each != name}, chance)
        case 4:
            return twice(spelled(record, chance), name, chance.choice([raw, json.dumps(record[name])]), chance)
        case 5:
            return spelled({**record, chance.choice(UNKNOWN): "\0" + raw}, chance)
        case 6:
            deep = [each for each in ("prompt", "tags", "arguments", "documents") if each in record] or ["tags"]
            return spelled({**record, chance.choice(deep): "\0" + raw}, chance)
        case 7:
            return chance.choice(HEADS) + spelled(record, chance)
        case _:
            return spelled(record, chance) + chance.choice(TAILS)


def mutated(line: bytes, chance: random.Random) -> bytes:
    """A few bytes replaced, left out, put in or put twice."""
    for _ in range(chance.randint(1, 3)):
        at, end = sorted(chance.choices(range(len(line) + 1), k=2))
        end = min(end, at + chance.choice([0, 1, 1, 2, 30]))
        odd = [
            bytes([chance.randrange(256)]),
            chance.choice([b",", b'"', b"\\", b"}", b"[", b":", b"0", b"null", b"\\u0000"]),
        ]
        line = line[:at] + chance.choice([b"", *odd, line[at:end] * 2]) + line[end:]
    return line


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """A line of a log: an event as it is, spelled in any way, odd, or damaged."""
    event, chance = draw(EVENTS), random.Random(draw(st.integers(0, 2**32)))
    record = chance.choice([as_record, bare])(event)
    if chance.random() < 0.8:  # most logs have no control characters and are not a thousand years old
        record = json.loads(
            re.sub(r"(?<!\\)((?:\\\\)*)\\u00[01].", r"\1", json.dumps({**record, "at": "2025-12-31T23:59:59.999999Z"}))
        )
    written = json.dumps(record, ensure_ascii=chance.random() < 0.5, separators=chance.choice([(",", ":"), None]))
    way = chance.randrange(8)
    if way == 0:
        return written.encode()
    if way == 1:
        return mutated(written.encode(), chance)
    return (spelled(record, chance) if way < 4 else changed(record, chance)).encode("utf-8", "surrogatepass")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(several=st.lists(lines(), min_size=1, max_size=12))
def test_both_ways_come_to_the_same(several: list[bytes], tmp_path: Path) -> None:
    assert agree(tmp_path, [line for each in several for line in each.split(b"\n")])


# ---- one odd thing at a time ----------------------------------------------------------------------------------------

ABOUT: dict[str, Any] = {"id": "1", "at": "2026-01-05T09:30:00.000000Z", "workload": "drafts", "user": "u"}
PROMPT = [Message(role="system", content="Be brief."), Message(role="user", content="Wo ist „48213“? 🙂\n\t\\")]
BRIEF: list[Event] = [
    Response(**ABOUT, parent="p", prompt=PROMPT, text="!", model="m"),
    Shown(**ABOUT, answer="a"),
    Edited(**ABOUT, answer="a", text="Gern, „48213“ kommt.\n"),
    Accepted(**ABOUT, answer="a"),
    Rated(**ABOUT, answer="a", value=-1),
    ToolCall(**ABOUT, answer="a", name="t"),
    Retrieval(**ABOUT, answer="a", query="q"),
    Outcome(**ABOUT, name="n", value=2),
]
MORE: dict[str, Any] = {
    "conversation": "c",
    "component": "k",
    "tenant": "t",
    "tags": {"b": "2", "a": "1"},
    "may_train": False,
}
EXTRA: dict[str, dict[str, Any]] = {
    "response": {
        **{"model_version": "7", "prompt_version": "8", "arm": "b", "propensity": 0.25, "refused": False},
        **{"tokens_in": 12, "tokens_out": 0, "cost": 1e-06, "latency_ms": 812.5},
    },
    "shown": {"visible": False, "dwell_ms": 1500.0},
    "edited": {},
    "accepted": {"how": "sent"},
    "rated": {"comment": "zu „lang“", "name": "tone"},
    "tool_call": {"arguments": {"n": [1, {"b": 2.5, "a": None}]}, "text": "r", "error": "e", "latency_ms": 3.0},
    "retrieval": {"documents": ["b", "a"], "empty": True},
    "outcome": {"answer": "a"},
}
FULL = [dataclasses.replace(each, **MORE, **EXTRA[each.kind]) for each in BRIEF]


@pytest.mark.parametrize("event", FULL, ids=lambda event: event.kind)
def test_every_odd_value_under_every_key_is_read_the_same_way(event: Event, tmp_path: Path) -> None:
    record = bare(event)
    odd = {name: VALUES for name in [*record, *UNKNOWN]}
    odd |= {name: NUMBERS for name in ("v", *fast.NUMBERS) if name in record}
    odd["at"] = [*odd["at"], *map(json.dumps, TIMES)]
    plain = {name: json.dumps(value) for name, value in record.items()}
    written = [{**plain, name: raw} for name, values in odd.items() for raw in values]
    together = [_object(each).encode("utf-8", "surrogatepass") for each in written]
    assert agree(tmp_path, together)
    assert agree(tmp_path, [line for line in together if not isinstance(decode(line), Rejected)])
    assert agree(tmp_path, [line for line in together if lenient(line)])


@pytest.mark.parametrize("event", FULL, ids=lambda event: event.kind)
def test_what_is_missing_twice_or_around_a_record_is_read_the_same_way(event: Event, tmp_path: Path) -> None:
    plain = {name: json.dumps(value) for name, value in bare(event).items()}
    whole = _object(plain)
    without = [_object({name: raw for name, raw in plain.items() if name != each}) for each in plain]
    again = [whole[:-1] + f",{json.dumps(name)}:{raw}" + "}" for name, raw in plain.items()]
    around = [head + whole for head in HEADS] + [whole + tail for tail in TAILS]
    assert agree(tmp_path, [each.encode() for each in [*without, *again, *around]])
    assert agree(tmp_path, [whole.encode()[:end] for end in range(len(whole))])


@pytest.mark.parametrize("before", range(4))
def test_no_message_of_the_database_about_a_bad_line_stops_the_reading(before: int, tmp_path: Path) -> None:
    """It shows the beginning of the line, cut anywhere, and where that is inside a character it is no text at all."""
    assert agree(tmp_path, [f'{{"id":"{"x" * before}{"é" * 40}","tags":[1 2]}}'.encode()])


@pytest.mark.parametrize("more", [0, 1])
def test_a_record_may_be_as_long_as_the_exact_reader_says(more: int, tmp_path: Path) -> None:
    plain = json.dumps({**as_record(FULL[2]), "text": ""}).encode()
    long = plain.replace(b'"text": ""', b'"text": "' + b"x" * (strict.RECORD_BYTES - len(plain) + more) + b'"')
    (tmp_path / "x.jsonl").write_bytes(plain + b"\n" + long + b"\n" + plain + b"\n")
    file = File(Source(name="app", path="*", format="native"), "x.jsonl", tmp_path / "x.jsonl")
    read = [parts.read(chunk, now=NOW, salt=SALT) for chunk in chunks([file], {})]
    assert [sum(len(part.rows) for part in read), sum(len(part.bad) for part in read)] == [3 - more, more]


def lenient(line: bytes) -> bool:
    """Whether some reader of JSON would say that it is, and we do not."""
    mended = re.sub(rb",\s*(?=[\]}])", b"", line).replace(b"\\u0000", b"")
    return isinstance(decode(line), Rejected) and not isinstance(decode(mended), Rejected)


def _object(written: dict[str, str]) -> str:
    return "{" + ",".join(f"{json.dumps(name)}:{raw}" for name, raw in written.items()) + "}"


# ---- plain lines are read fast --------------------------------------------------------------------------------------


def read_fast(chunk: Chunk) -> list[str]:
    """The ids of the events that never saw the exact reader."""
    real, taken = fast.plain, list[str]()

    def watched(*given: Any) -> tuple[pl.DataFrame, pl.Series]:
        rows, places = real(*given)
        taken.extend(rows["id"])
        return rows, places

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "plain", watched)
        parts.read(chunk, now=NOW, salt=SALT)
    return taken


WAYS: dict[str, Callable[[dict[str, Any]], str]] = {
    "as json.dumps writes it": json.dumps,
    "compact": lambda record: json.dumps(record, ensure_ascii=False, separators=(",", ":")),
    "compact in ASCII": lambda record: json.dumps(record, separators=(",", ":")),
    "keys sorted": lambda record: json.dumps(record, ensure_ascii=False, sort_keys=True),
    "keys the other way round": lambda record: json.dumps(dict(reversed(record.items()))),
    "with Windows line ends": lambda record: json.dumps(record) + "\r",
    "slashes escaped": lambda record: json.dumps({**record, "workload": "a/b"}).replace("/", "\\/"),
    "times in seconds": lambda record: json.dumps({**record, "at": "2026-01-05T09:30:00Z"}),
}


ALL = [dataclasses.replace(event, id=f"{at} é „x“ 🙂") for at, event in enumerate(BRIEF + FULL)]
IDS = [event.id for event in ALL]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("spell_out", [as_record, bare], ids=["defaults left out", "defaults written"])
def test_a_log_in_any_common_spelling_is_read_fast(
    way: str, spell_out: Callable[[Event], dict[str, Any]], tmp_path: Path
) -> None:
    data = "".join(WAYS[way](spell_out(event)) + "\n" for event in ALL)
    assert read_fast(chunk_of(tmp_path, data.encode())) == IDS


def test_the_log_of_a_writer_is_read_fast_and_odd_lines_in_it_change_nothing_for_the_others(tmp_path: Path) -> None:
    Writer(tmp_path / "logs").write_all(ALL)
    (file,) = (tmp_path / "logs").iterdir()
    assert read_fast(chunk_of(tmp_path, file.read_bytes())) == IDS
    for odd in (b"{}", b"\xff", b"[1", b"[]", b"null", b'{"torn', b'{"v":1,"kind":"rated","id":7}', b"\r", b" "):
        beside = b"\n".join(each for line in file.read_bytes().splitlines() for each in (line, odd))
        assert read_fast(chunk_of(tmp_path, beside + b"\n")) == IDS


@pytest.mark.parametrize(
    "odd",
    [
        {"at": "2026-02-02T00:00:00.000001Z"},
        {"at": "2026-01-05T09:30:00+00:00"},
        {"v": 1.0},
        {"user": "\x1b"},
        {"id": 7},
    ],
)
def test_whatever_is_odd_is_left_to_the_exact_reader(odd: dict[str, Any], tmp_path: Path) -> None:
    data = "".join(json.dumps({**as_record(event), **odd}) + "\n" for event in ALL)
    assert read_fast(chunk_of(tmp_path, data.encode())) == []
