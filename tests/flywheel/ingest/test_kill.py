"""An ingest killed anywhere ends, after another run, in the tables of one that was not."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flywheel.ingest import Taken
from tests.flywheel.ingest.logs import conserved, log, rated, rows, take

# An ingest in a process of its own that the system kills at the n-th time it comes to a step, before or after doing it.
DYING = """
import os, signal, sys
from pathlib import Path
from flywheel.lake import Lake
from flywheel.ingest import batch
from tests.flywheel.ingest.logs import take

home, step, nth, when = sys.argv[1:]
owner = Lake if hasattr(Lake, step) else batch.shutil if step == "rmtree" else Path
real, came = getattr(owner, step), 0

def dying(*given, **options):
    global came
    came += 1
    if came == int(nth) and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    done = real(*given, **options)
    if came == int(nth):
        os.kill(os.getpid(), signal.SIGKILL)
    return done

setattr(owner, step, dying)
take(Path(home))
"""

# `_write` is every commit: 1 events, 2 the conflict's other row, 3 quarantine, 4 ingest_files.
STEPS = [
    ("rename", 1, "before"),  # decided, but not final
    ("_write", 1, "before"),
    ("_write", 1, "after"),
    ("_write", 2, "after"),
    ("_write", 3, "after"),
    ("_write", 4, "after"),
    ("rmtree", 2, "before"),  # forgotten, but not cleared away
]
BEFORE = rated("a", 1) + rated("b")
THEN = rated("a", -1) + b"bad\n" + rated("c") + rated("b") + rated("ahead", at="2026-02-02T00:00:01Z")
AFTER = rated("d") + b"worse\n"


@pytest.fixture(scope="module")
def unharmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("unharmed")
    for content in (BEFORE, THEN, AFTER):
        log(home, {"x": content}, append=True)
        take(home)
    return home


@pytest.mark.parametrize(("step", "nth", "when"), STEPS)
def test_a_killed_ingest_changes_nothing_in_the_end(
    step: str, nth: int, when: str, unharmed: Path, tmp_path: Path
) -> None:
    log(tmp_path, {"x": BEFORE})
    take(tmp_path)
    log(tmp_path, {"x": THEN}, append=True)
    died = subprocess.run([sys.executable, "-c", DYING, str(tmp_path), step, str(nth), when], check=False)
    assert died.returncode == -signal.SIGKILL

    log(tmp_path, {"x": AFTER}, append=True)  # the product goes on while nobody ingests
    taken = take(tmp_path)
    assert taken.records >= 2
    assert take(tmp_path) == Taken()
    assert rows(tmp_path, "events") == rows(unharmed, "events")
    assert rows(tmp_path, "quarantine") == rows(unharmed, "quarantine")
    conserved(tmp_path)
    assert [path.name for path in (tmp_path / "ingest").iterdir()] == []
