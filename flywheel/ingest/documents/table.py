"""The rows of a CSV or TSV file below its header, as objects of text.

What a cell means, and which column is which, belongs in `readers.table`.
"""

import csv
import re
from collections.abc import Iterable, Iterator

from flywheel.ingest import strict
from flywheel.ingest.documents.window import HEAD_BYTES, Cut, Record, Torn, Window, lost, refused
from flywheel.ingest.reader import Rejected, short

csv.field_size_limit(max(csv.field_size_limit(), strict.RECORD_BYTES))

_BLANK = re.compile(rb"[\r\n]*+")
_QUOTED = re.compile(rb'[^"]*+')
_NOTHING = re.compile(b"")
_CELL = {mark: re.compile(rb"[^%s\n]*+" % mark) for mark in (b",", b"\t")}
_ROW = {
    mark: re.compile(rb"%s(?:%s%s)*+" % (cell, mark, cell))
    for mark in _CELL
    for cell in (rb'(?:"(?:[^"]++|"")*+"|(?!"))[^%s\n]*+' % mark,)
}
_QUOTE, _NEWLINE = b'"\n'


def rows(window: Window, growing: bool, settled: bool, mark: bytes) -> Iterator[Record | Torn]:
    """The rows below a header; a header that cannot name the cells makes the whole file one rejected record."""
    found = _rows(window, mark, settled)
    header, closed = next(((cut, closed) for cut, closed in found if cut.raw.strip() or not closed), (None, True))
    if header is None:
        if window.broken:
            window.begin()
            yield lost(window, 1, "")
        return
    if not closed:
        yield from _open_row(header, 1, growing, window.broken)
        return
    names = header.oversize or _names(header.raw, mark)
    if isinstance(names, Rejected):
        yield Record(header.offset, 1, header.raw[:HEAD_BYTES], Rejected(f"the header is unusable: {names.reason}"))
        return
    yield from _named(found, names, header.raw.removesuffix(b"\r") + b"\n", window, growing, mark)


def _named(
    found: Iterable[tuple[Cut, bool]], names: list[str], header: bytes, window: Window, growing: bool, mark: bytes
) -> Iterator[Record | Torn]:
    number = 0
    for cut, closed in found:
        number += 1
        if not closed:
            yield from _open_row(cut, number, growing, window.broken)
            return
        if cut.oversize:  # without its header, so that its first bytes alone are never taken for the row
            yield Record(cut.offset, number, cut.raw, cut.oversize)
            continue
        raw = cut.raw.removesuffix(b"\r")
        cells = _cells(raw, mark)
        if isinstance(cells, list) and len(cells) != len(names):
            cells = Rejected(f"{len(cells)} cells under a header of {len(names)}")
        value = cells if isinstance(cells, Rejected) else dict(zip(names, cells, strict=True))
        yield Record(cut.offset, number, header + raw, value)
    if window.broken:
        window.begin()
        yield lost(window, number + 1, "")


def _rows(window: Window, mark: bytes, settled: bool) -> Iterator[tuple[Cut, bool]]:
    """Each row that is not blank, and whether its end was seen: a newline, or the end of a file that is settled."""
    while window.run(_BLANK):
        window.begin()
        closed = _row(window, mark)
        if not settled and window.block[window.at : window.at + 1] != b"\n":
            closed = False  # of `1,hel` nobody can tell whether it goes on
        yield window.take() if closed else window.rest(), closed


def _row(window: Window, mark: bytes) -> bool:
    """Walk to the newline that ends a row, or to the end of the file; False where that is no end of a row."""
    whole = _ROW[mark].match(window.block, window.at)
    if whole and window.block[whole.end() : whole.end() + 1] == b"\n":
        window.at = whole.end()
        return True
    while window.run(_NOTHING):  # cell by cell, across blocks
        if window.block[window.at] == _QUOTE:
            window.at += 1
            if not _closed(window):
                return False
        if not window.run(_CELL[mark]):
            break
        if window.block[window.at] == _NEWLINE:
            return True
        window.at += 1
    return not window.broken


def _closed(window: Window) -> bool:
    """Walk to behind the quote that ends a cell; two of them are one character of it."""
    while window.run(_QUOTED):
        if window.at + 1 == len(window.block) and window.more():
            continue
        window.at += 1
        if window.block[window.at : window.at + 1] != b'"':
            return True
        window.at += 1
    return False


def _open_row(cut: Cut, number: int, growing: bool, broken: str) -> Iterator[Record | Torn]:
    if growing and not cut.oversize:
        yield Torn(cut.offset)
    else:
        yield refused(cut, number, broken or "the file ends inside quotes")


def _names(raw: bytes, mark: bytes) -> list[str] | Rejected:
    names = _cells(raw.removesuffix(b"\r"), mark)
    if isinstance(names, list) and len(set(names)) < len(names):
        return Rejected(f"two columns have one name in {short(names)}")
    return names


def _cells(raw: bytes, mark: bytes) -> list[str] | Rejected:
    try:
        text = raw.decode()
        if "\0" in text:
            return Rejected(f"a NUL byte at character {text.index(chr(0))} of the row")
        (cells,) = csv.reader([text], delimiter=mark.decode(), strict=True)
    except UnicodeDecodeError as error:
        return Rejected(f"not UTF-8: {error.reason} at byte {error.start} of the row")
    except (csv.Error, ValueError) as error:
        return Rejected(f"not a row of CSV: {error}")
    return cells
