"""`flywheel.training` as it is, with a clock around what it tells: its own process, launched through Pipes."""

import time

from flywheel.process import Job, Report, Result, child
from flywheel.training.__main__ import work


def watched(job: Job, report: Report) -> Result:
    began, telling, steps = time.perf_counter(), 0.0, list[tuple[float, float]]()

    def timed(message: str, **numbers: float) -> None:
        nonlocal telling
        now = time.perf_counter()
        report(message, **numbers)
        telling += time.perf_counter() - now
        if "step" in numbers:
            steps.append((numbers["step"], now))

    done = work(job, timed)
    (first, then), (last, now) = steps[0], steps[-1]
    spent = {"telling": telling, "step_seconds": (now - then) / (last - first)}
    return {**done, **spent, "all_seconds": time.perf_counter() - began}


if __name__ == "__main__":
    child(watched)
