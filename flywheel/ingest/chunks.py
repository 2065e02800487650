"""The source records of a file that nobody has taken yet, in chunks that fit in memory.

A file of lines comes as `growing` reads it: bytes and the places where lines begin and end, so that thousands are read
at once. Other files come as the records `documents` finds, or as the elements of an array inside those. What a record
means belongs in `reader`.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from flywheel.errors import FlywheelError, Transient
from flywheel.ingest import files, strict
from flywheel.ingest.documents import Record, Torn, documents
from flywheel.ingest.documents.window import HEAD_BYTES
from flywheel.ingest.files import File, Place
from flywheel.ingest.growing import complete
from flywheel.ingest.lines import Lines
from flywheel.ingest.reader import Rejected
from flywheel.ingest.readers.table import nested
from flywheel.ingest.streams import opened, stream_kind

SETTLED = "!"  # behind the signature of a file that was read once more because it stayed as it was
CHUNK_BYTES = 6 * 2**20  # of lines
CHUNK_RECORDS = 2_000  # of a document


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Consecutive records of a file from `start` on; `end` and `head` are where the file is left after them."""

    file: File
    start: Place
    end: int
    head: str
    content: Lines | list[Record]
    torn: bool = False
    """Something incomplete follows."""

    @property
    def size(self) -> int:
        return (
            len(self.content.data) if isinstance(self.content, Lines) else sum(len(each.raw) for each in self.content)
        )

    def record(self, at: int) -> Record:
        """One of them, decoded."""
        if not isinstance(self.content, Lines):
            return self.content[at]
        raw = self.content.raw(at)
        offset = self.content.offset + int(self.content.starts[at])
        kept = raw[:HEAD_BYTES] if len(raw) > strict.RECORD_BYTES else raw
        return Record(offset, self.start.records + 1 + at, kept, strict.decode(raw))

    def records(self) -> Iterator[Record]:
        return map(self.record, range(len(self.content)))


def chunks(
    found: Iterable[File], reached: dict[tuple[str, str], Place], unread: list[FlywheelError] | None = None
) -> Iterator[Chunk]:
    """What is new in these files, file after file; one that cannot be read stops no other and goes to `unread`."""
    unread = [] if unread is None else unread
    for file in found:
        place = reached.get((file.source.name, file.name), Place())
        try:
            new = _new(file, place)
            yield from _opened_up(new, file.source.records) if file.source.records else new
        except FileNotFoundError:
            continue  # rotated away since it was listed; found again under its new name
        except OSError as error:
            what = f"a log file could not be read ({error.strerror or error}); all others were"
            unread.append(Transient(what, seen=file.path, do="let this user read it"))


def _new(file: File, place: Place) -> Iterator[Chunk]:
    if file.astray:
        return _astray(file, place)
    if files.suffix(file.path) in files.DOCUMENTS or stream_kind(file.path) != "plain":
        return _whole(file, place)
    return _growing(file, place)


def _opened_up(new: Iterable[Chunk], path: str) -> Iterator[Chunk]:
    """The elements of the array at `path` inside each record are the records."""
    number: int | None = None
    for chunk in new:
        number = chunk.start.records if number is None else number
        start, inside = chunk.start._replace(records=number), []
        for outer in chunk.records():
            found = outer.value if isinstance(outer.value, Rejected) else nested(outer.value, path)
            each = [outer._replace(value=found)] if isinstance(found, Rejected) else _elements(outer, found)
            inside += [one._replace(number=number + at) for at, one in enumerate(each, start=1)]
            number += len(each)
        yield replace(chunk, start=start, content=inside)


def _elements(outer: Record, found: list[Any]) -> list[Record]:
    return [outer._replace(raw=msgspec.json.encode(value), value=value) for value in found]


def _astray(file: File, place: Place) -> Iterator[Chunk]:
    target = str(file.path.readlink()) if file.path.is_symlink() else str(file.path.resolve())
    head = hashlib.sha256(target.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    if place.head != head:
        record = Record(0, 1, b"", Rejected("a link that leads out of its source's folder"))
        yield Chunk(file=file, start=Place(place.batch), end=0, head=head, content=[record])


# ---- files that are read as a whole ---------------------------------------------------------------------------------


def _whole(file: File, place: Place) -> Iterator[Chunk]:
    """All records, when the file is not what it was; only the last chunk says how far the file is read.

    A table whose last row has no newline is read once more when it stayed as it was: then that row is whole.
    """
    size, head = _signature(file)
    same = (place.end, place.head.removesuffix(SETTLED)) == (size, head)
    settled = same and place.torn and files.suffix(file.path) in files.TABLES
    if same and (not settled or place.head.endswith(SETTLED)):
        if place.torn:
            yield Chunk(file=file, start=place, end=place.end, head=place.head, content=[], torn=True)
        return
    start = Place(place.batch)
    documented = files.suffix(file.path) in files.DOCUMENTS
    content = _grouped(documents(file.path, settled=settled)) if documented else _lines_of(file)
    last = Chunk(file=file, start=start, end=0, head="", content=[])
    for records, torn in content:
        if len(last.content):
            yield last
        last = Chunk(file=file, start=start, end=0, head="", content=records, torn=torn)
        start = Place(start.batch, 0, "", start.records + len(records))
    if _signature(file) == (size, head):  # else it changed while it was read: again next time
        last = replace(last, end=size, head=head + SETTLED * settled)
    yield last


def _signature(file: File) -> tuple[int, str]:
    """Its size, its ends and when it was last written: not all of it is read to learn that it is what it was."""
    with file.path.open("rb") as handle:
        told = os.fstat(handle.fileno())
        return told.st_size, f"{files.head(handle, told.st_size)}-{told.st_mtime_ns}"


def _grouped(found: Iterable[Record | Torn]) -> Iterator[tuple[list[Record], bool]]:
    group: list[Record] = []
    size, torn = 0, False
    for each in found:
        if isinstance(each, Torn):
            torn = True
            continue
        group.append(each)
        size += len(each.raw)
        if size >= CHUNK_BYTES or len(group) >= CHUNK_RECORDS:
            yield group, False
            group, size = [], 0
    if group or torn:
        yield group, torn


def _lines_of(file: File) -> Iterator[tuple[Lines | list[Record], bool]]:
    with opened(file.path) as stream:
        for content, _, torn in complete(stream, 0, 0, size=CHUNK_BYTES, ends=True):
            yield content, torn


# ---- files of lines -------------------------------------------------------------------------------------------------


def _growing(file: File, place: Place) -> Iterator[Chunk]:
    """The lines beyond the place that was reached."""
    with file.path.open("rb") as ends, file.path.open("rb") as handle:
        if files.head(ends, place.end) != place.head:
            place = Place(batch=place.batch)
        handle.seek(place.end)
        for content, end, torn in complete(handle, place.end, place.records, size=CHUNK_BYTES, ends=False):
            head = files.head(ends, end)
            yield Chunk(file=file, start=place, end=end, head=head, content=content, torn=torn)
            place = Place(place.batch, end, head, place.records + len(content))
