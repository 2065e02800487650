"""What every rule gives back: the records it kept and those it rejected, each with a reason in words."""

from typing import NamedTuple

import polars as pl


class Ruled(NamedTuple):
    """One rule's part of the funnel."""

    kept: pl.DataFrame
    rejected: pl.DataFrame
    """`record`, `kind` and `reason`."""
    marked: int = 0
    """Records that stay, but were changed or are worth a word."""
    detail: str = ""
    """What else there is to say, in words."""


def by_reason(records: pl.DataFrame, reason: pl.Expr, *, marked: int = 0, detail: str = "") -> Ruled:
    """Reject the records that have a reason."""
    judged = records.with_columns(reason=reason.cast(pl.String))
    rejected = judged.filter(pl.col("reason").is_not_null()).select("record", "kind", "reason")
    return Ruled(judged.filter(pl.col("reason").is_null()).drop("reason"), rejected, marked, detail)


def because(condition: pl.Expr, *words: str | pl.Expr) -> pl.Expr:
    """The reason where the condition holds; where it is null it does not hold."""
    said = [pl.lit(word) if isinstance(word, str) else word.cast(pl.String) for word in words]
    return pl.when(condition.fill_null(False)).then(pl.concat_str(said))


def surest(records: pl.DataFrame, by: list[str], most: pl.Expr) -> pl.Series:
    """Whether a record is among the `most` surest of its group; those equally sure by weight, then by their id."""
    ranked = records.select("record", "confidence", "weight", *by, most=most).with_row_index("place")
    ranked = ranked.sort("confidence", "weight", "record", descending=[True, True, False])
    ranked = ranked.with_columns(among=pl.int_range(pl.len()).over(by) < pl.col("most"))
    return ranked.sort("place")["among"]
