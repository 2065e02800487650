"""Bytes of a file cut into lines, without a copy. Which bytes are complete lines belongs in `growing`."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from flywheel.ingest.strict import MARK

WINDOW = 2**18  # what is looked at while it is in the processor's cache
_INK = np.array([not bytes([byte]).isspace() for byte in range(256)])


@dataclass(frozen=True)
class Lines:
    """Complete lines: line `i` is `data[starts[i]:ends[i]]`, and lies at `offset + starts[i]` in its file."""

    data: bytes | memoryview
    starts: np.ndarray
    ends: np.ndarray
    offset: int

    def __len__(self) -> int:
        return len(self.starts)

    def raw(self, line: int) -> bytes:
        return bytes(self.data[self.starts[line] : self.ends[line]])

    def objects(self) -> np.ndarray:
        """The places of the lines that are text between braces: all others are no JSON object."""
        buffer = np.frombuffer(self.data, np.uint8)
        last = self.ends - 1 - (buffer[self.ends - 1] == ord("\r"))
        places = np.flatnonzero((buffer[self.starts] == ord("{")) & (buffer[last] == ord("}")))
        try:
            self.texts(np.arange(len(self))).validate(full=True)
        except pa.ArrowInvalid:
            places = np.array([line for line in places.tolist() if _is_text(self.raw(line))], dtype=np.int64)
        return places

    def texts(self, places: np.ndarray) -> pa.ChunkedArray:
        """Some lines, all of them text, as the stretches in which they follow each other."""
        edges = np.append(self.starts, self.ends[-1:])  # a line, the newline and the blank lines behind it
        array = pa.LargeStringArray.from_buffers(len(self), pa.py_buffer(edges), pa.py_buffer(self.data))
        stretches = np.split(places, np.flatnonzero(np.diff(places) != 1) + 1)
        pieces = [array.slice(each[0], len(each)) for each in stretches if len(each)]
        return pa.chunked_array(pieces, type=pa.large_string())


def _is_text(raw: bytes) -> bool:
    try:
        return bool(raw.decode() or True)
    except UnicodeDecodeError:
        return False


def newlines(data: bytes | memoryview) -> int:
    buffer = np.frombuffer(data, np.uint8)
    return sum(int(np.count_nonzero(buffer[at : at + WINDOW] == ord("\n"))) for at in range(0, len(data), WINDOW))


def split(data: bytes | memoryview, offset: int) -> Lines:
    """The lines of these bytes; one that holds nothing is none."""
    buffer = np.frombuffer(data, np.uint8)
    ends = [np.flatnonzero(buffer[at : at + WINDOW] == ord("\n")) + at for at in range(0, len(data), WINDOW)]
    ends = np.concatenate(ends if data[-1:] == b"\n" else [*ends, [len(data)]])
    starts = np.concatenate(([0], ends[:-1] + 1))
    if offset == 0 and data[: len(MARK)] == MARK:
        starts[0] = len(MARK)
    if (buffer[np.minimum(starts, len(data) - 1)] <= 32).any():  # a first byte no record has: look at them all
        written = np.logical_or.reduceat(np.append(_INK[buffer], False), starts)
        starts, ends = starts[written], ends[written]
    return Lines(data, starts, ends, offset)
