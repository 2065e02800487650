"""`python -m flywheel.gate FOLDER`: generate answers in a process of its own."""

from flywheel.process import Job, Report, Result, child


def work(job: Job, report: Report) -> Result:
    from flywheel.gate.generate import generate  # loads torch

    return generate(job, report)


if __name__ == "__main__":
    child(work)
