"""The bytes of a log file, plain or compressed, in bounded memory, and the place where they stop being trustworthy.

A compressed file that is cut, damaged, followed by something else or far too large for its size is `Broken`: what came
before is good, nothing comes after. What the bytes mean belongs in `growing` and `documents`.
"""

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

import pyarrow as pa

BLOCK = 256 * 2**10
PIECE = 4 * 2**10
EXPANSION = 200
ALLOWANCE = 64 * 2**20  # a small file may expand to this whatever its size

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")  # a zstd frame of somebody's notes; it may come first
Kind = Literal["plain", "gzip", "zstd"]


class Broken(Exception):
    """The stream ends here, before its end, for this reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Stream:
    """Decompressed bytes; `read` gives what is asked for, less only at the end, and raises `Broken` after the last."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._held = bytearray()
        self._broken: Broken | None = None

    def read(self, size: int) -> bytes:
        while len(self._held) < size and self._broken is None:
            try:
                self._held += next(self._blocks)
            except StopIteration:
                break
            except Broken as broken:
                self._broken = broken
        if self._broken and not self._held:
            raise self._broken
        data = bytes(self._held[:size])
        del self._held[:size]
        return data


@contextmanager
def opened(path: Path) -> Iterator[Stream]:
    kind = stream_kind(path)
    with path.open("rb") as handle:
        if kind == "plain":
            yield Stream(iter(lambda: handle.read(BLOCK), b""))
        else:
            blocks = _gunzip(handle) if kind == "gzip" else _unzstd(handle)
            yield Stream(_bounded(blocks, ALLOWANCE + EXPANSION * path.stat().st_size))


def stream_kind(path: Path) -> Kind:
    """How the file is compressed: its first bytes say it, and where there are too few of them its name."""
    with path.open("rb") as handle:
        head = handle.read(4)
    if head.startswith(_GZIP) or _cut(head, _GZIP, path.suffix == ".gz"):
        return "gzip"
    if head == _ZSTD or _SKIPPABLE.match(head) or _cut(head, _ZSTD, path.suffix == ".zst"):
        return "zstd"
    return "plain"


def _cut(head: bytes, magic: bytes, named: bool) -> bool:
    return named and 0 < len(head) < len(magic) and magic.startswith(head)


def _bounded(blocks: Iterator[bytes], limit: int) -> Iterator[bytes]:
    left = limit
    for block in blocks:
        yield block[:left]
        left -= len(block)
        if left < 0:
            raise Broken(f"a bomb: it expands to more than {limit} bytes, {EXPANSION} times what it should")


def _gunzip(handle: BinaryIO) -> Iterator[bytes]:
    """Member after member; zlib checks the sum and the length of each. Zeros after a member are padding."""
    data = handle.read(BLOCK)
    while data:
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            data = data or handle.read(BLOCK)
            before = member.copy()
            try:
                block = member.decompress(data, BLOCK)
            except zlib.error as error:
                yield from _until_broken(before, data)
                raise Broken(f"the gzip data is damaged ({error})") from None
            if not data and not block and not member.eof:
                raise Broken("the gzip data is truncated")
            data = member.unconsumed_tail
            yield block
        data = member.unused_data.lstrip(b"\0")
        while not data and (data := handle.read(BLOCK)):
            data = data.lstrip(b"\0")
        if data and not data.startswith(_GZIP) and data != _GZIP[:1]:
            raise Broken("the gzip data is followed by something else")


def _until_broken(member: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    """What a failing call had decompressed before it failed, which zlib drops."""
    try:
        for at in range(len(data)):
            yield member.decompress(data[at : at + 1])
    except zlib.error:
        return


def _unzstd(handle: BinaryIO) -> Iterator[bytes]:
    """Frame after frame. A failing call of Arrow drops what it had decompressed: then that is read again, by bytes."""
    good = 0
    try:
        for block in _zstd_pieces(handle, 0, PIECE):
            yield block
            good += len(block)
    except OSError as error:
        if error.errno is not None:
            raise
        try:
            yield from _zstd_pieces(handle, good, 1)
        except OSError:
            raise Broken(f"the zstd data is damaged or truncated ({error})") from None


def _zstd_pieces(handle: BinaryIO, skip: int, size: int) -> Iterator[bytes]:
    handle.seek(0)
    source = pa.PythonFile(handle, mode="r")
    stream = pa.CompressedInputStream(source, "zstd")
    while skip:
        skip -= len(stream.read(min(PIECE, skip)))
    while block := stream.read(size):
        yield block
