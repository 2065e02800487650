"""The log writer: one JSON object a line, appended to one file per UTC day.

Any number of threads and processes may write to one folder, and any of them may be killed at any moment. A line that
a killed writer left torn is closed with a newline by the next one; being the beginning of a JSON object and not the
end, it is never valid JSON, and `flywheel.ingest` sets it aside. Reading logs does not belong here.
"""

import fcntl
import json
import os
import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from flywheel.capture.events import UTC_TIME, Event, as_record, outside_limits


class Writer:
    """Appends events to `folder/YYYY-MM-DD.jsonl`, the day being the event's own."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def write(self, event: Event) -> None:
        """Append one event, or raise ValueError and write nothing."""
        self.write_all([event])

    def write_all(self, events: Iterable[Event]) -> None:
        """Append all events, or raise ValueError for the first that cannot be logged and write none."""
        days: dict[str, list[bytes]] = {}
        for event in events:
            line = _line(event)
            days.setdefault(event.at[:10], []).append(line)
        for day, lines in days.items():
            _append(self.folder / f"{day}.jsonl", b"".join(lines))


def _line(event: Event) -> bytes:
    problem = _bad_time(event.at) or outside_limits(event)
    if problem:
        raise ValueError(f"this {event.kind} event cannot be logged: {problem}")
    try:
        text = json.dumps(as_record(event), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode() + b"\n"
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        problem = f"its values are not JSON in UTF-8 ({error})"
        raise ValueError(f"this {event.kind} event cannot be logged: {problem}") from error


def _bad_time(at: str) -> str:
    try:
        if re.fullmatch(UTC_TIME["pattern"], at, re.ASCII):
            datetime.fromisoformat(at)
            return ""
    except (TypeError, ValueError):
        pass  # not text at all, or no such day or hour
    return f"field at: must be a time in UTC like 2026-01-05T09:30:00Z; saw `{at}`"


def _append(path: Path, lines: bytes) -> None:
    # A file handle of its own for each call: flock then holds between threads as it does between processes.
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        size = os.fstat(handle).st_size
        if size and os.pread(handle, 1, size - 1) != b"\n":
            lines = b"\n" + lines
        rest = memoryview(lines)
        while rest:
            rest = rest[os.write(handle, rest) :]
    finally:
        os.close(handle)
