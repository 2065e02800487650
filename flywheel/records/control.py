"""The control experiment: the same records with every direction decided by chance.

If a wheel fed with these promotes anything, its gains do not come from what people did. Chance is drawn from each
record's id, so the same records are shuffled the same way in whatever order they stand. Failure cases and knowledge
gaps train nothing and stay as they are.
"""

import hashlib

import polars as pl


def shuffled(kind: str, records: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Decide by chance what carries the direction of this kind of record."""
    coins = [hashlib.sha256(f"{seed}/{record}".encode()).digest()[0] % 2 == 0 for record in records["id"]]
    heads = pl.Series(coins, dtype=pl.Boolean)
    match kind:
        case "pairs":
            chosen = pl.when(heads).then("chosen").otherwise("rejected")
            rejected = pl.when(heads).then("rejected").otherwise("chosen")
            return records.with_columns(chosen=chosen, rejected=rejected)
        case "demonstrations":
            return records.with_columns(completion=pl.when(heads).then("completion").otherwise("other"))
        case "rankings":
            ends = pl.col("ranks").list.min() + pl.col("ranks").list.max()
            return records.with_columns(ranks=pl.when(heads).then(ends - pl.col("ranks")).otherwise("ranks"))
        case "labels":
            desirable = pl.col("desirable")
            return records.with_columns(desirable=pl.when(heads).then(desirable).otherwise(~desirable))
        case _:
            return records
