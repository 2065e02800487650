"""Who has the GPU: one process at a time on this host, whatever started it, and only once there is room.

Dagster's pools hold what Dagster starts; this holds what people start by hand beside it, too. The lock lies in the
system's folder for temporary files, by user and GPU, since two state folders share the GPU; the system lets go of it
when its holder dies. Without a GPU there is nothing to wait for.
"""

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from flywheel.errors import Transient
from flywheel.process import Report

POLL = 2.0
PATIENCE = 3600.0
"""Seconds that a process waits for memory that nobody who holds the lock uses."""
ALL, FEW = 20, 6
"""Bytes of a weight that learns, in full precision (itself, its gradient, two moments, a reference); of one beside
which LoRA learns."""


def needed(start: Path, *, lora: bool) -> int:
    """About what training a checkpoint takes of memory, in bytes, before any batch."""
    stored = sum(path.stat().st_size for path in start.glob("*.safetensors"))
    return stored // 2 * (FEW if lora else ALL)  # kept in two bytes each; of those kept in four it asks too much


@contextmanager
def held(report: Report, *, room: int = 0) -> Iterator[None]:
    """Hold every GPU that this process sees, with this much free memory on the first of them."""
    import torch  # whoever asks has it already

    if not torch.cuda.is_available():
        yield
        return
    count = torch.cuda.device_count()
    with locked([str(torch.cuda.get_device_properties(number).uuid) for number in range(count)], report):
        _wait_for_room(room, report)
        yield


@contextmanager
def locked(names: Sequence[str], report: Report) -> Iterator[None]:
    """All of these, in one order for everybody; of several processes under one launcher the first holds them."""
    paths = [Path(tempfile.gettempdir()) / f"flywheel-{os.getuid()}-gpu-{name}.lock" for name in sorted(names)]
    if os.environ.get("LOCAL_RANK", "0") != "0":
        while not all(_holder(path) == str(os.getppid()) for path in paths):
            time.sleep(POLL)
        yield
        return
    with ExitStack() as stack:
        for path in paths:
            handle = stack.enter_context(path.open("a+"))
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                report("another process works on the GPU: waiting for it")
                fcntl.flock(handle, fcntl.LOCK_EX)
        for path in paths:
            path.write_text(str(os.getppid()))
        try:
            yield
        finally:
            for path in paths:
                path.write_text("")


def _holder(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _wait_for_room(room: int, report: Report) -> None:
    import torch

    began, said = time.monotonic(), False
    while True:
        free, total = torch.cuda.mem_get_info()
        if free >= min(room, 0.9 * total):
            return
        if time.monotonic() - began > PATIENCE:
            raise Transient(
                "the GPU has too little free memory",
                seen=f"{free / 1e9:.1f} GB",
                allowed=f"about {room / 1e9:.1f} GB",
                do="stop what else runs on it, or train with lora",
            )
        if not said:
            report("waiting for free memory on the GPU", free_gb=free / 1e9, needed_gb=room / 1e9)
            said = True
        time.sleep(POLL)
