"""What is known on two sides of a wall: nothing is measured, or steered by, what was trained on.

The sides are `train`, `development`, and the items by their role. What repeats what belongs in `near`.
"""

from typing import NamedTuple

import polars as pl

from flywheel.datasets.near import repeats

SIDE = ["side", "user", "conversation", "request"]


class Leaks(NamedTuple):
    """How much of a dataset stands on two sides; all zero, or nothing may be trained."""

    users: int
    conversations: int
    requests: int


def leaks(rows: pl.DataFrame, items: pl.DataFrame) -> Leaks:
    """Users, conversations and requests, also nearly the same ones, that two sides know."""
    trained = rows.select(pl.col("split").cast(pl.String).alias("side"), "user", "conversation", requests())
    held = items.select(pl.col("role").cast(pl.String).replace("retired", "eval").alias("side"), *SIDE[1:])
    known = pl.concat([trained, held])
    return Leaks(users=_shared(known, "user"), conversations=_shared(known, "conversation"), requests=_repeated(known))


def without(records: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The records that share no conversation with what is known, and ask nothing that nearly repeats it."""
    records = records.filter(~pl.col("conversation").is_in(known["conversation"].implode()))
    return records.filter(~repeats(records.select(requests()).to_series(), known["request"]))


def requests() -> pl.Expr:
    """The last message of each prompt, as `request`."""
    return pl.col("prompt").str.json_path_match("$[-1:].content").fill_null("").alias("request")


def _shared(known: pl.DataFrame, column: str) -> int:
    sides = known.group_by(column).agg(pl.col("side").n_unique())
    return len(sides.filter(pl.col("side") > 1))


def _repeated(known: pl.DataFrame) -> int:
    """Requests of each side that nearly repeat one of the sides before it."""
    found, before = 0, known["request"].clear()
    for side in sorted(known["side"].unique()):
        asked = known.filter(side=side)["request"].unique()
        found += int(repeats(asked, before).sum())
        before = pl.concat([before, asked])
    return found
