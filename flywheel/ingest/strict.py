"""One JSON document from its bytes, or the reason why the bytes are not exactly one.

Stricter than RFC 8259 where a lenient reader would lose or invent something: a key twice, a number that does not fit, a
character that cannot be stored. Which bytes are a document belongs in `growing` and `documents`, what it means in
`reader`.
"""

import json
import re
from collections import Counter
from typing import Any

import msgspec

from flywheel.ingest.reader import Rejected, short

RECORD_BYTES = 16 * 2**20
DEPTH = 100
SMALLEST, GREATEST = -(2**63), 2**63 - 1
MARK = b"\xef\xbb\xbf"  # a byte order mark, as some editors and loggers put it first

_DIGITS = bytes(ord("0") if byte in b"123456789" else byte for byte in range(256))
_LONG = b"0" * 19  # 2**63 has 19 digits
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?+|[\[\]{}]', re.DOTALL)
_NUL = re.compile(r"(?<!\\)(?:\\\\)*+\\u0000")


class _Unsound(Exception):
    """JSON by its grammar, and still not a value that everybody reads the same."""


def decode(raw: bytes) -> Any | Rejected:
    """The value of one document; what it returns is what `json.loads` returns, or a reason."""
    raw = raw.removeprefix(MARK)
    if len(raw) > RECORD_BYTES:
        return Rejected(f"a record of {len(raw)} bytes, more than {RECORD_BYTES}")
    try:
        value = msgspec.json.decode(raw)
        if _proven(raw, value):
            return value
    except (ValueError, OverflowError, RecursionError):  # msgspec's errors and UnicodeDecodeError are ValueErrors
        pass
    return _examined(raw)


def _proven(raw: bytes, value: Any) -> bool:
    """Whether a decoded value is surely sound, told at the speed of memory; False means: look closer."""
    if b"\\u00" in raw and (b"\\u0000" in raw or b"\\u003" in raw):  # a NUL; a colon in disguise
        return False
    if b"\xcf" in msgspec.msgpack.encode(value) and _LONG in raw.translate(_DIGITS):  # its byte before 2**63 and more
        return False
    # Written again, a value has a colon for each key and each colon in its strings: fewer, if a key came twice.
    if raw.count(b":") != msgspec.json.encode(value).count(b":"):
        return False
    return raw.count(b"[") + raw.count(b"{") <= DEPTH or _depth(value) <= DEPTH


def _depth(value: Any) -> int:
    depth, level = 0, [value] if isinstance(value, dict | list) else []
    while level:
        inside = (child for node in level for child in (node.values() if type(node) is dict else node))
        depth, level = depth + 1, [child for child in inside if type(child) is dict or type(child) is list]
    return depth


def _examined(raw: bytes) -> Any | Rejected:
    """The slow and exact way, which knows the reason."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        utf16 = " (UTF-16?)" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        return Rejected(f"not UTF-8: {error.reason} at byte {error.start}{utf16}")
    if "\0" in text:
        return Rejected(f"a NUL byte at character {text.index(chr(0))}")
    if _nested(raw):
        return Rejected(f"nested deeper than {DEPTH}")
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
        )
        json.dumps(value, ensure_ascii=False).encode()
    except _Unsound as error:
        return Rejected(str(error))
    except json.JSONDecodeError as error:
        return Rejected(f"not one JSON document: {error.msg} at character {error.pos}")
    except UnicodeEncodeError:
        return Rejected("half of a surrogate pair, which is no character")
    return Rejected("an escaped NUL character") if _NUL.search(text) else value


def _nested(raw: bytes) -> bool:
    if raw.count(b"[") + raw.count(b"{") <= DEPTH:
        return False
    depth = 0
    for token in _TOKEN.finditer(raw):
        byte = token[0]
        depth += (byte in b"[{") - (byte in b"]}")
        if depth > DEPTH:
            return True
    return False


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise _Unsound(f"the key {short(twice)} comes twice in one object")
    return value


def _integer(text: str) -> int:
    if len(text) > 20 or not SMALLEST <= int(text) <= GREATEST:
        raise _Unsound(f"an integer beyond 64 bits with a sign: {short(text)}")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise _Unsound(f"a number too great for a float: {short(text)}")
    return value


def _constant(text: str) -> None:
    raise _Unsound(f"{text} is no JSON number")
