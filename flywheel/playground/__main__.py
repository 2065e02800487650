"""`python -m flywheel.playground FOLDER`: `base` trains the model the product starts with, `week` plays a week."""

from pathlib import Path

from flywheel.errors import BadInput
from flywheel.playground.world import read
from flywheel.process import Job, Report, Result, child


def work(job: Job, report: Report) -> Result:
    world = read(job["playground"])
    if job["do"] == "base":
        from flywheel.playground.base import base

        return base(world, Path(job["out"]), report)
    if job["do"] == "week":
        from flywheel.playground.week import play

        return play(world, Path(job["home"]), Path(job["logs"]), job["serve"], report)
    raise BadInput("the playground knows no such job", seen=job["do"], allowed="base, week", do="mend job.json")


if __name__ == "__main__":
    child(work)
