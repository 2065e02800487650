"""The records of a JSON document: the elements of one array, or one value behind the other.

Only borders are looked for here; whether the bytes between them are sound is for `strict` to say. JSON on lines belongs
in `growing`.
"""

import re
from collections.abc import Iterator

import msgspec

from flywheel.ingest import strict
from flywheel.ingest.documents.window import Cut, Record, Torn, Window, lost, refused
from flywheel.ingest.reader import Rejected

_SPACE = re.compile(rb"[ \t\r\n]*+")
_FLAT = rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+'  # no bracket that is not inside a string
_BRACKETS = re.compile(rb"%s(?:[\[{]%s[\]}]%s)*+" % (_FLAT, _FLAT, _FLAT), re.DOTALL)
_BORDERS = re.compile(_FLAT.replace(b"{}", b"{},"), re.DOTALL)
_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_LINE = re.compile(rb"[^\n]*+")
_QUOTE, _COMMA = b'",'


def values(window: Window, growing: bool) -> Iterator[Record | Torn]:
    if window.run(_SPACE) and window.block[window.at] in b"[":
        yield from _array(window, growing)
    else:
        yield from _one_by_one(window, growing)


def _array(window: Window, growing: bool) -> Iterator[Record | Torn]:
    """The elements of the array that begins here; then nothing may follow."""
    number, border = 0, _COMMA
    while border == _COMMA:
        window.at += 1
        window.run(_SPACE)
        window.begin()
        border = _element(window)
        if border is None:
            yield from _unfinished(window, number + 1, growing, "the file ends before the bracket of its array")
            return
        cut = window.take()
        if cut.size or number or border == _COMMA:
            number += 1
            yield _document(cut, number)
    window.at += 1
    more = window.run(_SPACE)
    window.begin()
    if more or window.broken:
        yield lost(window, number + 1, "something follows the array")


def _one_by_one(window: Window, growing: bool) -> Iterator[Record | Torn]:
    """One value behind the other, on lines or not; what is no object or array goes to the end of its line."""
    number = 0
    while window.run(_SPACE):
        window.begin()
        number += 1
        if window.block[window.at] not in b"{[":
            if not window.run(_LINE) and window.broken:
                yield lost(window, number, "")
                return
            record = _document(window.take(), number)
            bare = Rejected("neither an object nor an array")
            yield record if isinstance(record.value, Rejected) else record._replace(value=bare)
        elif _balanced(window):
            yield _document(window.take(), number)
        else:
            yield from _unfinished(window, number, growing, "the file ends before the bracket of this record")
            return
    if window.broken:
        window.begin()
        yield lost(window, number + 1, "")


def _element(window: Window) -> int | None:
    """Walk to the comma or bracket after an element of the array; None where the file ends before."""
    while window.run(_BORDERS):
        byte = window.block[window.at]
        if byte in b",]":
            return byte
        if byte in b"[{":
            if not _balanced(window):
                return None
        else:
            window.at += 1
            if byte == _QUOTE and not _string(window):
                return None
    return None


def _balanced(window: Window) -> bool:
    """Walk from a bracket to behind the one that closes it; of which kind it is, the decoder asks."""
    depth = 1
    window.at += 1
    while depth and window.run(_BRACKETS):
        byte = window.block[window.at]
        window.at += 1
        if byte == _QUOTE:
            if not _string(window):
                return False
        else:
            depth += 1 if byte in b"[{" else -1
    return depth == 0


def _string(window: Window) -> bool:
    """Walk to behind the quote that ends a string."""
    while window.run(_STRING):
        if window.block[window.at] == _QUOTE:
            window.at += 1
            return True
        if not window.more():  # a backslash at the end of the block
            return False
    return False


def _document(cut: Cut, number: int) -> Record:
    raw = cut.raw.rstrip(b" \t\r\n")
    return Record(cut.offset, number, raw, cut.oversize or strict.decode(raw))


def _unfinished(window: Window, number: int, growing: bool, reason: str) -> Iterator[Record | Torn]:
    """What the end of the file leaves of a record: the last one of an open array, half of one, or nonsense."""
    cut = window.rest()
    record = _document(cut, number)
    if record.raw[:1] in (b"{", b"[") and not isinstance(record.value, Rejected):
        yield record
        window.begin()
        cut, number = window.take(), number + 1
    if growing and not cut.oversize and _may_grow(cut.raw):
        yield Torn(cut.offset)
    else:
        yield refused(cut, number, window.broken or reason)


def _may_grow(raw: bytes) -> bool:
    """Whether more bytes could make these a sound document."""
    return any(_incomplete(raw + tail) for tail in (b"", b"0"))  # -, 1. and 1e want a digit


def _incomplete(raw: bytes) -> bool:
    try:
        msgspec.json.decode(raw)
    except msgspec.DecodeError as error:
        return "truncated" in str(error)
    except (UnicodeDecodeError, RecursionError):
        return False
    return True
