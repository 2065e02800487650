"""What length alone wins is not won: the control column for a judge, which likes long answers.

The gate's estimate is the intercept of a line of the gain on this column (`flywheel.gate.compare`): the gain where both
answers are as long. People who edit shorten in three of four cases, so a raw judge would punish what they taught.
"""

import polars as pl


def control(items: pl.DataFrame, candidate: pl.DataFrame, champion: pl.DataFrame) -> pl.DataFrame:
    """`item, control` for each item that both answered: candidate's words minus champion's, in [-1, 1].

    The `tanh` of the difference over its root mean square: a few very long answers do not draw the line. The scale is
    taken about no difference and not about the mean, else a candidate that is longer everywhere would be 1 everywhere,
    and a line could not tell its length from its gain. Where the difference is the same everywhere it still cannot:
    such a control is no evidence, and `compare` must say so.
    """
    words = pl.col("text").str.extract_all(r"\S+").list.len().cast(pl.Float64)
    both = items.select("item").join(candidate.select("item", ours=words), on="item", how="inner")
    both = both.join(champion.select("item", theirs=words), on="item", how="inner").drop_nulls().sort("item")
    longer = pl.col("ours") - pl.col("theirs")
    scale = (longer**2).mean().sqrt()
    return both.select("item", control=pl.when(scale > 0).then((longer / scale).tanh()).otherwise(0.0))
