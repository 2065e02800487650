"""Records that are surely too long for the recipe: dropped here with a reason, never cut.

A word is at least one token to every tokenizer we know, so what is rejected here would be dropped by training too,
which counts real tokens. A text of long words or without spaces passes here and is left to that.
"""

import polars as pl

from flywheel.datasets.curation.ruled import Ruled, because, by_reason
from flywheel.settings import Workload

IN_JSON = 4  # `[{"role":`, `"user",`, `"content":`, `}]`: words of a message's JSON that nobody said


def too_long(records: pl.DataFrame, rules: Workload) -> Ruled:
    most = rules.recipe.max_length
    prompt = (_words("prompt") - IN_JSON * pl.col("prompt").str.count_matches('"role"', literal=True)).clip(0)
    words = prompt + pl.max_horizontal(_words("chosen"), _words("rejected"))
    return by_reason(records, because(words > most, words, f" words, more than the {most} tokens of recipe.max_length"))


def _words(column: str) -> pl.Expr:
    return pl.col(column).str.count_matches(r"\S+").cast(pl.Int64).fill_null(0)
