"""A small wheel in a folder of its own: the demo's settings made light, turned by real commands in real processes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from flywheel.settings import REPOSITORY

LIGHT = {
    "base": {"examples": 1600, "epochs": 1},
    "users": 130,
    "requests": {"reply-drafts": 2.5, "call-notes": 1.8},
}


class Wheel(NamedTuple):
    """Where a test's wheel lies, and how it is turned."""

    home: Path
    settings: Path

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"FLYWHEEL_HOME": str(self.home), "FLYWHEEL_SETTINGS": str(self.settings)}

    def flywheel(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "flywheel.cli", *arguments]
        return subprocess.run(
            command, cwd=REPOSITORY, env=self.environment, capture_output=True, text=True, check=False
        )

    def told(self, *arguments: str) -> dict[str, Any]:
        """What a command says with --json, and it says nothing else on stdout."""
        ended = self.flywheel(*arguments, "--json")
        assert ended.returncode == 0, ended.stderr[-2000:]
        return json.loads(ended.stdout)


def light_wheel(folder: Path, *changes: tuple[str, str]) -> Wheel:
    """The demo's own flywheel.toml with a smaller playground, and these replacements (pattern, text)."""
    written = (REPOSITORY / "flywheel.toml").read_text()
    for pattern, text in changes:
        written, count = re.subn(pattern, text, written, count=1)
        assert count == 1, f"flywheel.toml holds nothing like {pattern}"
    # Small on purpose, so that it turns in a minute: what the gate can tell of so few users is not what is tested.
    written = written.replace("max_new_tokens = 48", "max_new_tokens = 48\nmin_users = 15")
    # And a model that learned to answer for half a minute rambles: how long it talks is not what is tested either.
    written = written.replace("max_length = 256", "max_length = 256\nwatching = { longer = 9.0 }")
    playground = "\n".join(
        f"{key} = {json.dumps(value)}" for key, value in LIGHT.items() if not isinstance(value, dict)
    )
    tables = "\n".join(
        f"[playground.{key}]\n" + "\n".join(f'"{name}" = {number}' for name, number in value.items())
        for key, value in LIGHT.items()
        if isinstance(value, dict)
    )
    settings = folder / "flywheel.toml"
    settings.write_text(f"{written}\n{playground}\n{tables}\n")
    return Wheel(folder / "home", settings)
