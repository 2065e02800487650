"""The lines of a stream as they are complete; behind the last newline a file may still grow.

What stands there is pending, unless it is a whole JSON object: that cannot be the beginning of another line. Where a
file is taken up belongs in `chunks`, cutting bytes into lines in `lines`.
"""

from collections.abc import Iterator
from typing import BinaryIO

from flywheel.ingest import strict
from flywheel.ingest.documents.window import HEAD_BYTES, Cut, Record
from flywheel.ingest.lines import Lines, newlines, split
from flywheel.ingest.reader import Rejected
from flywheel.ingest.streams import Broken, Stream

CHUNK_LINES = 2**17  # where lines are shorter than any sound record, a piece is
SHORT_BYTES = 2**18  # this long

Piece = tuple[Lines | list[Record], int, bool]  # what was read, where it ends, whether something torn follows


def complete(stream: Stream | BinaryIO, at: int, number: int, *, size: int, ends: bool) -> Iterator[Piece]:
    """The lines from byte `at` on, `number` of them before it; in a stream that `ends` nothing can follow the last."""
    left, long = b"", None
    while True:
        try:
            block = stream.read(size)
        except Broken as broken:
            yield [Record(at, number + 1, left[:HEAD_BYTES], Rejected(broken.reason))], at + len(left), False
            return
        if not block:
            break
        data = left + block
        if long is None and len(data) > strict.RECORD_BYTES and b"\n" not in data:
            long = Cut(at)
        if long is not None:
            newline = data.find(b"\n") + 1
            long.add(data[:newline] if newline else data)
            left = data[newline:] if newline else b""
            if not newline:
                continue
            yield [_too_long(long, number + 1)], at + long.size, False
            at, number, long = at + long.size, number + 1, None
            data, left = left, b""
        cut = data.rfind(b"\n") + 1
        left = data[cut:]
        for piece in _pieces(data, cut):
            lines = split(piece, at)
            yield lines, at + len(piece), False
            at, number = at + len(piece), number + len(lines)
    yield from _tail(left, long, at, number, ends)


def _tail(left: bytes, long: Cut | None, at: int, number: int, ends: bool) -> Iterator[Piece]:
    """What stands behind the last newline."""
    if long is not None and ends:
        yield [_too_long(long, number + 1)], at + long.size, False
    elif long is not None:
        yield [], at, True
    elif left.strip() and (ends or isinstance(strict.decode(left), dict)):
        yield split(left, at), at + len(left), False
    elif left.strip():
        yield [], at, True


def _pieces(data: bytes, end: int) -> Iterator[memoryview]:
    """Complete lines, so few at a time that what is remembered of each does not count."""
    lines, at = memoryview(data)[:end], 0
    size = end if newlines(lines) <= CHUNK_LINES else SHORT_BYTES
    while at < end:
        after = data.find(b"\n", min(at + size, end) - 1) + 1
        yield lines[at:after]
        at = after


def _too_long(line: Cut, number: int) -> Record:
    return Record(line.offset, number, line.raw, line.oversize)
