"""Looks at an eval set are counted and spent, so that trying long enough does not win.

Look number t may be wrong with chance alpha * 6 / (pi^2 t^2); over any number of looks these add up to at most alpha.
The rows lie in the table `looks`; writing them belongs to the caller.
"""

from dataclasses import dataclass
from math import pi

import polars as pl


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look at an eval set: its number, what it may spend, and whether it has yet to be written down."""

    look: int
    alpha: float
    is_new: bool


def spend(look: int, alpha: float) -> float:
    """What this look may spend of the whole."""
    return alpha * 6 / (pi * look) ** 2


def next_look(
    looks: pl.DataFrame, *, workload: str, eval_set: str, candidate: str, champion: str, alpha: float
) -> Look:
    """The next look at this eval set; the same two models again are the same look again, at what it spent then."""
    earlier = looks.filter(pl.col("workload") == workload, pl.col("eval_set") == eval_set)
    same = earlier.filter(pl.col("candidate") == candidate, pl.col("champion") == champion).sort("look")
    if len(same):
        return Look(look=same["look"][0], alpha=same["alpha"][0], is_new=False)
    number = 1 + max(earlier["look"], default=0)
    return Look(look=number, alpha=spend(number, alpha), is_new=True)
