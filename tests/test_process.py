"""How a stage's process is waited for."""

import os
import signal
import subprocess
import sys
from pathlib import Path

SAVING = """
import pathlib, signal, sys, time
def heard(*_):
    time.sleep(1)  # longer than Python itself would wait
    pathlib.Path(sys.argv[1]).write_text("saved")
    sys.exit(0)
signal.signal(signal.SIGINT, heard)
print("ready", file=sys.stderr, flush=True)
signal.pause()
"""


def test_a_process_that_hears_ctrl_c_may_save_before_it_ends(tmp_path: Path) -> None:
    call = f"waited([sys.executable, '-c', {SAVING!r}, sys.argv[1]])"
    command = [sys.executable, "-c", f"import sys; from flywheel.process import waited; {call}", str(tmp_path / "left")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as parent:
        assert parent.stderr is not None
        assert parent.stderr.readline() == "ready\n"
        os.killpg(parent.pid, signal.SIGINT)
        said = parent.stderr.read()
    assert (parent.returncode, said) == (0, "")
    assert (tmp_path / "left").read_text() == "saved"
