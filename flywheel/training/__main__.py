"""`python -m flywheel.training FOLDER`: one training run in a process of its own."""

import os
from pathlib import Path
from shutil import rmtree

from flywheel.process import Job, Report, Result, child
from flywheel.training.recipe import finished, half
from flywheel.training.stopping import STOP


def work(job: Job, report: Report) -> Result:
    STOP.listen()
    try:
        if not job.get("preflight") and (done := finished(out := Path(job["out"]))):
            rmtree(half(out), ignore_errors=True)  # left by a run that was killed just before it said so
            return done
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the start is a folder: nothing is fetched, nothing is told
        report("loading torch and TRL")
        from flywheel.training.run import train  # seconds

        return train(job, report)
    except Exception:
        STOP.check()  # a library that was interrupted may have made an error of its own of it
        raise
    finally:
        STOP.deaf()


if __name__ == "__main__":
    child(work)
