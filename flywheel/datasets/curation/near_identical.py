"""Pairs whose sides hardly differ: DPO on them lowers the likelihood of both.

Measured in characters, so that a change of one word in a short answer stays and a comma in a long one goes.
"""

import polars as pl
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cpdist

from flywheel.datasets.curation.ruled import Ruled, because, by_reason
from flywheel.settings import Workload

AT_ONCE = 20_000


def near_identical(records: pl.DataFrame, rules: Workload) -> Ruled:
    least = rules.curation.identical
    lengths = [pl.col(name).str.len_chars().cast(pl.Float64) for name in ("chosen", "rejected")]
    # A difference in length is a difference: most pairs need no closer look.
    maybe = pl.col("rejected").is_not_null() & (
        (lengths[0] - lengths[1]).abs() < least * pl.max_horizontal(lengths).clip(1)
    )
    some = records.select("chosen", "rejected", maybe=maybe).with_row_index("place").filter("maybe")
    parts = [_same(part, least) for part in some.iter_slices(AT_ONCE)]
    places = pl.concat(parts) if parts else pl.Series([], dtype=pl.UInt32)
    alike = pl.int_range(pl.len(), dtype=pl.UInt32).is_in(places.implode())
    return by_reason(records, because(alike, f"the sides differ in less than {least:.0%} of their characters"))


def _same(pairs: pl.DataFrame, least: float) -> pl.Series:
    sides = pairs["chosen"].to_list(), pairs["rejected"].to_list()
    different = cpdist(*sides, scorer=Levenshtein.normalized_distance, score_cutoff=least, workers=-1)
    return pairs["place"].filter(pl.Series(different < least))
