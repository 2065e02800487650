"""`python -m flywheel.gate FOLDER`: what needs torch, in a process of its own: answers, and scores by a model."""

from flywheel.errors import BadInput
from flywheel.gpu import held
from flywheel.process import Job, Report, Result, child


def work(job: Job, report: Report) -> Result:
    match job.get("work", "answers"):
        case "answers":
            from flywheel.gate.generate import generate  # loads torch

            with held(report):
                return generate(job, report)
        case "preference":
            from flywheel.gate.scorers import preference

            return preference.work(job, report)
        case "reward":
            from flywheel.gate.scorers import reward

            return reward.work(job, report)
        case "replies":
            from flywheel.gate.scorers import local

            return local.work(job, report)
        case odd:
            raise BadInput("the gate knows no such work", seen=odd, allowed="answers, preference, reward, replies")


if __name__ == "__main__":
    child(work)
