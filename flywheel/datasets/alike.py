"""Which texts nearly repeat others: the same but for case, spacing and punctuation, or by most of their 5-word runs.

Exact, whatever the order: with a Jaccard likeness of at least `LIKE`, the smallest few runs of one text are also in the
other, so only texts that share one of those are compared. What follows from a repetition belongs to the caller.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from math import ceil

LIKE = 0.8
RUN = 5
WORD = re.compile(r"\w+")


def normalised(text: str) -> str:
    """The words of a text in lower case; a text without words is known by its signs."""
    return " ".join(WORD.findall(text.lower())) or text.strip()


def repeats(texts: Sequence[str], known: Iterable[str]) -> list[bool]:
    """Of each text, whether it nearly repeats a known one."""
    index: dict[int, list[frozenset[int]]] = defaultdict(list)
    for runs in {_runs(normalised(text)) for text in known}:
        for run in _prefix(runs):
            index[run].append(runs)
    found: dict[str, bool] = {}
    for text in texts:
        name = normalised(text)
        if name not in found:
            runs = _runs(name)
            found[name] = any(_alike(runs, other) for run in _prefix(runs) for other in index.get(run, ()))
    return [found[normalised(text)] for text in texts]


def repeated(texts: Sequence[str]) -> list[bool]:
    """Of each text, whether it nearly repeats another one of them."""
    counts = Counter(map(normalised, texts))
    index: dict[int, list[str]] = defaultdict(list)
    found: dict[str, bool] = {}
    runs = {name: _runs(name) for name in counts}
    for name in counts:
        others = {other for run in _prefix(runs[name]) for other in index[run]}
        near = [other for other in others if _alike(runs[name], runs[other])]
        found |= dict.fromkeys([*near, *[name] * bool(near)], True)
        for run in _prefix(runs[name]):
            index[run].append(name)
    return [counts[name] > 1 or found.get(name, False) for name in map(normalised, texts)]


def _runs(text: str) -> frozenset[int]:
    words = text.split(" ")
    runs = (words[start : start + RUN] for start in range(max(1, len(words) - RUN + 1)))
    return frozenset(int.from_bytes(hashlib.blake2b(" ".join(run).encode(), digest_size=8).digest()) for run in runs)


def _prefix(runs: frozenset[int]) -> list[int]:
    """Two sets as alike as `LIKE` share one of their smallest `size - ceil(LIKE * size) + 1` runs."""
    return sorted(runs)[: len(runs) - ceil(LIKE * len(runs)) + 1]


def _alike(one: frozenset[int], other: frozenset[int]) -> bool:
    shared = len(one & other)
    return shared >= LIKE * (len(one) + len(other) - shared)
