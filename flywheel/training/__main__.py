"""`python -m flywheel.training FOLDER`: one training run in a process of its own."""

import os
from pathlib import Path

from flywheel.process import Job, Report, Result, child
from flywheel.training.recipe import finished


def work(job: Job, report: Report) -> Result:
    if not job.get("preflight") and (done := finished(Path(job["out"]))):
        return done
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the start is a folder: nothing is fetched, nothing is told
    report("loading torch and TRL")
    from flywheel.training.run import train  # seconds

    return train(job, report)


if __name__ == "__main__":
    child(work)
