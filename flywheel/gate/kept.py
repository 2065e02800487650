"""Answers kept as they come: a file of lines that only grows, beside the job of the process that makes them.

A killed process loses what it had in hand and no more: the next one goes on behind what is there, whose last line may
be torn. A line says by a hash what it is the answer to. Putting the lines into the lake is the parent's (`asking`).
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

FILE = "answers.jsonl"


def key(model: str, item: str, prompt: str, decoding: str) -> str:
    """What an answer is the answer of: the model's fingerprint, the item with its text, the settings."""
    return hashlib.sha256(json.dumps([model, item, prompt, decoding]).encode()).hexdigest()[:32]


class Kept:
    """The lines of one process folder: `answer` lines, and a `sending` line for each text before it goes out."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._lock = Lock()

    def read(self, kind: str) -> list[dict[str, Any]]:
        """All whole lines of a kind, oldest first."""
        return [line[kind] for line in self._lines() if kind in line]

    def add(self, kind: str, *rows: Mapping[str, Any]) -> None:
        """Write these rows at once, from whatever thread."""
        text = "".join(json.dumps({kind: dict(row)}) + "\n" for row in rows).encode()
        with self._lock, self.path.open("ab+") as file:
            if file.tell() and not self._ends_whole():
                text = b"\n" + text
            file.write(text)

    def forget(self) -> None:
        """All of it lies in the lake."""
        self.path.unlink(missing_ok=True)

    def _lines(self) -> list[dict[str, Any]]:
        found = []
        for line in self.path.read_bytes().splitlines() if self.path.exists() else []:
            try:
                found.append(json.loads(line))
            except ValueError:  # torn by a kill
                continue
        return found

    def _ends_whole(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(-1, 2)
            return file.read() == b"\n"
