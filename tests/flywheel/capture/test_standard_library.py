"""A product that logs takes on no dependency."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
LOADED = """
import sys
import flywheel.capture.assignment, flywheel.capture.events, flywheel.capture.schema, flywheel.capture.writer
print(*sorted({name.split(".")[0] for name in sys.modules}))
"""


def test_capture_needs_nothing_but_python() -> None:
    # -S: no site-packages at all; `flywheel` itself is found in the folder the command runs in.
    command = [sys.executable, "-S", "-c", LOADED]
    loaded = set(subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.split())
    assert "flywheel" in loaded
    assert loaded - {"flywheel", "__main__"} <= sys.stdlib_module_names
