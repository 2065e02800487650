"""The records of a file that is not one JSON document a line: `.json`, `.csv`, `.tsv` and `.parquet`.

A record is the exact bytes between two borders; a bad one never takes a neighbour with it while its end can be told.
Memory holds a block and one record. Decompressing belongs in `streams`, soundness of a JSON document in `strict`, what
a record means in `reader`.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol
from uuid import UUID

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from flywheel.ingest import strict
from flywheel.ingest.reader import Rejected, short
from flywheel.ingest.streams import Broken, opened, stream_kind

BLOCK = 2**20
HEAD_BYTES = 64 * 2**10  # what is kept of bytes that are no record
ROWS = 128  # of a Parquet file, at a time

csv.field_size_limit(max(csv.field_size_limit(), strict.RECORD_BYTES))

_SPACE = re.compile(rb"[ \t\r\n]*+")
_FLAT = rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+'  # no bracket that is not inside a string
_BRACKETS = re.compile(rb"%s(?:[\[{]%s[\]}]%s)*+" % (_FLAT, _FLAT, _FLAT), re.DOTALL)
_BORDERS = re.compile(_FLAT.replace(b"{}", b"{},"), re.DOTALL)
_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_LINE = re.compile(rb"[^\n]*+")
_BLANK = re.compile(rb"[\r\n]*+")
_QUOTED = re.compile(rb'[^"]*+')
_NOTHING = re.compile(b"")
_CELL = {mark: re.compile(rb"[^%s\n]*+" % mark) for mark in (b",", b"\t")}
_ROW = {
    mark: re.compile(rb"%s(?:%s%s)*+" % (cell, mark, cell))
    for mark in _CELL
    for cell in (rb'(?:"(?:[^"]++|"")*+"|(?!"))[^%s\n]*+' % mark,)
}
_QUOTE, _COMMA, _NEWLINE = b'",\n'


class Record(NamedTuple):
    """One record: its first byte in the decompressed file (a Parquet row: its number), its number from 1, its value."""

    offset: int
    number: int
    raw: bytes
    value: Any


class Torn(NamedTuple):
    """The file ends inside a record: what is left from here may not be complete yet."""

    offset: int


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def documents(path: Path) -> Iterator[Record | Torn]:
    """All records of a file in their order; only a plain file can end in `Torn`, for no other can grow."""
    suffixes = [part.lower() for part in path.suffixes]
    packed = bool(suffixes) and suffixes[-1] in (".gz", ".zst")
    suffix = "".join(suffixes[-2:-1] if packed else suffixes[-1:])
    if suffix == ".parquet":
        yield from _parquet(path, packed)
        return
    growing = stream_kind(path) == "plain"
    with opened(path) as stream:
        yield from _records(suffix, _Window(stream), growing)


def again(suffix: str, raw: bytes) -> Any | Rejected:
    """The value of one record from its raw bytes alone."""
    if suffix in (".json", ".parquet"):
        return strict.decode(raw)
    found = list(_records(suffix, _Window(io.BytesIO(raw)), False))
    if len(found) == 1 and isinstance(found[0], Record):
        return found[0].value
    return Rejected(f"a header and one row are needed, these are {len(found)} rows")


def _records(suffix: str, window: "_Window", growing: bool) -> Iterator[Record | Torn]:
    match suffix:
        case ".json":
            yield from _json(window, growing)
        case ".csv" | ".tsv":
            yield from _table(window, growing, b"," if suffix == ".csv" else b"\t")
        case _:
            raise ValueError(f"no documents in a {suffix or 'nameless'} file")


# ---- a window over the stream ---------------------------------------------------------------------------------------


class _Cut:
    """The bytes of one record as they pass: all of them, or only the first when they are too many."""

    def __init__(self, offset: int) -> None:
        self.offset, self.size = offset, 0
        self._parts: list[bytes] = []
        self._digest: Any = None

    def add(self, data: bytes) -> None:
        self.size += len(data)
        if self._digest is None:
            self._parts.append(data)
            if self.size > strict.RECORD_BYTES:
                held = b"".join(self._parts)
                self._digest, self._parts = hashlib.sha256(held), [held[:HEAD_BYTES]]
        else:
            self._digest.update(data)

    @property
    def raw(self) -> bytes:
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    @property
    def oversize(self) -> Rejected | None:
        if self._digest is None:
            return None
        sha = self._digest.hexdigest()
        return Rejected(f"a record of {self.size} bytes, more than {strict.RECORD_BYTES}; its sha256 is {sha}")


class _Window:
    """One block of a stream, a place in it, and the record that began before that place."""

    def __init__(self, stream: _Readable) -> None:
        self._stream = stream
        self.block, self.at, self._base = b"", 0, 0
        self._cut: _Cut | None = None
        self._start = 0
        self.broken = ""
        self.more()
        if self.block.startswith(strict.MARK):
            self.at = len(strict.MARK)

    def more(self) -> bool:
        """Put the next block behind what is left of this one; False at the end of the stream."""
        if self._cut:
            self._cut.add(self.block[self._start : self.at])
        try:
            new = self._stream.read(BLOCK)
        except Broken as broken:
            self.broken, new = broken.reason, b""
        self._base += self.at
        self.block, self.at, self._start = self.block[self.at :] + new, 0, 0
        return bool(new)

    def run(self, pattern: re.Pattern[bytes]) -> bool:
        """Walk over what the pattern matches; False when that is all there is."""
        while True:
            found = pattern.match(self.block, self.at)
            assert found is not None  # each of them matches nothing, too
            self.at = found.end()
            if self.at < len(self.block):
                return True
            if not self.more():
                return False

    def begin(self) -> None:
        self._cut, self._start = _Cut(self._base + self.at), self.at

    def take(self) -> _Cut:
        """The record from `begin` to here."""
        assert self._cut is not None
        cut, self._cut = self._cut, None
        cut.add(self.block[self._start : self.at])
        return cut

    def rest(self) -> _Cut:
        """The record from `begin` to the end of the stream."""
        self.at = len(self.block)
        while self.more():
            self.at = len(self.block)
        self.at = len(self.block)
        return self.take()


# ---- JSON -----------------------------------------------------------------------------------------------------------


def _json(window: _Window, growing: bool) -> Iterator[Record | Torn]:
    if window.run(_SPACE) and window.block[window.at] in b"[":
        yield from _array(window, growing)
    else:
        yield from _values(window, growing)


def _array(window: _Window, growing: bool) -> Iterator[Record | Torn]:
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
        yield _lost(window, number + 1, "something follows the array")


def _values(window: _Window, growing: bool) -> Iterator[Record | Torn]:
    """One value behind the other, on lines or not; what is no object or array goes to the end of its line."""
    number = 0
    while window.run(_SPACE):
        window.begin()
        number += 1
        if window.block[window.at] not in b"{[":
            if not window.run(_LINE) and window.broken:
                yield _lost(window, number, "")
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
        yield _lost(window, number + 1, "")


def _element(window: _Window) -> int | None:
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


def _balanced(window: _Window) -> bool:
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


def _string(window: _Window) -> bool:
    """Walk to behind the quote that ends a string."""
    while window.run(_STRING):
        if window.block[window.at] == _QUOTE:
            window.at += 1
            return True
        if not window.more():  # a backslash at the end of the block
            return False
    return False


def _document(cut: _Cut, number: int) -> Record:
    raw = cut.raw.rstrip(b" \t\r\n")
    return Record(cut.offset, number, raw, cut.oversize or strict.decode(raw))


def _unfinished(window: _Window, number: int, growing: bool, reason: str) -> Iterator[Record | Torn]:
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
        yield _refused(cut, number, window.broken or reason)


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


def _lost(window: _Window, number: int, reason: str) -> Record:
    return _refused(window.rest(), number, window.broken or reason)


def _refused(cut: _Cut, number: int, reason: str) -> Record:
    """The bytes from here to the end of the file, as one record."""
    size = cut.oversize.reason if cut.oversize else f"{cut.size} bytes from here"
    return Record(cut.offset, number, cut.raw[:HEAD_BYTES], Rejected(f"{reason}; {size}"))


# ---- CSV ------------------------------------------------------------------------------------------------------------


def _table(window: _Window, growing: bool, mark: bytes) -> Iterator[Record | Torn]:
    """The rows below a header; a header that cannot name the cells makes the whole file one rejected record."""
    rows = _rows(window, mark)
    header, closed = next(((cut, closed) for cut, closed in rows if cut.raw.strip() or not closed), (None, True))
    if header is None:
        if window.broken:
            window.begin()
            yield _lost(window, 1, "")
        return
    if not closed:
        yield from _open_row(header, 1, growing, window.broken)
        return
    names = header.oversize or _names(header.raw, mark)
    if isinstance(names, Rejected):
        yield Record(header.offset, 1, header.raw[:HEAD_BYTES], Rejected(f"the header is unusable: {names.reason}"))
        return
    yield from _named(rows, names, header.raw.removesuffix(b"\r") + b"\n", window, growing, mark)


def _named(
    rows: Iterable[tuple[_Cut, bool]], names: list[str], header: bytes, window: _Window, growing: bool, mark: bytes
) -> Iterator[Record | Torn]:
    number = 0
    for cut, closed in rows:
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
        yield _lost(window, number + 1, "")


def _rows(window: _Window, mark: bytes) -> Iterator[tuple[_Cut, bool]]:
    """Each row that is not blank, and whether its end was seen: a newline, or the sound end of the file."""
    while window.run(_BLANK):
        window.begin()
        closed = _row(window, mark)
        yield window.take() if closed else window.rest(), closed


def _row(window: _Window, mark: bytes) -> bool:
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


def _closed(window: _Window) -> bool:
    """Walk to behind the quote that ends a cell; two of them are one character of it."""
    while window.run(_QUOTED):
        if window.at + 1 == len(window.block) and window.more():
            continue
        window.at += 1
        if window.block[window.at : window.at + 1] != b'"':
            return True
        window.at += 1
    return False


def _open_row(cut: _Cut, number: int, growing: bool, broken: str) -> Iterator[Record | Torn]:
    if growing and not cut.oversize:
        yield Torn(cut.offset)
    else:
        yield _refused(cut, number, broken or "the file ends inside quotes")


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


# ---- Parquet --------------------------------------------------------------------------------------------------------


def _parquet(path: Path, packed: bool) -> Iterator[Record]:
    """Rows as JSON says them: times (with an offset if they have one) and decimals as text, NaN as null."""
    with path.open("rb") as handle:
        head = handle.read(HEAD_BYTES)
        if packed:
            reason = "a compressed Parquet file: Parquet compresses by itself, store it plain"
            yield Record(0, 1, head, Rejected(reason))
        elif head.strip():
            yield from _parquet_rows(handle, head)


def _parquet_rows(handle: BinaryIO, head: bytes) -> Iterator[Record]:
    """All rows; where they cannot be read further, the rest of the file is one rejected record."""
    number = 0
    try:
        file = pq.ParquetFile(handle, pre_buffer=False, buffer_size=BLOCK)
        names = file.schema_arrow.names
        if len(set(names)) < len(names):
            raise ValueError(f"two columns have one name in {short(names)}")
        for group in range(file.num_row_groups):  # a batch must not mix a sound group with a damaged one
            for batch in file.iter_batches(batch_size=ROWS, row_groups=[group]):
                for row in batch.to_pylist():
                    number += 1
                    yield _parquet_row(row, number)
    except (OSError, ValueError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk, not the data
            raise
        reason = f"the Parquet file cannot be read from row {number + 1} on: {short(str(error))}"
        yield Record(number and number + 1, number + 1, head, Rejected(reason))


def _parquet_row(row: dict[str, Any], number: int) -> Record:
    unfit = next((f"column {name}: {why}" for name, cell in row.items() if (why := _unfit(cell))), "")
    if unfit:  # Python's spelling, so that it is never taken for the row
        return Record(number, number, repr(row).encode(errors="backslashreplace")[:HEAD_BYTES], Rejected(unfit))
    raw = msgspec.json.encode(row, enc_hook=_text, order="deterministic")
    value = strict.decode(raw)
    return Record(number, number, raw if len(raw) <= strict.RECORD_BYTES else raw[:HEAD_BYTES], value)


def _unfit(cell: Any) -> str:
    """Why JSON has no word for a value; empty when it has."""
    match cell:
        case dict():
            return next(filter(None, map(_unfit, cell.values())), "")
        case list() | tuple():
            return next(filter(None, map(_unfit, cell)), "")
        case float() if cell in (float("inf"), float("-inf")):
            return "an infinite number"
        case None | str() | int() | float() | Decimal() | date() | time() | UUID():
            return ""
    return f"{type(cell).__name__} has no place in JSON"


def _text(cell: Any) -> str:
    """What msgspec does not know: a time in nanoseconds, which Arrow gives as a subclass."""
    return cell.isoformat()
