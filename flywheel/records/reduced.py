"""Rankings -> pairs: the one place where a partial order of any size becomes preferences between two.

All strictly ordered pairs of a ranking share a weight of 1, so a long chain or a popular prompt counts no more than one
choice. Equal ranks are no order, two sides that read the same are no pair, and an answer beside what it was edited to
is one already (`edit_pair`).
"""

import polars as pl

ALONG = {"response": "responses", "rank": "ranks", "source": "sources", "origin": "origins", "place": "places"}


def reduced(rankings: pl.DataFrame) -> pl.DataFrame:
    """A row for each ordered pair, with the ranking's other columns.

    Beside its rank each response has its `sources`, the events it rests on, `origins`, the answers that gave it, and
    `places`, where they stood: the conversation of a sample, the answer itself of a chain. A pair spans several.
    """
    rankings = rankings.with_row_index("ranking")
    each = rankings.select("ranking", **{one: pl.col(many) for one, many in ALONG.items()}).explode(list(ALONG))
    pairs = each.join(each, on="ranking", suffix="_worse").filter(
        pl.col("rank") < pl.col("rank_worse"),
        pl.col("response") != pl.col("response_worse"),
        # Each side has an answer that the other has not.
        pl.col("origin").list.set_difference("origin_worse").list.len() > 0,
        pl.col("origin_worse").list.set_difference("origin").list.len() > 0,
        pl.col("place").list.set_union("place_worse").list.len() > 1,
    )
    sides = pairs.select(
        "ranking",
        chosen="response",
        rejected="response_worse",
        evidence=pl.concat_list("source", "source_worse"),
        share=1 / pl.len().over("ranking"),
    )
    told = rankings.drop(*ALONG.values(), "evidence")
    joined = sides.join(told, on="ranking").with_columns(weight=pl.col("weight") * pl.col("share"))
    return joined.drop("share", "ranking")
