"""Somebody asks a training to stop: SIGTERM from a scheduler, SIGINT from a person or from Dagster.

While steps are taken a signal is only noted: the step ends, a durable checkpoint is written, then the run ends. At any
other time, and when that takes too long or somebody asks twice, it ends at once; what was saved before is there.
"""

import signal
from typing import Any

from flywheel.errors import Transient

GRACE = 25.0
"""Seconds for the step under way and the checkpoint: most schedulers kill after thirty."""


class Stop:
    """Whether somebody asked, and what then happens."""

    def __init__(self) -> None:
        self.asked = self.learning = False

    def listen(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._hear)
        signal.signal(signal.SIGALRM, self._end)

    def deaf(self) -> None:
        """From now on only the end is written down."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)

    def check(self) -> None:
        """End here if somebody asked: what there is to save is saved."""
        if self.asked:
            raise stopped()

    def _hear(self, *_: Any) -> None:
        again, self.asked = self.asked, True
        # Again and again: a library may swallow the error that a signal raises inside of it.
        signal.setitimer(signal.ITIMER_REAL, GRACE, 1.0)
        if again or not self.learning:
            raise stopped()

    def _end(self, *_: Any) -> None:
        raise stopped()


def stopped() -> Transient:
    return Transient("the training was stopped; run it again to go on where it was saved")


STOP = Stop()
"""Of this process: signals are."""
