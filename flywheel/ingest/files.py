"""Which complete lines nobody has taken yet: files, the place reached in each, and the bytes beyond it.

`ingest_files` is the memory: a file is taken up where it was left, and from its start when it is no longer the file
that was read. Whatever follows the last newline is pending. What the bytes mean belongs in `reader`.
"""

import glob
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from flywheel.errors import BadInput, Transient
from flywheel.lake import Lake
from flywheel.settings import Source

BATCH_BYTES = 64 * 2**20  # what one batch may hold in memory, give or take a line
HEAD_BYTES = 4096
MARK = b"\xef\xbb\xbf"  # a byte order mark, as some editors and loggers put it first


class File(NamedTuple):
    """A log file; `name` is what tables call it, so that a state folder can be moved with the logs below it."""

    source: str
    name: str
    path: Path


class Place(NamedTuple):
    """How far a file was read: by which batch last, its bytes and records up to here."""

    batch: str = ""
    end: int = 0
    head: str = ""
    records: int = 0


class Line(NamedTuple):
    """One source record: where its line begins in the file, in bytes, and its number there, from 1."""

    offset: int
    record: int
    raw: bytes


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """The complete lines of a file from `start` to `end`; `torn` says that an incomplete one follows."""

    file: File
    start: Place
    end: int
    head: str
    lines: list[Line]
    torn: bool


def find(home: Path, sources: Sequence[Source]) -> list[File]:
    """The files of all sources, in the order of their names; a file may belong to one source only."""
    found: dict[Path, File] = {}
    for source in sources:
        pattern = source.path.replace("{home}", glob.escape(str(home)))
        matches = (Path(match).absolute() for match in glob.iglob(pattern, recursive=True))  # noqa: PTH207 (absolute)
        for path in filter(Path.is_file, matches):
            file = found.setdefault(path, File(source.name, _name(path, home.absolute()), path))
            if file.source != source.name:
                both = f"sources {file.source} and {source.name} both name one file"
                raise BadInput(both, seen=path, do="make their paths disjoint")
    return [found[path] for path in sorted(found)]


def places(lake: Lake) -> dict[tuple[str, str], Place]:
    """Where the last ingest of each (source, file) stopped."""
    reached: dict[tuple[str, str], Place] = {}
    for took in lake.read("ingest_files").sort("time").iter_rows(named=True):
        name = took["source"], took["file"]
        before = reached.get(name, Place()).records if took["start"] else 0
        reached[name] = Place(took["batch"], took["end"], took["head"], before + took["records"])
    return reached


def batches(files: Iterable[File], reached: dict[tuple[str, str], Place]) -> Iterator[list[Chunk]]:
    """What is new, in portions that fit in memory; each file comes at most once in a portion."""
    batch: list[Chunk] = []
    size = 0
    for file in files:
        for chunk in _chunks(file, reached.get((file.source, file.name), Place())):
            batch.append(chunk)
            size += chunk.end - chunk.start.end
            if size >= BATCH_BYTES:  # so it is when lines of this file are left
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


def _chunks(file: File, place: Place) -> Iterator[Chunk]:
    try:
        with file.path.open("rb") as handle:
            if _head(handle, place.end) != place.head:
                place = Place(batch=place.batch)
            more = True
            while more:
                handle.seek(place.end)
                data = handle.read(BATCH_BYTES)
                more = len(data) == BATCH_BYTES
                if more:
                    data += handle.readline()
                    more = data.endswith(b"\n")
                cut = data.rfind(b"\n") + 1
                lines, end = _lines(data[:cut], place), place.end + cut
                head = _head(handle, end)
                torn = cut < len(data)
                if cut or torn:
                    yield Chunk(file=file, start=place, end=end, head=head, lines=lines, torn=torn)
                place = Place(place.batch, end, head, place.records + len(lines))
    except FileNotFoundError:
        return  # rotated away since it was listed; found again under its new name
    except OSError as error:
        what = f"a log file could not be read ({error.strerror})"
        raise Transient(what, seen=file.path, do="let this user read it") from None


def _lines(data: bytes, place: Place) -> list[Line]:
    lines: list[Line] = []
    offset = place.end
    for raw in data.split(b"\n")[:-1]:
        content = raw.removeprefix(MARK) if offset == 0 else raw
        if content.strip():
            lines.append(Line(offset, place.records + len(lines) + 1, content))
        offset += len(raw) + 1
    return lines


def _head(handle: BinaryIO, end: int) -> str:
    """A hash of both ends of what was read up to `end`: it tells a file that grew from one that was replaced."""
    if end == 0:
        return ""
    handle.seek(0)
    digest = hashlib.sha256(handle.read(min(HEAD_BYTES, end)))
    handle.seek(max(0, end - HEAD_BYTES))
    digest.update(handle.read(min(HEAD_BYTES, end)))
    return digest.hexdigest()[:16]


def _name(path: Path, home: Path) -> str:
    name = path.relative_to(home) if path.is_relative_to(home) else path
    return os.fsencode(name).decode("utf-8", "backslashreplace")
