"""What length alone wins is not won: the control column for a judge, which likes long answers, and what it cannot do.

The gate's estimate is the intercept of a line of the gain on this column (`flywheel.gate.compare`): the gain where both
answers are as long. People who edit shorten in three of four cases, so a raw judge would punish what they taught.
"""

import polars as pl

from flywheel.gate.compare import length_control

OTHER_SIDE = 0.05
"""Share of items on which each model must be the longer one, or both as long. With fewer the line is drawn far from
where anything was seen, and 200 made candidates that were only longer won 29 times in place of 5."""


def control(items: pl.DataFrame, candidate: pl.DataFrame, champion: pl.DataFrame) -> pl.DataFrame:
    """`item, control` for each item that both answered: how much longer the candidate's answer is."""
    both = items.select("item").join(candidate.select("item", ours="text"), on="item", how="inner")
    both = both.join(champion.select("item", theirs="text"), on="item", how="inner").drop_nulls().sort("item")
    return both.select("item", control=length_control(both["ours"], both["theirs"]))


def inseparable(column: pl.Series) -> str:
    """Why a judge's gain cannot be told from what length wins; empty where it can."""
    if not (column != 0).any():
        return ""
    for side, most in (("longer", column > 0), ("shorter", column < 0)):
        share = most.sum() / len(column)
        if share > 1 - OTHER_SIDE:
            return (
                f"the candidate's answer is the {side} one in {share:.0%} of {len(column)} items: what length does to"
                f" the judge cannot be told from what the answers are worth, at most {1 - OTHER_SIDE:.0%} may be"
            )
    return ""
