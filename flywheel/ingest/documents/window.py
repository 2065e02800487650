"""A stream as a window of one block, and the records that are cut from it: memory holds a block and one record.

Where a record ends belongs in `json_values` and `table`, decompressing in `streams`.
"""

import hashlib
import re
from typing import Any, NamedTuple, Protocol

from flywheel.ingest import strict
from flywheel.ingest.reader import Rejected
from flywheel.ingest.streams import Broken

BLOCK = 2**20
HEAD_BYTES = 64 * 2**10  # what is kept of bytes that are no record


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


class Cut:
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


class Window:
    """One block of a stream, a place in it, and the record that began before that place."""

    def __init__(self, stream: _Readable) -> None:
        self._stream = stream
        self.block, self.at, self._base = b"", 0, 0
        self._cut: Cut | None = None
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
        self._cut, self._start = Cut(self._base + self.at), self.at

    def take(self) -> Cut:
        """The record from `begin` to here."""
        assert self._cut is not None
        cut, self._cut = self._cut, None
        cut.add(self.block[self._start : self.at])
        return cut

    def rest(self) -> Cut:
        """The record from `begin` to the end of the stream."""
        self.at = len(self.block)
        while self.more():
            self.at = len(self.block)
        self.at = len(self.block)
        return self.take()


def lost(window: Window, number: int, reason: str) -> Record:
    """What is left of the stream, as one record; that it is broken is reason enough."""
    return refused(window.rest(), number, window.broken or reason)


def refused(cut: Cut, number: int, reason: str) -> Record:
    """Bytes that no border ends, as one record."""
    size = cut.oversize.reason if cut.oversize else f"{cut.size} bytes from here"
    return Record(cut.offset, number, cut.raw[:HEAD_BYTES], Rejected(f"{reason}; {size}"))
