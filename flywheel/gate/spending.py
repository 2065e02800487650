"""What a cycle may spend on answers and what it has spent, in a form that goes into the job of a process.

Reaching the budget is a sentence for a person. What was spent is counted in the tables, by `sendings`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from flywheel.errors import Terminal

A_TOKEN = 4
"""Characters, roughly: of an endpoint that does not count, so that no budget is without end."""


@dataclass(kw_only=True)
class Spending:
    """Of one cycle, which `of` names: machine time, and tokens of endpoints; allowed and spent."""

    of: str
    minutes_allowed: float
    tokens_allowed: int
    minutes: float = 0.0
    tokens: int = 0

    def add(self, *, seconds: float = 0.0, tokens: int = 0) -> None:
        self.minutes += seconds / 60
        self.tokens += tokens

    def has_left(self, *, endpoint: bool) -> bool:
        """Of what the next answer costs: tokens behind an endpoint, else time."""
        return self.tokens < self.tokens_allowed if endpoint else self.minutes < self.minutes_allowed

    def require(self, *, endpoint: bool, done: int, of: int) -> None:
        """There is something left, or one sentence."""
        if self.has_left(endpoint=endpoint):
            return
        if endpoint:
            spent, allowed, setting = f"{self.tokens:,} tokens", f"{self.tokens_allowed:,} tokens", "tokens"
        else:
            spent, allowed = f"{self.minutes:.2f} minutes", f"{self.minutes_allowed:g} minutes"
            setting = "gpu_minutes"
        raise Terminal(
            f"the budget of {self.of} is spent: generating answers stopped",
            seen=f"{spent}, {done} of {of} questions answered",
            allowed=allowed,
            do=f"raise {setting} under [budget] in flywheel.toml and run the gate again; the answers so far are kept",
        )

    def told(self) -> dict[str, Any]:
        """As a job carries it."""
        return asdict(self)


def counted(answer: Mapping[str, Any]) -> int | None:
    """Tokens asked and answered together; none where the endpoint counted neither."""
    told = [answer[name] for name in ("tokens_in", "tokens_out") if answer[name] is not None]
    return sum(told) if told else None
