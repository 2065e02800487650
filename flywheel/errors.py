"""What can go wrong, said so that a person knows what to do next.

Every error is one sentence built from four parts: what happened, the value seen, what is allowed, what to do. The class
says whether trying again can help: `Terminal` no, `Transient` yes. A bad row is not an error: it is data, and goes to
quarantine. Errors that only a programmer can cause are plain `ValueError` or `AssertionError`, not these.
"""

from typing import Any

UNSEEN = object()


class FlywheelError(Exception):
    """An error that a person can act on; the command line prints its sentence and never a traceback."""

    def __init__(self, what: str, *, seen: Any = UNSEEN, allowed: str = "", do: str = "") -> None:
        self.what, self.seen, self.allowed, self.do = what, seen, allowed, do
        super().__init__(self.sentence())

    def sentence(self) -> str:
        parts = [self.what.rstrip(".")]
        if self.seen is not UNSEEN:
            parts.append(f"saw `{self.seen}`")
        if self.allowed:
            parts.append(f"allowed: {self.allowed.rstrip('.')}")
        if self.do:
            parts.append(f"do: {self.do.rstrip('.')}")
        return "; ".join(parts) + "."


class Terminal(FlywheelError):
    """Trying again ends the same way; a person must change something first."""


class Transient(FlywheelError):
    """Trying again may succeed: a lock that is held, a server that is starting."""


class BadInput(Terminal):
    """What a person typed or wrote into the settings cannot be used (exit code 2)."""


class BrokenInvariant(Terminal):
    """A promise of the architecture page does not hold; nothing downstream may run on it."""


class TrainingFailed(Terminal):
    """A training run ended without a checkpoint that can be used."""
