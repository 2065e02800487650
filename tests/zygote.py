"""Many short trainings in processes of their own that share one import of torch and TRL: this process imports, then
forks a child for each job, which can be killed at any of its moments.

A moment is the begin or the end of a step's computation, or a file that is opened, moved, linked or removed under the
folder that is watched. They are counted, so that a kill can be planned: `at` is the moment at which the child sends
itself a signal, in the midst of whatever it was doing.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

TOUCHED = ("open", "os.rename", "os.link", "os.remove", "os.rmdir", "os.mkdir")
ROOT = Path(__file__).parent.parent


class Ended(NamedTuple):
    """How one training ended."""

    status: int
    """0, or minus the signal that killed it, or 1 for an error."""
    told: dict[str, Any]
    """`result` or `error`, `reports`, `moments`; empty where it was killed."""


class Zygote:
    """The parent's side."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self.process, self.folder, self.numbers = process, folder, itertools.count()

    def train(
        self, job: dict[str, Any], *, at: int | None = None, sent: int = signal.SIGKILL, before: str = ""
    ) -> Ended:
        """One training to its end; `before` is `module:function`, called with the job in the child."""
        return self.end(self.start(job, at=at, sent=sent, before=before))

    def start(
        self, job: dict[str, Any], *, at: int | None = None, sent: int = signal.SIGKILL, before: str = ""
    ) -> tuple[int, Path]:
        """One training under way, for `end`."""
        answer = self.folder / f"{next(self.numbers)}.json"
        self._say({"job": job, "at": at, "sent": int(sent), "before": before, "answer": str(answer)})
        return self._hear(), answer

    def end(self, started: tuple[int, Path]) -> Ended:
        pid, answer = started
        self._say({"wait": pid})
        return Ended(self._hear(), json.loads(answer.read_text()) if answer.exists() else {})

    def _say(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def _hear(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())


@contextmanager
def zygote(folder: Path) -> Iterator[Zygote]:
    """One that has imported everything, until the block ends; its children's words go to a file in the folder."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.zygote"]
    with (
        (folder / "stderr").open("w") as stderr,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment
        ) as process,
    ):
        try:
            yield Zygote(process, folder)
        finally:
            process.kill()


# ---- the other side -------------------------------------------------------------------------------------------------


def _serve(train: Callable[..., Any]) -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        if "wait" in asked:
            _answer(os.waitstatus_to_exitcode(os.waitpid(asked["wait"], 0)[1]))
        elif pid := os.fork():
            _answer(pid)
        else:
            os.dup2(2, 1)
            os._exit(_child(train, asked))


def _answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _child(train: Callable[..., Any], asked: dict[str, Any]) -> int:
    from flywheel.training.stopping import STOP

    job, reports, moments = asked["job"], [], itertools.count(1)

    def moment() -> int:
        if (number := next(moments)) == asked["at"]:
            os.kill(os.getpid(), asked["sent"])
        return number

    def report(message: str, **numbers: float) -> None:
        reports.append([message, numbers])

    STOP.listen()
    _count(moment, job)
    if asked["before"]:
        module, name = asked["before"].split(":")
        getattr(__import__(module, fromlist=[name]), name)(job)
    try:
        told: dict[str, Any] = {"result": train(job, report)}
    except Exception as error:
        import traceback

        traceback.print_exc()
        told = {"error": f"{type(error).__name__}: {error}"}
    STOP.deaf()
    told |= {"reports": reports, "moments": moment()}
    Path(asked["answer"]).write_text(json.dumps(told))
    return 0 if "result" in told else 1


def _count(moment: Callable[[], int], job: dict[str, Any]) -> None:
    from transformers import Trainer

    step, watched = Trainer.training_step, f"{job['out']}"

    def stepped(*args: Any, **kwargs: Any) -> Any:
        moment()
        done = step(*args, **kwargs)
        moment()
        return done

    def touched(event: str, args: tuple[Any, ...]) -> None:
        if event in TOUCHED and any(str(arg).startswith(watched) for arg in args[:2]):
            moment()

    Trainer.training_step = stepped
    sys.addaudithook(touched)


if __name__ == "__main__":
    import flywheel.training.run

    _serve(flywheel.training.run.train)
