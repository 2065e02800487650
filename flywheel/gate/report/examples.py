"""Some answers side by side, for a person to veto what numbers do not say: the worst losses, the best wins, and some at
random. Each answer is set against what was finally sent, word by word.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import NamedTuple

import polars as pl
from rapidfuzz.distance import Levenshtein

from flywheel.gate.report.markup import Html, join, tag

WORST, BEST, RANDOM = 15, 10, 15
"""Of each; with fewer losses or wins, more at random."""
MOST = 1_200
"""Characters of a text that are shown."""
COMPARED = 2_000
"""Words of a text that are compared."""
KEPT = 0.3
"""An answer of which less was kept is shown as it is: there is no comparing what has so little in common."""
_WORD = re.compile(r"\S+\s*")


class Example(NamedTuple):
    """One item of the three groups."""

    group: str
    item: str
    gain: float


def chosen(pairs: pl.DataFrame, candidate: Mapping[str, str], champion: Mapping[str, str]) -> list[Example]:
    """The same ones however often they are asked for: ties and the random ones go by the hash of the item."""
    known: list[tuple[str, float]] = pairs.filter(pl.col("gain").is_finite()).select("item", "gain").rows()
    by_hash = sorted((row for row in known if _differ(row[0], candidate, champion)), key=lambda row: _hash(row[0]))
    losses = [row for row in sorted(by_hash, key=lambda row: row[1]) if row[1] < 0][:WORST]
    wins = [row for row in sorted(by_hash, key=lambda row: -row[1]) if row[1] > 0][:BEST]
    taken = {item for item, _ in losses + wins}
    rest = [row for row in by_hash if row[0] not in taken][: WORST + BEST + RANDOM - len(taken)]
    groups = {"worst losses": losses, "best wins": wins, "at random": rest}
    return [Example(group, item, gain) for group, rows in groups.items() for item, gain in rows]


def against(answer: str, sent: str) -> Html:
    """The answer, with what people would have had to strike out and what to add to make it what they sent."""
    if not answer.strip():
        return short(answer)
    words, wanted = _words(answer), _words(sent)
    steps = Levenshtein.opcodes(_plain(words), _plain(wanted))
    if sum(step.src_end - step.src_start for step in steps if step.tag == "equal") < KEPT * len(words):
        return join(short(answer), tag("i", " (almost nothing of it was kept)"))
    shown, left = [], MOST
    for step in steps:
        old = "".join(words[step.src_start : step.src_end])
        new = "".join(wanted[step.dest_start : step.dest_end])
        if step.tag == "equal":
            shown.append(tag("span", old[:left]))
        else:
            shown.append(join(_marked("del", old[:left]), _marked("ins", new[:left])))
        left -= len(old) + (0 if step.tag == "equal" else len(new))
        if left <= 0:
            return join(*shown, tag("i", f" … cut: {len(answer):,} characters in all"))
    return join(*shown) if shown else tag("i", "(empty)")


def short(said: str) -> Html:
    """A text as far as it is shown."""
    if len(said) <= MOST:
        return join(said) if said.strip() else tag("i", "(empty)")
    return join(said[:MOST], tag("i", f" … cut: {len(said):,} characters in all"))


def _marked(how: str, said: str) -> Html:
    """Marked up to its last word: a line under spaces is no word."""
    words = said.rstrip()
    return join(tag(how, words) if words else None, said[len(words) :])


def _differ(item: str, candidate: Mapping[str, str], champion: Mapping[str, str]) -> bool:
    return item in candidate and item in champion and candidate[item] != champion[item]


def _hash(item: str) -> str:
    return hashlib.sha256(item.encode()).hexdigest()


def _words(said: str) -> list[str]:
    return _WORD.findall(said[: COMPARED * 20])[:COMPARED]


def _plain(words: list[str]) -> list[str]:
    return [word.strip().casefold() for word in words]
