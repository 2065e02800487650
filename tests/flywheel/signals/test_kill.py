"""Promise 8: a derivation killed after any of its commits, and run again, ends in the tables of one that was not."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.flywheel.signals.test_incremental import a_log, agree, derive
from tests.product import take

KILLED = 9
# A process of its own that derives what is stale and dies with its n-th commit.
DYING = f"""
import os, sys
from pathlib import Path
from flywheel.lake import Lake
from tests.flywheel.signals.test_incremental import derive

class Dying(Lake):
    left = int(sys.argv[2])

    def _write(self, *args, **options):
        super()._write(*args, **options)
        self.count_down()

    def _commit_files(self, *args):
        super()._commit_files(*args)
        self.count_down()

    def count_down(self):
        self.left -= 1
        if not self.left:
            os._exit({KILLED})

derive(Dying(Path(sys.argv[1])), Path(sys.argv[1]))
"""
COMMITS = 14  # of one derivation of signals and records
FEW = (2, 3, 4, 5, 8)


@pytest.mark.parametrize(
    "commit", [pytest.param(n, marks=() if n in FEW else pytest.mark.slow) for n in range(1, COMMITS + 1)]
)
def test_killed_after_any_commit_it_ends_the_same(commit: int, tmp_path: Path) -> None:
    events = a_log(7)
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    derive(take(broken, events[::2]), broken)
    lake = take(broken, events[1::2])
    ended = subprocess.run(
        [sys.executable, "-c", DYING, str(broken), str(commit)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == KILLED, ended.stderr[-800:]
    derive(lake, broken)
    derive(take(whole, events), whole)
    assert agree(lake, take(whole, []))
