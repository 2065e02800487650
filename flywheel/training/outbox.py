"""What a training has to say to MLflow, on disk until MLflow has it: a training never waits for a tracking server.

One folder a training: `said.jsonl` holds what was said, in order, each line on the disk before the next step;
`sent.json` how many of these lines have arrived, and in which run. Sending them belongs in `delivery`.
"""

import json
import os
from pathlib import Path
from typing import Any

from flywheel.lake import locked
from flywheel.training.saving import sync

Line = dict[str, Any]


class Outbox:
    """Of one training. Only the training says something; whoever holds `sending` sends."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.said, self.sent = folder, folder / "said.jsonl", folder / "sent.json"
        folder.mkdir(parents=True, exist_ok=True)

    def lines(self) -> list[Line]:
        """All that was said; a last line that was torn by a kill was not."""
        content = self.said.read_bytes() if self.said.exists() else b""
        return [json.loads(line) for line in content.split(b"\n")[:-1]]

    def mend(self) -> None:
        """Without the torn end that a killed training left."""
        if self.said.exists():
            content = self.said.read_bytes()
            os.truncate(self.said, content.rfind(b"\n") + 1)

    def say(self, line: Line) -> None:
        with self.said.open("ab") as handle:
            handle.write(json.dumps(line).encode() + b"\n")
            handle.flush()
            os.fsync(handle.fileno())

    def progress(self) -> tuple[str | None, int]:
        """The run in MLflow, once there is one, and how many lines it has."""
        if not self.sent.exists():
            return None, 0
        told = json.loads(self.sent.read_text())
        return told["run"], told["lines"]

    def arrived(self, run: str | None, lines: int) -> None:
        half = self.sent.with_suffix(".half")
        half.write_text(json.dumps({"run": run, "lines": lines}))
        sync(half)
        half.replace(self.sent)
        sync(self.folder)

    def waiting(self) -> int:
        """How many lines MLflow does not have yet."""
        return len(self.lines()) - self.progress()[1]

    def sending(self) -> Any:
        """One sender at a time, over all processes."""
        return locked(self.folder / "sending")


def folder_of(home: Path, checkpoint: str) -> Path:
    return home / "outbox" / checkpoint


def opened(home: Path, checkpoint: str) -> Outbox:
    """The outbox of a training that begins or goes on; that of an earlier one that ended well is laid aside."""
    folder = folder_of(home, checkpoint)
    outbox = Outbox(folder)
    outbox.mend()
    if (lines := outbox.lines()) and lines[-1].get("status") == "FINISHED":
        number = len(list(folder.parent.glob(f"{checkpoint}*")))
        folder.rename(folder.with_name(f"{checkpoint}-{number}"))
        return Outbox(folder)
    return outbox
