"""What the candidate unlearned: capability items that the champion gets right and the candidate wrong.

The capability set is what was never trained on: formats, tools, refusals, sums, another language. Counting its flips
belongs here; what follows from them belongs in `decide`.
"""

from math import comb
from typing import NamedTuple

import polars as pl

RIGHT = 0.5


class Forgetting(NamedTuple):
    """Flips over the capability items that both models answered.

    `chance` is how often luck alone gives as many forgotten ones or more, of as many flips, if truly half as many are
    forgotten as learned: the exact binomial tail at one third.
    """

    items: int
    holes: int
    forgotten: int
    learned: int
    chance: float


def flips(candidate: pl.DataFrame, champion: pl.DataFrame) -> Forgetting:
    """From rows of `item, score`, one an item: from 0.5 on it is right, null is a hole, as is a number that is none."""
    both = candidate.select("item", "score").join(
        champion.select("item", was="score"), on="item", how="full", coalesce=True, validate="1:1"
    )
    told = both.filter(pl.col("score").is_finite() & pl.col("was").is_finite())
    right, was = told["score"] >= RIGHT, told["was"] >= RIGHT
    forgotten, learned = int((was & ~right).sum()), int((~was & right).sum())
    chance = _tail(forgotten, forgotten + learned)
    return Forgetting(items=len(told), holes=len(both) - len(told), forgotten=forgotten, learned=learned, chance=chance)


def _tail(seen: int, of: int) -> float:
    """The chance of `seen` or more, each of `of` with chance one third; exact, since whole numbers are."""
    return sum(comb(of, hits) << (of - hits) for hits in range(seen, of + 1)) / 3**of
