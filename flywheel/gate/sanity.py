"""What no score can make good: answers that are empty, all alike, going in circles, or of another length altogether.

Only the texts are looked at, never a score. Each fault is one sentence with its numbers; thresholds are relative to the
champion and to what people sent, because what is normal differs from workload to workload.
"""

from collections.abc import Sequence
from statistics import fmean

from flywheel.gate.scorers.sent import words

# Empty or circling answers may be this much more frequent than the champion's: one point, but never fewer than two
# items, since on a small set a single unlucky draw is more than a point.
MORE_FAULTS = 0.01
SPARE_ITEMS = 2
# Of the variety that both the champion and the people show, this much must be left; less is a model on one answer.
VARIETY = 0.95
# Mean length may leave the span between champion and people by this much: moving towards the people is always right.
SHORTER, LONGER = 0.8, 1.25
# An answer goes in circles when more than this share of its runs of four words was there before.
CIRCLING, RUN = 0.20, 4


def faults(candidate: Sequence[str], champion: Sequence[str], references: Sequence[str]) -> list[str]:
    """Why the candidate cannot win, over the items that both models answered; empty when it may be compared."""
    if not candidate:
        return []
    found = [
        _more("empty", [_empty(text) for text in candidate], [_empty(text) for text in champion]),
        _more("going in circles", [circles(text) for text in candidate], [circles(text) for text in champion]),
        _alike(candidate, champion, references),
        _length(candidate, champion, references),
    ]
    return [each for each in found if each]


def circles(text: str) -> bool:
    """It says the same four words over and over."""
    said = words(text)
    runs = [tuple(said[start : start + RUN]) for start in range(len(said) - RUN + 1)]
    return bool(runs) and 1 - len(set(runs)) / len(runs) > CIRCLING


def _empty(text: str) -> bool:
    return not text.strip()


def _more(fault: str, candidate: Sequence[bool], champion: Sequence[bool]) -> str:
    allowed = sum(champion) + max(MORE_FAULTS * len(candidate), SPARE_ITEMS)
    if sum(candidate) <= allowed:
        return ""
    return f"{sum(candidate)} of {len(candidate)} answers are {fault} (champion: {sum(champion)})"


def _alike(candidate: Sequence[str], champion: Sequence[str], references: Sequence[str]) -> str:
    seen, before, sent = (len({tuple(words(text)) for text in texts}) for texts in (candidate, champion, references))
    floor = max(VARIETY * min(before, sent) - SPARE_ITEMS, min(2, sent))
    if seen >= floor:
        return ""
    return f"only {seen} of {len(candidate)} answers differ from each other (champion: {before}, people: {sent})"


def _length(candidate: Sequence[str], champion: Sequence[str], references: Sequence[str]) -> str:
    mean, before, sent = (fmean(len(text.split()) for text in texts) for texts in (candidate, champion, references))
    if SHORTER * min(before, sent) <= mean <= LONGER * max(before, sent):
        return ""
    how = "longer" if mean > before else "shorter"
    return f"answers are merely {how}: {mean:.1f} words on average (champion: {before:.1f}, people: {sent:.1f})"
