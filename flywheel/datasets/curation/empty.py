"""Records with nothing in them: no request, or a side of less than two words."""

import polars as pl

from flywheel.datasets.curation.ruled import Ruled, because, by_reason
from flywheel.settings import Workload

# Of scripts without spaces each character counts as a word.
WORD = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]|[\p{L}\p{M}\p{N}]+"


def empty(records: pl.DataFrame, rules: Workload) -> Ruled:
    asked, chosen, rejected = (
        pl.col(name).str.head(500).str.count_matches(WORD) for name in ("asked", "chosen", "rejected")
    )
    return by_reason(
        records,
        pl.coalesce(
            because(asked == 0, "nothing is asked"),
            because(chosen < 2, "an answer of less than two words"),
            because(rejected < 2, "the other side has less than two words"),
        ),
    )
