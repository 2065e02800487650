"""The records of a workload as one frame for curation: whose they are, which side of the wall they stand on, what bars
them.

What is then kept of them is decided by `curation`.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from flywheel.datasets.leakage import without
from flywheel.datasets.splits import apart, side
from flywheel.lake import Lake
from flywheel.settings import Workload

KINDS = {"pairs": "pair", "demonstrations": "demonstration", "labels": "label"}
SIDES = {"completion": "chosen", "response": "chosen", "id": "record"}


def candidates(
    lake: Lake,
    records: Mapping[str, pl.DataFrame],
    items: pl.DataFrame,
    forms: Sequence[str],
    *,
    workload: str,
    rules: Workload,
) -> pl.DataFrame:
    """Pairs, demonstrations and labels: `barred` if an event of theirs must not be trained on, `split` by user, and in
    `two_sides` why the record must not stand where it does.
    """
    together = pl.concat(
        [records[name].rename(SIDES, strict=False).with_columns(kind=pl.lit(kind)) for name, kind in KINDS.items()],
        how="diagonal",
    ).with_columns(pl.col("trajectory").fill_null(False))
    sides = {user: side(workload, user, rules) for user in together["user"].unique()}
    split = pl.col("user").replace_strict(sides, return_dtype=pl.String)
    placed = together.with_columns(split=split, barred=pl.lit(_barred(lake, together, workload, rules)))
    return placed.with_columns(two_sides=pl.lit(_two_sides(placed, items, forms)))


def _two_sides(records: pl.DataFrame, items: pl.DataFrame, forms: Sequence[str]) -> pl.Series:
    """What a record shares with the eval items, or one that steers training with those that train; null for most."""
    rows = (
        records.select("split", "day", "conversation", "prompt")
        .with_row_index("place")
        .filter(pl.col("split") != "eval")
    )
    alone = without(rows, items, forms)
    kept = apart(alone, forms)["place"]
    place = pl.int_range(pl.len(), dtype=pl.UInt32)
    return records.select(
        pl.when(pl.col("split") == "eval").then(None)
        .when(~place.is_in(alone["place"].implode())).then(pl.lit("shares a talk or a request with an eval item"))
        .when(~place.is_in(kept.implode())).then(pl.lit("would steer training and is old, or shares what trains"))
    ).to_series()  # fmt: skip


def _barred(lake: Lake, records: pl.DataFrame, workload: str, rules: Workload) -> pl.Series:
    """Whether an event of the record is of an excluded tenant, or must not be trained on."""
    of_tenant = pl.col("tenant").is_in(list(rules.curation.excluded_tenants)).fill_null(False)
    events = lake.scan("events").filter(pl.col("workload") == workload, of_tenant | ~pl.col("may_train"))
    forbidden = events.select(event_ids="key").collect()
    of_record = records.select("event_ids").with_row_index("place").explode("event_ids")
    places = of_record.join(forbidden, on="event_ids", how="semi")["place"].unique()
    return pl.int_range(len(records), dtype=pl.UInt32, eager=True).is_in(places.implode())
