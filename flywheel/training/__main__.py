"""`python -m flywheel.training FOLDER`: one training run in a process of its own."""

import os
from pathlib import Path

from flywheel.process import Job, Report, Result, child
from flywheel.training.recipe import finished
from flywheel.training.stopping import STOP


def work(job: Job, report: Report) -> Result:
    STOP.listen()
    try:
        if not job.get("preflight") and (done := finished(Path(job["out"]))):
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
