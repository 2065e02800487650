"""`python -m flywheel.gate FOLDER`: what the gate does in a process of its own; `job["work"]` names it."""

from flywheel.errors import BadInput
from flywheel.process import Job, Report, Result, child


def work(job: Job, report: Report) -> Result:
    if job["work"] == "answers":
        from flywheel.gate.generate import generate  # may load torch

        return generate(job, report)
    raise BadInput("the gate knows no such work", seen=job["work"], allowed="answers", do="mend job.json")


if __name__ == "__main__":
    child(work)
