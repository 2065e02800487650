"""Judges on loopback whose taste is known: what they read out of a request, and how they choose."""

import hashlib
import re
from collections.abc import Callable
from typing import Any

from tests.chat import Reply, completion

PARTS = re.compile(r"<<(conversation|answer A|answer B) (\w+)>>\n(.*?)\n<</\1 \2>>", re.DOTALL)
Choice = Callable[[str, str, str], str]


def parts(body: dict[str, Any]) -> tuple[str, str, str]:
    """The conversation and both answers, as the judge was shown them."""
    told = {name: text for name, _, text in PARTS.findall(body["messages"][-1]["content"])}
    return told["conversation"], told["answer A"], told["answer B"]


def choosing(choose: Choice, tokens: tuple[int, int] | None = (100, 1)) -> Callable[[int, dict[str, Any]], Reply]:
    """A judge that says A, B or TIE by a rule over (conversation, first, second)."""
    return lambda number, body: completion(choose(*parts(body)), tokens)


def longer(talk: str, first: str, second: str) -> str:
    """What judges do: the longer answer wins."""
    return "A" if len(first.split()) > len(second.split()) else "B"


def first_place(talk: str, first: str, second: str) -> str:
    """The other thing they do: the first answer wins."""
    return "A"


def chance(*texts: str) -> float:
    """A number in [0, 1) that belongs to these texts, in whatever order."""
    digest = hashlib.sha256("\0".join(sorted(texts)).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


def oracle(best: dict[frozenset[str], str], *, wrong: float, torn: float = 0.0) -> Choice:
    """Knows which of two texts is better; errs in a share of pairs, and in another share takes the first it sees."""

    def choose(talk: str, first: str, second: str) -> str:
        luck, right = chance(first, second), best[frozenset((first, second))]
        if luck < torn:
            return "A"
        good = "A" if first == right else "B"
        return good if luck >= torn + wrong else "AB".replace(good, "")

    return choose
