"""Does the wheel really turn, and do the signals turn it? Whole demos over several seeds, with and without their
direction.

    .venv/bin/python -m benchmarks.turns --seeds 1 2 3 --folder FOLDER

For each seed one demo with the records as they are and one with every direction decided by chance. Printed for each:
the verdicts, and the change of true satisfaction from the first week to the last, paired by user, with its 95 %
interval.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from flywheel.playground.truth import improvement  # noqa: TID251  measured here, never used
from flywheel.settings import REPOSITORY

WORKLOAD = "reply-drafts"


def main() -> None:
    read = argparse.ArgumentParser(description=__doc__)
    read.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    read.add_argument("--folder", type=Path, required=True)
    read.add_argument("--controls", nargs="+", default=["none", "shuffled"])
    read.add_argument("--weeks", type=int, default=3)
    asked = read.parse_args()
    for seed in asked.seeds:
        for control in asked.controls:
            sys.stdout.write(json.dumps(turn(asked.folder.absolute(), seed, control, asked.weeks)) + "\n")
            sys.stdout.flush()


def turn(folder: Path, seed: int, control: str, weeks: int) -> dict[str, object]:
    """One demo in a state folder of its own; the base model is the same for all, so it is copied."""
    home = folder / f"{control}-{seed}"
    home.mkdir(parents=True, exist_ok=True)
    if (folder / "cache").exists() and not (home / "cache").exists():
        shutil.copytree(folder / "cache", home / "cache")
    settings = folder / f"{control}-{seed}.toml"
    written = re.sub(r"(?m)^seed = \d+$", f"seed = {seed}", (REPOSITORY / "flywheel.toml").read_text())
    settings.write_text(f'{written}\n[records]\ncontrol = "{control}"\nseed = {seed}\n')
    environment = os.environ | {"FLYWHEEL_HOME": str(home), "FLYWHEEL_SETTINGS": str(settings)}
    command, began = [sys.executable, "-m", "flywheel.cli"], time.monotonic()
    with (folder / f"{control}-{seed}.log").open("w") as log:
        demo = [*command, "demo", "--fresh", "--weeks", str(weeks)]
        subprocess.run(demo, env=environment, cwd=REPOSITORY, check=True, stderr=log)
    if not (folder / "cache").exists():
        shutil.copytree(home / "cache", folder / "cache")
    told = subprocess.run(
        [*command, "status", "--json"], env=environment, cwd=REPOSITORY, check=True, capture_output=True
    )
    cycles = json.loads(told.stdout)["cycles"]
    change = improvement(home, WORKLOAD, 1, weeks)
    return {
        "seed": seed,
        "control": control,
        "minutes": round((time.monotonic() - began) / 60, 1),
        "verdicts": {f"{one['workload']} {one['cycle']}": one["verdict"] for one in cycles},
        "gains": {f"{one['workload']} {one['cycle']}": one["gain"] for one in cycles},
        "true_satisfaction": {f"{one['workload']} {one['cycle']}": one["true_satisfaction"] for one in cycles},
        "change": change.mean,
        "low": change.low,
        "high": change.high,
        "users": change.users,
    }


if __name__ == "__main__":
    main()
