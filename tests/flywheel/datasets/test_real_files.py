"""Logs that other people wrote give frozen sets that every machine agrees on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flywheel.settings import REPOSITORY

pytestmark = pytest.mark.skipif(
    "FLYWHEEL_REAL_DATA" not in os.environ, reason="FLYWHEEL_REAL_DATA names no folder of real logs"
)
REAL = Path(os.environ.get("FLYWHEEL_REAL_DATA", ".")).absolute()


def frozen(home: Path, seed: int) -> list[str]:
    command = [sys.executable, "-m", "tests.flywheel.datasets.frozen_of_tensorzero", home, REAL / "tensorzero", seed]
    ended = subprocess.run(
        list(map(str, command)),
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    return ended.stdout.split()


@pytest.mark.slow
def test_two_machines_freeze_the_same_sets_of_tensorzero(tmp_path: Path) -> None:
    one, other = (frozen(tmp_path / f"machine-{seed}", seed) for seed in (1, 2))
    assert one == other
    assert (one[1], one[3]) == ("60", "20")
