"""From numbers to a verdict: promote, hold or reject, with the reason in a sentence that a model owner can act on.

The rule belongs here; the numbers come from `compare`, the faults from `sanity`, the look from `ledger`.
"""

from dataclasses import dataclass

from flywheel.gate.compare import Comparison
from flywheel.gate.ledger import Look
from flywheel.settings import Gate
from flywheel.tables import Outcome

# With more items than this unanswered by either model, those left may be the easy ones.
MAX_HOLES = 0.05


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A verdict and why."""

    verdict: Outcome
    reason: str


def decide(found: Comparison | None, *, faults: list[str], holes: int, look: Look, gate: Gate) -> Decision:
    """Too little evidence is hold, never promote; a fault rejects whatever the score says."""
    answered = found.items if found else 0
    if found is None or holes > MAX_HOLES * (answered + holes):
        reason = (
            f"{holes} of {answered + holes} items lack an answer of the candidate or of the champion, and at most"
            f" {MAX_HOLES:.0%} may: answer them and judge again"
        )
        return Decision(verdict="hold", reason=reason)
    seen = evidence(found, look)
    if faults:
        return Decision(verdict="reject", reason=f"{'; '.join(faults)}; {seen}")
    if found.high < 0:
        return Decision(verdict="reject", reason=f"worse than the champion: {seen}")
    if found.users < gate.min_users:
        reason = f"too few users to tell, {found.users} where {gate.min_users} are needed: {seen}"
        return Decision(verdict="hold", reason=reason)
    if found.low <= 0:
        return Decision(verdict="hold", reason=f"cannot tell yet: {seen}{_needed(found, gate)}")
    if found.gain < gate.min_gain:
        reason = f"better, but by less than the {gate.min_gain:g} that a new model must bring: {seen}"
        return Decision(verdict="hold", reason=reason)
    return Decision(verdict="promote", reason=f"better than the champion: {seen}")


def evidence(found: Comparison, look: Look) -> str:
    """The numbers of a comparison in words."""
    return (
        f"gain {found.gain:+.3f} ({found.champion_score:.3f} to {found.candidate_score:.3f}),"
        f" {found.level:.1%} interval {found.low:+.3f} to {found.high:+.3f},"
        f" n = {found.items} items of {found.users} users, look {look.look}"
    )


def _needed(found: Comparison, gate: Gate) -> str:
    """How much more it would take: for the gain that was seen, or for the least that counts."""
    target = max(found.gain, gate.min_gain)
    if target <= 0 or found.high == found.low:
        return ""
    return f"; to confirm a gain of {target:.3f} it takes about {found.users_needed(target)} users"
