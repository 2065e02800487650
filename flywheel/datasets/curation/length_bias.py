"""Pairs in which the longer side wins too often, or too seldom: DPO makes a habit of it.

Pairs that somebody chose are balanced to the nearer edge of the band; those of exempt rules (edits) are only reported.
The side that wins too often gives up pairs in each bin of the length ratio by that bin's excess, the least sure first,
so that not only the total is balanced. With fewer than 20 pairs nobody can tell a bias.
"""

import math

import polars as pl

from flywheel.datasets.curation.ruled import Ruled, because, by_reason
from flywheel.settings import Workload

LEAST = 20
RATIOS = (1.1, 1.25, 1.5, 2.0, 3.0)
"""Edges of the bins: how many times as long the longer side is."""


def length_bias(records: pl.DataFrame, rules: Workload) -> Ruled:
    asked = rules.curation
    told = _measured(records, asked.length_exempt)
    excess, winner = _excess(told, asked.longer_least, asked.longer_most)
    dropped = _dropped(told, winner, excess)
    kind = "longer" if winner else "shorter"
    reason = because(pl.lit(dropped), f"the {kind} side is preferred too often, in pairs of this length ratio too")
    kept = told.filter(~dropped)
    parts = [f"longer preferred in {_share(told, True)}, now in {_share(kept, True)}"]
    parts += [f"not balanced: longer preferred in {_share(told, False)}"]
    return by_reason(records, reason, detail="; ".join(part for part in parts if "n = 0" not in part))


def _measured(records: pl.DataFrame, exempt: tuple[str, ...]) -> pl.DataFrame:
    """Each record with which side is longer (null: no pair, or as long), in which bin, and whether it is balanced."""
    one, other = pl.col("chosen").str.len_chars(), pl.col("rejected").str.len_chars()
    ratio = pl.max_horizontal(one, other) / pl.min_horizontal(one, other).clip(1)
    rule = pl.col("rule").str.split(" ").list.first()
    return records.select(
        "record",
        "confidence",
        "weight",
        longer=pl.when(pl.col("rejected").is_not_null() & (one != other)).then(one > other),
        bin=pl.sum_horizontal(ratio > edge for edge in RATIOS),
        balanced=~rule.is_in(list(exempt)),
    )


def _excess(told: pl.DataFrame, least: float, most: float) -> tuple[dict[int, int], bool]:
    """How many pairs each bin must lose so that the whole stands in the band, and whether they are the longer-won."""
    pairs = told.filter("balanced", pl.col("longer").is_not_null())
    share = pairs["longer"].mean()
    if len(pairs) < LEAST or not isinstance(share, float) or least <= share <= most:
        return {}, True
    winner = share > most
    odds = most / (1 - most) if winner else (1 - least) / least
    won = (pl.col("longer") == winner).sum()
    bins = pairs.group_by("bin").agg(over=won - odds * (pl.len() - won)).sort("bin")
    total, over = math.ceil(round(bins["over"].sum(), 6)), bins["over"].clip(0)
    ideal = bins.with_columns(lost=over * total / over.sum()).with_columns(whole=pl.col("lost").floor())
    # What is left over by rounding goes where the fraction is greatest.
    ideal = ideal.sort(pl.col("whole") - pl.col("lost"), "bin").with_row_index("place")
    extra = pl.col("place") < total - pl.col("whole").sum()
    return dict(ideal.select("bin", (pl.col("whole") + extra).cast(pl.Int64)).iter_rows()), winner


def _dropped(told: pl.DataFrame, winner: bool, excess: dict[int, int]) -> pl.Series:
    """In each bin the least sure of the winning side, as many as its excess."""
    lost = pl.col("bin").replace_strict(excess or {0: 0}, default=0, return_dtype=pl.Int64)
    ranked = told.with_row_index("place").sort("confidence", "weight", "record")
    winning = pl.col("balanced") & (pl.col("longer") == winner).fill_null(False)
    ranked = ranked.with_columns(dropped=winning & (winning.cum_sum().over("bin") <= lost))
    return ranked.sort("place")["dropped"]


def _chosen(told: pl.DataFrame, balanced: bool) -> pl.Series:
    return told.filter(pl.col("balanced") == balanced)["longer"].drop_nulls()


def _share(told: pl.DataFrame, balanced: bool) -> str:
    longer = _chosen(told, balanced)
    return f"{longer.sum() / max(len(longer), 1):.2f} (n = {len(longer)})"
