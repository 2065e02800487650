"""The lock that processes on one host share for their GPU, without a GPU."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from flywheel.gpu import held, locked, needed

HOLD = """
import sys
from flywheel.gpu import locked
with locked(["a", "b"], print):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the lock of those who work on this machine."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def never(message: str, **numbers: float) -> None:
    raise AssertionError(message)


def test_the_second_waits_with_words_until_the_first_is_done() -> None:
    said: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdin is not None
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        stdin = first.stdin

        def told(message: str, **numbers: float) -> None:
            assert first.poll() is None
            said.append(message)
            stdin.close()  # the first ends only now

        with locked(["b"], told):
            assert said == ["another process works on the GPU: waiting for it"]


def test_a_killed_holder_holds_nothing() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        first.kill()
    with locked(["a", "b"], never):
        assert first.returncode == -9


def test_the_other_ranks_of_a_launch_come_in_with_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entered = False
    with locked(["a"], never):
        monkeypatch.setenv("LOCAL_RANK", "1")
        with locked(["a"], never):
            entered = True
    assert entered
    [lock] = tmp_path.glob("*.lock")
    assert lock.name == f"flywheel-{os.getuid()}-gpu-a.lock"
    assert lock.read_text() == ""


def test_without_a_gpu_nobody_waits(tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with held(never, room=10**15):
        assert not list(tmp_path.glob("*.lock"))


def test_lora_needs_less_room(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"\0" * 2000)
    assert needed(tmp_path, lora=False) == 20_000 > needed(tmp_path, lora=True) > 2000
