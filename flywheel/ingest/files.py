"""Which files there are to read, and how far each was read before.

`ingest_files` is the memory. A plain file of lines is taken up where it was left, and from its start when it is no
longer the file that was read. Every other file (compressed, or one document) is read as a whole, again when it changed.
What is in a file belongs in `chunks`.
"""

import glob
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from flywheel.errors import BadInput
from flywheel.lake import Lake
from flywheel.settings import Source

HEAD_BYTES = 4096
TABLES = (".csv", ".tsv")
DOCUMENTS = (".json", *TABLES, ".parquet")
LINES = (".jsonl", ".ndjson", ".log")
COMPRESSED = (".gz", ".zst")


class File(NamedTuple):
    """A log file; `name` is what tables call it, so that a state folder can be moved with the logs below it."""

    source: Source
    name: str
    path: Path
    astray: bool = False
    """It is a link that leads out of its source's folder: it is not read."""


class Place(NamedTuple):
    """How far a file was read: by which batch last, its bytes and records; whether something torn follows."""

    batch: str = ""
    end: int = 0
    head: str = ""
    records: int = 0
    torn: bool = False


def find(home: Path, sources: Sequence[Source]) -> list[File]:
    """The files of all sources, in the order of their names; a file may belong to one source only."""
    found: dict[Path, File] = {}
    for source in sources:
        pattern = Path(source.files.replace("{home}", glob.escape(str(home)))).absolute()
        inside = _fixed(pattern).resolve()
        for path in filter(Path.is_file, _matches(pattern)):
            astray = path != pattern and not path.resolve().is_relative_to(inside)
            file = found.setdefault(path, File(source, _name(path, home.absolute()), path, astray))
            if file.source.name != source.name:
                both = f"sources {file.source.name} and {source.name} both name one file"
                raise BadInput(both, seen=path, do="make their paths disjoint")
    return [found[path] for path in sorted(found)]


def _matches(pattern: Path) -> list[Path]:
    """The files a glob names; of a folder, all files in it and below that look like logs."""
    found = [Path(match) for match in glob.iglob(str(pattern), recursive=True)]  # noqa: PTH207 (absolute)
    below = [path for folder in found if folder.is_dir() for path in folder.rglob("*")]
    return found + [path for path in below if suffix(path) in DOCUMENTS + LINES and not path.name.startswith(".")]


def _fixed(pattern: Path) -> Path:
    """The folder that a pattern names before its first wildcard; links may not lead out of it."""
    fixed = Path(pattern.anchor)
    for part in pattern.parts[1:]:
        plain = part.replace("[[]", "[").replace("[*]", "*").replace("[?]", "?")  # what `glob.escape` wrote
        if glob.has_magic(part) and plain == part:
            break
        fixed = fixed / plain
    return fixed if fixed.is_dir() else fixed.parent


def suffix(path: Path) -> str:
    """What the file is, whether it is compressed or not."""
    return Path(path.stem).suffix.lower() if path.suffix.lower() in COMPRESSED else path.suffix.lower()


def places(lake: Lake) -> dict[tuple[str, str], Place]:
    """Where the last ingest of each (source, file) stopped."""
    reached: dict[tuple[str, str], Place] = {}
    for took in lake.read("ingest_files").sort("time").iter_rows(named=True):
        name = took["source"], took["file"]
        before = reached.get(name, Place()).records if took["start"] else 0
        reached[name] = Place(took["batch"], took["end"], took["head"], before + took["records"], bool(took["pending"]))
    return reached


def head(handle: BinaryIO, end: int) -> str:
    """A hash of both ends of the bytes up to `end`: it tells a file that grew from one that was replaced."""
    if end == 0:
        return ""
    handle.seek(0)
    digest = hashlib.sha256(handle.read(min(HEAD_BYTES, end)))
    handle.seek(max(0, end - HEAD_BYTES))
    digest.update(handle.read(min(HEAD_BYTES, end)))
    return digest.hexdigest()[:16]


def _name(path: Path, home: Path) -> str:
    name = path.relative_to(home) if path.is_relative_to(home) else path
    return os.fsencode(name).replace(b"\\", rb"\\").decode("utf-8", "backslashreplace")
