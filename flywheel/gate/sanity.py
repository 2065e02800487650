"""What no score can make good: answers that are empty, all alike, copied, cut off, circling, over-long, in another
language, or written for a judge.

Only the texts are looked at, never a score. Each fault is one sentence with its numbers; thresholds are relative to the
champion and to what people sent, because what is normal differs from workload to workload.
"""

import re
from collections.abc import Callable, Sequence
from math import sqrt
from statistics import fmean

from flywheel.gate.language import language
from flywheel.gate.scorers.sent import words

# A fault may be this much more frequent than with the champion (or people): one point, but never fewer than two items,
# since on a small set a single unlucky draw is more than a point.
MORE_FAULTS = 0.01
SPARE_ITEMS = 2
# How a text ends, how long it is, how much it repeats of the prompt: habits too, so it takes more points.
MORE_HABIT = 0.05
# So many standard deviations apart lie two equal models by chance, one time in forty.
CHANCE = 2
# Of more items as many are looked at, evenly drawn: shares are then known to a point, and the texts read in seconds.
LOOKED_AT = 5_000
# Of the variety that both the champion and the people show, this much must be left; less is a model on one answer.
VARIETY = 0.95
# Mean length may leave the span between champion and people by this much: moving towards the people is always right.
SHORTER, LONGER = 0.8, 1.25
# One answer is over-long beyond so many times the longer of what the champion said and people sent, and some words.
OVERLONG, OVERLONG_WORDS = 3, 20
# An answer goes in circles when more than this share of its runs of four words was there before.
CIRCLING, RUN = 0.20, 4
# An answer is copied when at least this share of its runs of four words stands in the prompt.
COPIED = 0.8

# What is said to a judge and to nobody else. Single finds may be innocent, so they count against champion and people.
_JUDGE, _BEST = "(?:judge|evaluator|grader|rater)", "(?:better|best|superior|correct|winner|preferred|chosen)"
_ADVERBS = "(?:clearly |much |the |far |obviously )*"
TO_A_JUDGE = re.compile(
    "|".join(
        [
            r"(?:ignore|disregard|forget) (?:all |any |the |these |your )*(?:previous|prior|above|earlier|other) "
            r"(?:instructions?|prompts?|rules|text|answers?|criteria)",
            rf"\bas an? (?:\w+ )?{_JUDGE}\b|\b(?:dear|attention,?|note to(?: the)?) {_JUDGE}\b",
            r"\[\[(?-i:A|B|C|TIE)\]\]|\brating: ?\[\[\d+\]\]|<</?(?:answer|conversation)\b",
            rf"\b(?:answer|response|assistant|output|option) [ab] is {_ADVERBS}{_BEST}",
            r"\b(?:choose|pick|select|prefer|vote for|rate|score) (?:this|my) (?:answer|response|output)",
            rf"\bthis (?:answer|response) (?:is|should be) {_ADVERBS}{_BEST}",
            r"\b(?:score|rating|grade)\b\W{0,3}(?:10|5) ?(?:/|out of) ?(?:10|5)\b",
            r"\bmy (?:final )?verdict\b|\breply (?:only )?(?:with )?[\"']?(?-i:[AB])\b",
        ]
    ),
    re.IGNORECASE,
)
# A sentence does not end in a letter, a digit or one of these.
GOES_ON = frozenset(",;:-\u2013\u2014(/&+<=")


def faults(
    candidate: Sequence[str],
    champion: Sequence[str],
    references: Sequence[str] = (),
    *,
    prompts: Sequence[str] = (),
    at_limit: tuple[Sequence[bool], Sequence[bool]] | None = None,
) -> list[str]:
    """Why the candidate cannot win, over the items that both models answered; empty when it may be compared.

    Texts stand in the order of the items. Without `references`, what people sent, the champion alone is the measure;
    `prompts` are what people asked; `at_limit` says of candidate and champion which answers took all tokens they had.
    """
    if not candidate:
        return []
    step = -(-len(candidate) // LOOKED_AT)
    candidate, champion, references, prompts = (each[::step] for each in (candidate, champion, references, prompts))
    sent = references or champion
    found = [
        _more("empty", [_empty(text) for text in candidate], [_empty(text) for text in champion]),
        _alike(candidate, champion, sent),
        _more("going in circles", [circles(text) for text in candidate], [circles(text) for text in champion]),
        _copied(candidate, champion, references, prompts),
        _by_text("cut off in mid-sentence", unfinished, candidate, champion, references, MORE_HABIT),
        _more("stopped by the token limit", *(each[::step] for each in at_limit), more=MORE_HABIT) if at_limit else "",
        _overlong(candidate, champion, references),
        _length(candidate, champion, sent),
        _strange(candidate, champion, sent),
        _by_text("written for a judge", to_a_judge, candidate, champion, references, MORE_FAULTS),
    ]
    return [each for each in found if each]


# ---- one answer -----------------------------------------------------------------------------------------------------


def circles(text: str) -> bool:
    """It says the same four words over and over."""
    runs = _runs(text)
    return bool(runs) and 1 - len(set(runs)) / len(runs) > CIRCLING


def copied(text: str, prompt: str) -> bool:
    """Nearly all of it stands in the prompt, word for word."""
    runs = _runs(text)
    if not runs:
        return False
    given = set(_runs(prompt))
    return sum(run in given for run in runs) >= COPIED * len(runs)


def unfinished(text: str) -> bool:
    """It ends where no sentence and no block of code ends."""
    ended = text.rstrip().rstrip("*_`")
    return bool(ended) and (ended[-1].isalnum() or ended[-1] in GOES_ON or text.count("```") % 2 == 1)


def to_a_judge(text: str) -> bool:
    """It holds words that only a judge would heed."""
    return TO_A_JUDGE.search(text) is not None


def _runs(text: str) -> list[tuple[str, ...]]:
    said = words(text)
    return list(zip(*(said[start:] for start in range(RUN)), strict=False))


def _empty(text: str) -> bool:
    return not text.strip()


# ---- all answers ----------------------------------------------------------------------------------------------------


def _more(
    fault: str,
    candidate: Sequence[bool],
    champion: Sequence[bool],
    people: Sequence[bool] = (),
    *,
    more: float = MORE_FAULTS,
) -> str:
    n, normal = len(candidate), max(sum(champion), sum(people))
    if sum(candidate) <= normal + max(more * n, SPARE_ITEMS, CHANCE * sqrt(2 * normal * (1 - normal / n))):
        return ""
    sent = f", people: {sum(people)}" if people else ""
    return f"{sum(candidate)} of {n} answers are {fault} (champion: {sum(champion)}{sent})"


def _by_text(
    fault: str,
    has: Callable[[str], bool],
    candidate: Sequence[str],
    champion: Sequence[str],
    people: Sequence[str],
    more: float,
) -> str:
    found = ([has(text) for text in texts] for texts in (candidate, champion, people))
    return _more(fault, *found, more=more)


def _copied(candidate: Sequence[str], champion: Sequence[str], people: Sequence[str], prompts: Sequence[str]) -> str:
    if not prompts:
        return ""
    texts = (candidate, champion, people)
    found = ([copied(*pair) for pair in zip(side, prompts, strict=True)] if side else [] for side in texts)
    return _more("copied from the prompt", *found, more=MORE_HABIT)


def _alike(candidate: Sequence[str], champion: Sequence[str], references: Sequence[str]) -> str:
    seen, before, sent = (len({tuple(words(text)) for text in texts}) for texts in (candidate, champion, references))
    floor = max(VARIETY * min(before, sent) - SPARE_ITEMS, min(2, sent))
    if seen >= floor:
        return ""
    return f"only {seen} of {len(candidate)} answers differ from each other (champion: {before}, people: {sent})"


def _overlong(candidate: Sequence[str], champion: Sequence[str], people: Sequence[str]) -> str:
    """Each model beside the other one and, where that is known, what people sent."""
    ours, theirs, sent = ([len(text.split()) for text in texts] for texts in (candidate, champion, people))
    sent = sent or [0] * len(ours)
    fault = f"over-long, beyond {OVERLONG} times what the other model said and people sent"
    return _more(fault, _beyond(ours, theirs, sent), _beyond(theirs, ours, sent), more=MORE_HABIT)


def _beyond(lengths: Sequence[int], others: Sequence[int], limits: Sequence[int]) -> list[bool]:
    each = zip(lengths, others, limits, strict=True)
    return [length > OVERLONG * max(other, limit) + OVERLONG_WORDS for length, other, limit in each]


def _length(candidate: Sequence[str], champion: Sequence[str], references: Sequence[str]) -> str:
    mean, before, sent = (fmean(len(text.split()) for text in texts) for texts in (candidate, champion, references))
    if SHORTER * min(before, sent) <= mean <= LONGER * max(before, sent):
        return ""
    how = "longer" if mean > before else "shorter"
    return f"answers are merely {how}: {mean:.1f} words on average (champion: {before:.1f}, people: {sent:.1f})"


def _strange(candidate: Sequence[str], champion: Sequence[str], sent: Sequence[str]) -> str:
    """Against the language of what people sent to the same request."""
    ours, theirs, wanted = ([language(text) for text in texts] for texts in (candidate, champion, sent))
    strange = [said.other_than(right) for said, right in zip(ours, wanted, strict=True)]
    found = _more(
        "in another language than what people sent",
        strange,
        [said.other_than(right) for said, right in zip(theirs, wanted, strict=True)],
    )
    if not found:
        return ""
    said, right = next(pair for pair, odd in zip(zip(ours, wanted, strict=True), strange, strict=True) if odd)
    return f"{found}, such as {said} where {right} was wanted"
