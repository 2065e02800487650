"""Durable checkpoints of a run on disk: written whole or not at all, and believed only where every hash agrees.

A checkpoint here is a folder that somebody else filled; what is in it, and how a trainer is brought back from it,
belongs in `resuming`. It is complete when its manifest is there, which names the run, every file, its size and its
SHA-256: written last, after everything else is on the disk, and moved into place with the folder. Whatever has no
manifest, or does not agree with it to the byte, or is another run's, is put aside and said.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flywheel.process import Report

MANIFEST = "manifest.json"
KEPT = 2
"""The newest, and the one before it in case the newest is damaged."""


class Saves:
    """The durable checkpoints of one run, numbered as they were made, in a folder of their own."""

    def __init__(self, folder: Path, run: str, report: Report) -> None:
        self.folder, self.run, self.report = folder, run, report
        self.known: dict[tuple[int, int, int], str] = {}  # offers are linked from checkpoint to checkpoint

    def keep(self, written: Path) -> Path:
        """The folder becomes the newest checkpoint; before this returns it is on the disk."""
        self.folder.mkdir(parents=True, exist_ok=True)
        numbers = [int(folder.name) for folder in self._all()]
        target = self.folder / f"{1 + max(numbers, default=0):06}"
        files = {str(path.relative_to(written)): self._sealed(path) for path in _files(written)}
        manifest = written / MANIFEST
        manifest.write_text(json.dumps({"run": self.run, "files": files}, indent=1))
        for path in (manifest, *(path for path in written.rglob("*") if path.is_dir()), written):
            sync(path)
        written.rename(target)
        sync(self.folder)
        for old in self._all()[:-KEPT]:
            shutil.rmtree(old)
        return target

    def latest(self) -> Path | None:
        """The newest checkpoint that is whole; those that are not are put aside, each with a word."""
        found = self._all()
        for folder in reversed(found):
            wrong = problem(folder, self.run)
            if wrong is None:
                return folder
            self.report(f"the saved state {folder.name} cannot be used ({wrong}); the one before it is looked at")
            shutil.rmtree(aside := folder.with_name(f"refused-{folder.name}"), ignore_errors=True)
            folder.rename(aside)
        if found:
            self.report("no saved state of this training can be used: it begins anew")
        return None

    def _all(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("[0-9]*") if path.name.isdigit())

    def _sealed(self, path: Path) -> list[Any]:
        """The hash and the size of a file that is on the disk now."""
        told = path.stat()
        key = (told.st_ino, told.st_size, told.st_mtime_ns)
        if key not in self.known:
            sync(path)
            self.known[key] = _hash(path)
        return [self.known[key], told.st_size]


def problem(folder: Path, run: str) -> str | None:
    """What keeps this checkpoint from being used; nothing of it but the manifest is interpreted."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        owner, files = str(manifest["run"]), {str(name): tuple(seal) for name, seal in manifest["files"].items()}
    except FileNotFoundError:
        return "it has no manifest: it was never finished"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "its manifest cannot be read"
    if owner != run:
        return f"it belongs to another run, {owner}"
    there = {str(path.relative_to(folder)): path for path in _files(folder) if path != folder / MANIFEST}
    if different := sorted(there.keys() ^ files.keys()):
        return f"{different[0]} is {'not in its manifest' if different[0] in there else 'missing'}"
    return next((f"{name} is not what was written" for name, path in there.items() if _read(path) != files[name]), None)


def linked(source: Path, target: Path) -> None:
    """A folder of files that nobody changes, under a second name; copied where the file system has no links."""

    def link(one: str, other: str) -> None:
        try:
            os.link(one, other)
        except OSError:
            shutil.copy2(one, other)

    shutil.copytree(source, target, copy_function=link)


def sync(path: Path) -> None:
    """What was written to this file, or the names in this folder, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def synced(folder: Path) -> None:
    """Everything in the folder is on the disk."""
    for path in (*folder.rglob("*"), folder):
        sync(path)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if not path.is_dir())


def _read(path: Path) -> tuple[str, int] | None:
    try:
        return _hash(path), path.stat().st_size
    except OSError:
        return None


def _hash(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
