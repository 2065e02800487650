"""The records of a workload as one frame for curation: whose they are, which side of the wall they stand on, what bars
them.

What is then kept of them is decided by `curation`.
"""

from collections.abc import Mapping

import polars as pl

from flywheel.datasets.splits import side
from flywheel.lake import Lake
from flywheel.settings import Workload

KINDS = {"pairs": "pair", "demonstrations": "demonstration", "labels": "label"}
SIDES = {"completion": "chosen", "response": "chosen", "id": "record"}
ABSENT = {"rejected": pl.String, "desirable": pl.Boolean, "trajectory": pl.Boolean}


def candidates(lake: Lake, records: Mapping[str, pl.DataFrame], workload: str, rules: Workload) -> pl.DataFrame:
    """Pairs, demonstrations and labels; `barred` if an event of theirs must not be trained on, `split` by user."""
    together = pl.concat(
        [records[name].rename(SIDES, strict=False).with_columns(kind=pl.lit(kind)) for name, kind in KINDS.items()],
        how="diagonal",
    ).with_columns(pl.col("trajectory").fill_null(False))
    sides = {user: side(workload, user, rules) for user in together["user"].unique()}
    split = pl.col("user").replace_strict(sides, return_dtype=pl.String)
    return together.with_columns(split=split, barred=pl.lit(_barred(lake, together, workload, rules)))


def _barred(lake: Lake, records: pl.DataFrame, workload: str, rules: Workload) -> pl.Series:
    """Whether an event of the record is of an excluded tenant, or must not be trained on."""
    of_tenant = pl.col("tenant").is_in(list(rules.curation.excluded_tenants)).fill_null(False)
    events = lake.scan("events").filter(pl.col("workload") == workload, of_tenant | ~pl.col("may_train"))
    forbidden = events.select(event_ids="key").collect()
    of_record = records.select("event_ids").with_row_index("place").explode("event_ids")
    places = of_record.join(forbidden, on="event_ids", how="semi")["place"].unique()
    return pl.int_range(len(records), dtype=pl.UInt32, eager=True).is_in(places.implode())
