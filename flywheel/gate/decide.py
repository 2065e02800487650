"""From numbers to a verdict: promote, hold or reject, with reasons in sentences that a model owner can act on.

One pure function of the evidence, the same for a cycle, for two files compared by hand and for the simulations. Every
reason is told, in the order of the rules; the first decides. What is missing or no number never promotes. The numbers
come from `compare` and `forgetting`, the faults from `sanity`, the look from `ledger`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite, isnan
from typing import NamedTuple

import polars as pl

from flywheel.gate.compare import SLICE_ALPHA, Comparison
from flywheel.gate.forgetting import Forgetting
from flywheel.settings import Gate
from flywheel.tables import Outcome

# With more items than this unanswered by either model, those left may be the easy ones.
MAX_HOLES = 0.05
# How sure it must be that more than half of what was learned was forgotten.
FORGETTING_ALPHA = 0.05


class Guard(NamedTuple):
    """A scorer that does not decide but can stop: the loss it allows, and what was seen."""

    name: str
    margin: float
    found: Comparison | None
    holes: int
    broken: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that a decision rests on.

    `broken` and `faults` are sentences; of the `asked` items, `holes` lack a score of one of the models; `notes` decide
    nothing and are told with the reasons.
    """

    broken: Sequence[str]
    faults: Sequence[str]
    found: Comparison | None
    asked: int
    holes: int
    look: int
    slices: pl.DataFrame | None = None
    guards: Sequence[Guard] = ()
    forgetting: Forgetting | None = None
    notes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A verdict and why: `reason` is the first of `reasons`; `n_needed` items would tell, where that can be said."""

    verdict: Outcome
    reason: str
    reasons: tuple[str, ...]
    n_needed: int | None = None


def decide(evidence: Evidence, gate: Gate) -> Decision:
    """Too little evidence is hold, never promote; a fault rejects whatever the score says."""
    against = list(_against(evidence, gate))
    notes, found = tuple(evidence.notes), evidence.found
    if against:
        verdict, reasons = against[0][0], tuple(sentence for _, sentence in against) + notes
        unsure = verdict == "hold" and found is not None and (not found.low > 0 or found.users < gate.min_users)
        n_needed = needed(found, gate) if unsure and found else None
        return Decision(verdict=verdict, reason=reasons[0], reasons=reasons, n_needed=n_needed)
    assert found is not None, "without a comparison there is always a reason to hold"
    reason = f"better than the champion: {seen(found, evidence.look)}"
    return Decision(verdict="promote", reason=reason, reasons=(reason, *notes))


def confirm(decision: Decision, sealed: Comparison | None, *, holes: int, faults: Sequence[str] = ()) -> Decision:
    """What the sealed set says of a candidate that has won: it must not point the other way."""
    if decision.verdict != "promote":
        return decision
    asked = holes + (sealed.items if sealed else 0)
    if faults:
        against = f"on the sealed set: {'; '.join(faults)}"
    elif sealed is None or too_many(holes, of=asked) or not isfinite(sealed.gain):
        against = f"{holes} of {asked} sealed items lack a score, at most {MAX_HOLES:.0%} may"
    elif sealed.gain < 0:
        against = f"the sealed set points the other way: {_told(sealed)}"
    else:
        agrees = f"the sealed set, opened for the first time, agrees: {_told(sealed)}"
        return Decision(verdict="promote", reason=decision.reason, reasons=(*decision.reasons, agrees))
    return Decision(verdict="hold", reason=against, reasons=(against, *decision.reasons))


def seen(found: Comparison, look: int) -> str:
    """The numbers of a comparison in words."""
    controlled = f", {found.raw:+.3f} before what length alone explains" if found.slope else ""
    return f"{_told(found)}, look {look}{controlled}"


def too_many(holes: int, *, of: int) -> bool:
    """So many items lack a score that those left may be the easy ones."""
    return holes > MAX_HOLES * of


def needed(found: Comparison, gate: Gate) -> int | None:
    """The items it would take to see the gain that was seen, or the least that counts, four times out of five."""
    items = found.items_needed(max(found.gain, gate.min_gain))
    return items and max(items, _least_items(found, gate))


def _against(evidence: Evidence, gate: Gate) -> Iterator[tuple[Outcome, str]]:
    """Every reason not to promote, in the order in which they decide."""
    found = evidence.found
    for sentence in _ground(evidence):
        yield "hold", sentence
    numbers = f": {seen(found, evidence.look)}" if found else ""
    if evidence.faults:
        yield "reject", f"{'; '.join(evidence.faults)}{numbers}"
    if found:
        yield from _gain(found, numbers, gate)
    for sentence in _beside(evidence, gate):
        yield "hold", sentence


def _beside(evidence: Evidence, gate: Gate) -> Iterator[str]:
    """What can stop a candidate whose gain is proven."""
    if evidence.slices is not None:
        yield from _slices(evidence.slices, gate)
    for guard in evidence.guards:
        yield from _guard(guard)
    if evidence.forgetting:
        yield from _forgotten(evidence.forgetting, gate)


def _ground(evidence: Evidence) -> Iterator[str]:
    yield from evidence.broken
    if too_many(evidence.holes, of=evidence.asked):
        yield (
            f"{evidence.holes} of {evidence.asked} items lack a score of the candidate or of the champion, and at most"
            f" {MAX_HOLES:.0%} may: score them and judge again"
        )
    elif evidence.found is None and not evidence.broken:
        yield "nothing to compare: there are no items"


def _gain(found: Comparison, numbers: str, gate: Gate) -> Iterator[tuple[Outcome, str]]:
    if not isfinite(found.gain) or isnan(found.low) or isnan(found.high):
        yield "hold", "the gain is no finite number: mend the scorer"
        return
    if found.high < 0:
        yield "reject", f"worse than the champion{numbers}"
        return
    if found.users < gate.min_users:
        yield "hold", f"too few users to tell, {found.users} where {gate.min_users} are needed{numbers}"
    if not found.low > 0:
        items = needed(found, gate)
        more = (
            f"; to see a gain of {max(found.gain, gate.min_gain):.3f} it takes about {items} items"
            if items is not None
            else ""
        )
        yield "hold", f"{_tie(found)}{numbers}{more}"
    elif not found.gain >= gate.min_gain:
        yield "hold", f"better, but by less than the {gate.min_gain:g} that a new model must bring{numbers}"


def _tie(found: Comparison) -> str:
    if found.gain == found.error == 0:
        return "a tie: every item has the same score from both models"
    if found.users > 1 and not isfinite(found.error):
        return "cannot tell: every answer differs by the same length, so that the gain may be the length's alone"
    return "cannot tell yet"


def _slices(slices: pl.DataFrame, gate: Gate) -> Iterator[str]:
    for row in slices.filter(pl.col("harm").is_not_null()).iter_rows(named=True):
        told = f"slice {row['slice']} loses {-row['gain']:.3f} (n = {row['items']} items of {row['users']} users"
        if row["harm"] < SLICE_ALPHA:
            yield f"{told}, adjusted p = {row['harm']:.2g}): harm that chance does not explain"
        elif row["gain"] < -gate.slice_margin:
            yield f"{told}), more than the {gate.slice_margin:g} that a slice may"


def _guard(guard: Guard) -> Iterator[str]:
    found = guard.found
    asked = guard.holes + (found.items if found else 0)
    if guard.broken:
        yield f"guard {guard.name} cannot be trusted: {'; '.join(guard.broken)}"
    elif found is None or too_many(guard.holes, of=asked) or not isfinite(found.gain):
        yield f"guard {guard.name} lacks {guard.holes} of {asked} scores, and at most {MAX_HOLES:.0%} may"
    elif found.gain < -guard.margin:
        yield f"guard {guard.name} loses more than its margin of {guard.margin:g}: {_told(found)}"


def _forgotten(found: Forgetting, gate: Gate) -> Iterator[str]:
    told = f"{found.forgotten} of {found.items} capability items turned from right to wrong, {found.learned} to right"
    asked = found.items + found.holes
    if not found.items or too_many(found.holes, of=asked):
        yield f"{found.holes} of {asked} capability items lack an answer: what was forgotten is unknown"
    elif found.forgotten > gate.max_forgotten * found.items:
        yield f"forgotten too much: {told}, and at most {gate.max_forgotten:.0%} may"
    elif found.chance < FORGETTING_ALPHA:
        yield f"forgotten more than half of what was learned: {told} (p = {found.chance:.2g})"


def _told(found: Comparison) -> str:
    return (
        f"gain {found.gain:+.3f} ({found.champion_score:.3f} to {found.candidate_score:.3f}),"
        f" {found.level:.1%} interval {found.low:+.3f} to {found.high:+.3f},"
        f" n = {found.items} items of {found.users} users"
    )


def _least_items(found: Comparison, gate: Gate) -> int:
    """As many as bring the users that are needed."""
    return -(-found.items * gate.min_users // found.users)
