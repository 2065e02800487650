"""One JSON document, exactly: the classes of JSONTestSuite, our decisions where it leaves them open, `json.loads`."""

import json
import math
import sys
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.ingest import strict
from flywheel.ingest.reader import Rejected

MUST_ACCEPT = {
    "arrays": [b"[]", b"[[]   ]", b'[""]', b'["a"]', b"[false]", b'[null, 1, "1", {}]', b"[null]", b"[1\n]", b" [1]",
        b"[1,null,null,null,2]", b"[2] "],
    "numbers": [b"[123e65]", b"[0e+1]", b"[0e1]", b"[ 4]", b"[-0]", b"[-123]", b"[-1]", b"[-0.0]", b"[1E22]",
        b"[1E-2]", b"[1E+2]", b"[123e45]", b"[123.456e78]", b"[1e-2]", b"[1e+2]", b"[123]", b"[123.456789]",
        b"[-0.00000000000000000000000000000000000000000000000000000000000000000000000000000001]"],
    "objects": [b'{"asd":"sdf", "dfg":"fgh"}', b'{"asd":"sdf"}', b"{}", b'{"":0}', b'{"a":[]}', b'{\n"a": "b"\n}',
        b'{ "min": -1.0e+28, "max": 1.0e+28 }', b'{"title":"\\u041f\\u043e\\u043b"}', b'{"x":[{"id": "x"}]}'],
    "strings": [b'["\\u0060\\u012a\\u12AB"]', b'["\\uD801\\udc37"]', b'["\\ud83d\\ude39\\ud83d\\udc8d"]',
        b'["a/*b*/c/*d//e"]', b'["\\"\\\\\\/\\b\\f\\n\\r\\t"]', b'["\\\\u0000"]', b'["\\""]', b'["\\\\a"]',
        b'["\\\\n"]', b'["\\u0012"]', b'["\\uFFFF"]', b'["\xef\xbf\xbf"]', b'["\xf4\x8f\xbf\xbf"]',
        b'["\xe2\x80\xa8\xe2\x80\xa9"]', b'["\x7f"]', b'["\\u002c"]', b'["\\u003a"]', b'{"\\u003A": ":"}',
        b'["\xcf\x80"]', b'["\\uDBFF\\uDFFF"]', b'["\\u005C"]'],
    "scalars": [b"false", b"42", b"-0.1", b"null", b'"asd"', b"true", b'""', b" 1 "],
}  # fmt: skip

MUST_REJECT = {
    "empty": [b"", b" ", b"\n", b"\xef\xbb\xbf"],
    "arrays": [b"[1 true]", b'["": 1]', b'[""],', b"[,1]", b"[1,,2]", b'["x",,]', b'["x"]]', b'["",]', b'["x"', b"[x",
        b"[3[ 4]]", b"[1:2]", b"[,]", b"[-]", b'[   , ""]', b'["a",\n4\n,1,', b"[1,]", b"[1,,]", b'["\x0ba"\\f]',
        b"[*]", b"[1", b"[1,\n1\n,1", b"[{}", b"[", b"]", b"[]]", b"[1}", b"[a\xe5]", b"[\xff]", b"[\\n]", b"[\x0c]"],
    "literals": [b"[fals]", b"[nul]", b"[tru]", b"[True]", b"[None]", b"nan", b"[nan]", b"[undefined]", b"TRUE",
        b"truer"],
    "numbers": [b"[++1234]", b"[+1]", b"[+Inf]", b"[-01]", b"[-1.0.]", b"[-2.]", b"[.-1]", b"[.2e-3]", b"[0.1.2]",
        b"[0.3e+]", b"[0.3e]", b"[0.e1]", b"[0E+]", b"[0E]", b"[0e+]", b"[0e]", b"[1.0e+]", b"[1.0e-]", b"[1.0e]",
        b"[1 000.0]", b"[1eE2]", b"[2.e+3]", b"[2.e3]", b"[2.]", b"[9.e+]", b"[Inf]", b"[\xef\xbc\x91]", b"[1+2]",
        b"[0x1]", b"[0x42]", b"[- 1]", b"[-012]", b"[-.123]", b"[-1x]", b"[1ea]", b"[1e\xe5]", b"[1.]", b"[.123]",
        b"[1.2a-3]", b"[012]", b"[1_000]", b"01", b"--1"],
    "objects": [b'["x", truth]', b'{[: "x"}', b'{"x", null}', b'{"x"::"b"}', b'{"a":"a" 123}', b"{key: 'value'}",
        b'{"a" b}', b'{:"b"}', b'{"a" "b"}', b'{"a":', b'{"a"', b"{1:1}", b"{9999E9999:1}", b"{null:null}",
        b'{"id":0,,,,,}', b"{'a':0}", b'{"id":0,}', b'{"a":"b"}/**/', b'{"a":"b"}//', b'{"a":/*x*/1}',
        b'{"a":"b",,"c":"d"}', b'{a: "b"}', b'{"a":"a', b'{ "foo" : "bar", "a" }', b'{"a":"b"}#', b"{", b"}", b"{]",
        b"{,", b'{"a":1]'],
    "strings": [b'["\\uD800\\u"]', b'["\\uD800\\u1"]', b'["\\uD800\\u1x"]', b"[\xc3\xa9]", b'["\\x00"]',
        b'["\\\\\\"]', b'["\\\t"]', b'["\\\xf0\x9f\x8c\x80"]', b'["\\"]', b'["\\u00A"]', b'["\\uD834\\uDd"]',
        b'["\\a"]', b'["\\uqqqq"]', b'["\\\xe5"]', b'[\\u0020"asd"]', b"['single quote']", b"abc", b'["\\',
        b'["a\x00a"]', b'["new\nline"]', b'["\t"]', b'["\x1f"]', b'"\\UA66D"', b'""x', b'"', b'["asd]'],
    "structure": [b"<.>", b"[<null>]", b"[1]x", b'["asd\']', b'{"a": true} "x"', b"[1][2]", b"{} {}", b"1\n2",
        b"\xef\xbb\xbf\xef\xbb\xbf1", b'{"":"', b"\xe2\x81\xa0", b"\xa0[1]", b"[\xe2\x81\xa0]", b"\x0c[]",
        b'["a"\xc2\xa0]', b"2@", b"\xe5", b"*", b"\x001"],
}  # fmt: skip

# What RFC 8259 leaves open, and what we do.
OPEN: list[tuple[str, bytes, bool]] = [
    ("a byte order mark is dropped", b"\xef\xbb\xbf{}", True),
    ("CRLF and spaces around", b"\r\n\t {} \r\n", True),
    ("a fraction keeps what a float keeps", b"[0.1234567890123456789012345678901234567890]", True),
    ("too small for a float is zero", b"[123e-10000000]", True),
    ("a huge literal that is a float", b"[123456789012345678901234567890.5]", True),
    ("the smallest 64 bit integer", b"[-9223372036854775808]", True),
    ("the greatest 64 bit integer", b"[9223372036854775807]", True),
    ("both, looked at closely", b'[-9223372036854775808, 9223372036854775807, "\\u003a"]', True),
    ("noncharacters are characters", b'["\\uFDD0\\uFFFE\\uDBFF\\uDFFE"]', True),
    ("100 brackets", b"[" * 100 + b"]" * 100, True),
    ("100 braces and brackets", b'{"a":[' * 50 + b"]}" * 50, True),
    ("1,000 flat brackets", b"[" + b"[]," * 999 + b"[]]", True),
    ("brackets in a string", b'["' + b"[" * 1000 + b'"]', True),
    ("the same key in two objects", b'[{"a":1},{"a":{"a":2}}]', True),
    ("keys that differ by case", b'{"a":1,"A":2}', True),
    ("a double key", b'{"a":1,"a":2}', False),
    ("a double key, equal values", b'{"a":"b","a":"b"}', False),
    ("a double key below", b'[[{"a":{"b":1, "c":0, "b":2}}]]', False),
    ("a double key in two spellings", b'{"a":1,"\\u0061":2}', False),
    ("a double key and an escaped colon", b'{"a":"\\u003a","a":"\\u003A"}', False),
    ("a double empty key", b'{"":1,"":2}', False),
    ("one bit beyond", b"[9223372036854775808]", False),
    ("one bit below", b"[-9223372036854775809]", False),
    ("beyond unsigned", b"[18446744073709551616]", False),
    ("100 digits", b"1" * 100, False),
    ("10,000 digits", b"-" + b"1" * 10_000, False),
    ("overflow", b"[1e400]", False),
    ("overflow below", b"[-1e400]", False),
    ("overflow by digits", b"1" * 400 + b".0", False),
    ("NaN", b"[NaN]", False),
    ("Infinity", b"[Infinity]", False),
    ("-Infinity", b"-Infinity", False),
    ("a lone first half", b'["\\uDADA"]', False),
    ("a lone second half", b'["\\uDC00"]', False),
    ("halves in the wrong order", b'["\\uDd1e\\uD834"]', False),
    ("a first half, then a letter", b'["\\uD800a"]', False),
    ("a first half, then another", b'["\\uD800\\uD800"]', False),
    ("a lone half in a key", b'{"\\ud800":1}', False),
    ("a raw surrogate", b'["\xed\xa0\x80"]', False),
    ("overlong", b'["\xc0\xaf"]', False),
    ("overlong NUL", b'["\xc0\x80"]', False),
    ("overlong of 6 bytes", b'["\xfc\x83\xbf\xbf\xbf\xbf"]', False),
    ("beyond Unicode", b'["\xf4\xbf\xbf\xbf"]', False),
    ("Latin-1", b'["\xe9"]', False),
    ("a lone continuation", b'["\x81"]', False),
    ("a cut character", b'["\xe0\xff"]', False),
    ("bad UTF-8 in a key", b'{"\xff":1}', False),
    ("UTF-16 with a mark", '["é"]'.encode("utf-16"), False),
    ("UTF-16LE", '["é"]'.encode("utf-16-le"), False),
    ("UTF-16BE", '["é"]'.encode("utf-16-be"), False),
    ("UTF-32", "[1]".encode("utf-32"), False),
    ("an escaped NUL", b'["\\u0000"]', False),
    ("an escaped NUL behind a backslash", b'["\\\\\\u0000"]', False),
    ("an escaped NUL in a key", b'{"a\\u0000b":1}', False),
    ("101 brackets", b"[" * 101 + b"]" * 101, False),
    ("101 by objects", b'{"a":' * 101 + b"1" + b"}" * 101, False),
    ("101 behind an escaped quote", b'["\\"",' + b"[" * 100 + b"]" * 101, False),
    ("500 brackets", b"[" * 500 + b"]" * 500, False),
    ("a million brackets", b"[" * 10**6 + b"]" * 10**6, False),
    ("a million open brackets", b"[" * 10**6, False),
    ("a million open objects", b'{"a":' * 10**6, False),
    ("an endless string of escapes", b"[" + b"[]," * 100 + b'"' + b'\\"' * 500_000, False),
    ("a double key among many", b"{" + b",".join(b'"%d":1' % n for n in range(200_000)) + b',"0":1}', False),
]  # fmt: skip


def cases(classes: dict[str, list[bytes]]) -> list[Any]:
    return [pytest.param(raw, id=f"{name}-{n}") for name, raws in classes.items() for n, raw in enumerate(raws)]


def same(one: Any, other: Any) -> bool:
    """Equal in type and sign, too: 1 is not 1.0, 0.0 is not -0.0."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def as_json(raw: bytes) -> Any:
    return json.loads(raw.decode("utf-8-sig"))


@pytest.mark.parametrize("raw", cases(MUST_ACCEPT))
def test_what_the_standard_allows_is_taken(raw: bytes) -> None:
    assert same(strict.decode(raw), as_json(raw))


@pytest.mark.parametrize("raw", cases(MUST_REJECT))
def test_what_the_standard_forbids_is_refused(raw: bytes) -> None:
    assert isinstance(strict.decode(raw), Rejected)


@pytest.mark.parametrize(("raw", "taken"), [pytest.param(raw, taken, id=name) for name, raw, taken in OPEN])
def test_what_the_standard_leaves_open_is_decided(raw: bytes, taken: bool) -> None:
    value = strict.decode(raw)
    assert isinstance(value, Rejected) is not taken
    assert not taken or same(value, as_json(raw))


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (b'{"a":1,"a":2}', 'the key "a" comes twice'),
        (b"[1] x", "not one JSON document: Extra data at character 4"),
        (b'"\xff"', "not UTF-8: invalid start byte at byte 1"),
        ("[1]".encode("utf-16"), "UTF-16?"),
        (b"[NaN]", "NaN is no JSON number"),
        (b"[1e400]", "too great for a float"),
        (b"[9223372036854775808]", "an integer beyond 64 bits"),
        (b'"\\ud800"', "surrogate"),
        (b'"\\u0000"', "an escaped NUL"),
        (b"[1\x00]", "a NUL byte at character 2"),
        (b"[" * 101 + b"]" * 101, "nested deeper than 100"),
    ],
)
def test_a_reason_is_in_words(raw: bytes, word: str) -> None:
    value = strict.decode(raw)
    assert isinstance(value, Rejected)
    assert word in value.reason


def test_a_record_may_have_so_many_bytes_and_no_more() -> None:
    fits = b'"' + b"a" * (strict.RECORD_BYTES - 2) + b'"'
    value = strict.decode(fits)
    assert isinstance(value, str)
    assert len(value) == strict.RECORD_BYTES - 2
    too_many = strict.decode(fits + b" ")
    assert isinstance(too_many, Rejected)
    assert str(strict.RECORD_BYTES + 1) in too_many.reason


def test_a_deep_stack_of_callers_changes_nothing() -> None:
    def below(levels: int) -> Any:
        return below(levels - 1) if levels else strict.decode(b"[" * 100 + b"]" * 100)

    assert not isinstance(below(sys.getrecursionlimit() // 2), Rejected)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(st.characters()),
    lambda inside: (
        st.lists(inside, max_size=5) | st.dictionaries(st.text(st.characters(), max_size=4), inside, max_size=5)
    ),
    max_leaves=20,
)


@given(VALUES, st.booleans(), st.sampled_from([None, 0, 3]))
def test_what_is_taken_is_what_json_reads(value: Any, ascii_only: bool, indent: int | None) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    decoded = strict.decode(raw)
    assert isinstance(decoded, Rejected) or same(decoded, as_json(raw))
    risky = any(bad in raw for bad in (b"NaN", b"Inf", b"\\u0000", b"\\ud", b"\xed"))
    if not risky and strict._LONG not in raw.translate(strict._DIGITS):
        assert not isinstance(decoded, Rejected)


@given(VALUES, st.lists(st.tuples(st.integers(0), st.binary(max_size=3)), min_size=1, max_size=3))
def test_the_fast_way_never_takes_what_the_exact_way_refuses(value: Any, edits: list[tuple[int, bytes]]) -> None:
    raw = bytearray(json.dumps(value).encode())
    for at, new in edits:
        place = at % (len(raw) + 1)
        raw[place : place + len(new)] = new
    assert same_answer(strict.decode(bytes(raw)), strict._examined(bytes(raw).removeprefix(strict.MARK)))


SPELLINGS = st.sampled_from(['"a"', '"\\u0061"', '"b"', '":"', '"\\u003a"', '"\\u003A"', '"c:d"', '"\\":"', '"\\\\"'])


@given(st.lists(st.tuples(SPELLINGS, SPELLINGS), min_size=1, max_size=5))
def test_a_double_key_is_seen_whatever_the_strings_hold(pairs: list[tuple[str, str]]) -> None:
    raw = "{" + ", ".join(f"{key} :{text}" for key, text in pairs) + "}"
    double = len({json.loads(key) for key, _ in pairs}) < len(pairs)
    assert isinstance(strict.decode(raw.encode()), Rejected) is double


def same_answer(one: Any, other: Any) -> bool:
    return isinstance(other, Rejected) if isinstance(one, Rejected) else same(one, other)


def leaked(calls: int) -> int:
    """How many bytes the process grew by, after a warm-up, in so many calls over good and bad documents."""
    raws = [b'{"k%d":"v%d","n":[%d]}' % (n, n, n) for n in range(1000)] + [b'{"a":1,"a":2}', b"[1e400]", b"[" * 2000]
    process = psutil.Process()
    for n in range(20_000):
        strict.decode(raws[n % len(raws)])
    before = process.memory_info().rss
    for n in range(calls):
        strict.decode(raws[n % len(raws)])
    return process.memory_info().rss - before


def test_many_calls_leave_nothing_behind() -> None:
    assert leaked(100_000) < 4 * 2**20


@pytest.mark.slow
def test_two_million_calls_leave_nothing_behind() -> None:
    assert leaked(2_000_000) < 4 * 2**20
