"""What is known on two sides of a wall: nothing is measured, or steered by, what was trained on.

The sides are `train`, `development`, and the items by their role. What repeats what belongs in `near`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from flywheel.datasets.near import repeats

SIDE = ["side", "user", "conversation", "request"]


class Leaks(NamedTuple):
    """How much of a dataset stands on two sides; all zero, or nothing may be trained."""

    users: int
    conversations: int
    requests: int


def leaks(rows: pl.DataFrame, items: pl.DataFrame, forms: Sequence[str]) -> Leaks:
    """Users, conversations and requests, also nearly the same ones, that two sides know; forms make none alike."""
    trained = rows.select(pl.col("split").cast(pl.String).alias("side"), "user", "conversation", requests())
    held = items.select(pl.col("role").cast(pl.String).replace("retired", "eval").alias("side"), *SIDE[1:])
    known = pl.concat([trained, held])
    users, conversations = _shared(known, "user"), _shared(known, "conversation")
    return Leaks(users=users, conversations=conversations, requests=_repeated(known, forms))


def without(records: pl.DataFrame, known: pl.DataFrame, forms: Sequence[str]) -> pl.DataFrame:
    """The records that share no conversation with what is known, and ask nothing that nearly repeats it."""
    records = records.filter(~pl.col("conversation").is_in(known["conversation"].implode()))
    return records.filter(~repeats(records.select(requests()).to_series(), known["request"], forms))


def requests() -> pl.Expr:
    """The last message of each prompt, as `request`."""
    return pl.col("prompt").str.json_path_match("$[-1:].content").fill_null("").alias("request")


def _shared(known: pl.DataFrame, column: str) -> int:
    sides = known.group_by(column).agg(pl.col("side").n_unique())
    return len(sides.filter(pl.col("side") > 1))


def _repeated(known: pl.DataFrame, forms: Sequence[str]) -> int:
    """Requests of each side that nearly repeat one of the sides before it."""
    found, before = 0, known["request"].clear()
    for side in sorted(known["side"].unique()):
        asked = known.filter(side=side)["request"].unique()
        found += int(repeats(asked, before, forms).sum())
        before = pl.concat([before, asked])
    return found
