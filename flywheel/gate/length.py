"""What length alone wins is not won: the control column for a judge, which likes long answers.

The gate's estimate is the intercept of a line of the gain on this column (`flywheel.gate.compare`): the gain where both
answers are as long. People who edit shorten in three of four cases, so a raw judge would punish what they taught.
"""

import polars as pl


def control(items: pl.DataFrame, candidate: pl.DataFrame, champion: pl.DataFrame) -> pl.DataFrame:
    """`item, control` for each item that both answered."""
    both = items.select("item").join(candidate.select("item", ours="text"), on="item", how="inner")
    both = both.join(champion.select("item", theirs="text"), on="item", how="inner").drop_nulls().sort("item")
    return both.select("item", control=longer(both["ours"], both["theirs"]))


def longer(candidate: pl.Series, champion: pl.Series) -> pl.Series:
    """How much longer each answer is than the other one, in [-1, 1]: candidate's words minus champion's.

    The `tanh` of the difference over its root mean square: a few very long answers do not draw the line. The scale is
    taken about no difference and not about the mean, else a candidate that is longer everywhere would be 1 everywhere,
    and a line could not tell its length from its gain. Where the difference is the same everywhere it still cannot:
    such a control is no evidence, and `compare` must say so.
    """
    ours, theirs = (texts.str.count_matches(r"\S+").cast(pl.Float64) for texts in (candidate, champion))
    scale = float(((ours - theirs) ** 2).mean() or 0) ** 0.5  # pyright: ignore[reportArgumentType]
    return ((ours - theirs) / (scale or 1.0)).tanh()
