"""Signals as a pure function of (events, watermarks, rules): no lake, no clock."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from flywheel import settings
from flywheel.lake import connect
from flywheel.tables import SIGNAL_KINDS

HERE = Path(__file__).parent
VERSION = 2
"""Raise it when the meaning of a detector changes: every day is then derived again."""


@dataclass(frozen=True)
class Derived:
    """What some conversations say."""

    exchanges: pl.DataFrame
    signals: pl.DataFrame


def derive(
    events: pl.DataFrame,
    watermarks: Mapping[str, datetime],
    rules: settings.Signals,
    slices: Sequence[settings.Slice] = (),
) -> Derived:
    """Read whole conversations: `events` holds everything that was logged of each."""
    idle = timedelta(hours=rules.idle_hours)
    with connect() as connection:
        connection.register("events", events.to_arrow())
        connection.register("rules", pl.DataFrame([rules.model_dump()]).to_arrow())
        connection.register("sliced", slice_of_tags(events["tags"].unique().to_list(), slices).to_arrow())
        connection.register("watermarks", _closing_times(watermarks, idle).to_arrow())
        exchanges = connection.sql((HERE / "exchanges.sql").read_text()).pl()
        connection.register("exchanges", exchanges.to_arrow())
        found = [_detect(connection.sql((HERE / f"{kind}.sql").read_text()).pl(), kind) for kind in SIGNAL_KINDS]
    placed = exchanges.select("workload", "answer", "day", "conversation", "user", "slice", "model_version")
    signals = pl.concat(found).join(placed, on=["workload", "answer"])
    return Derived(exchanges, signals)


def slice_of_tags(tags: Sequence[str], slices: Sequence[settings.Slice]) -> pl.DataFrame:
    """Which slice each distinct set of tags falls into: the first rule that matches."""

    def first_match(written: str) -> str:
        carried = json.loads(written)
        matching = (rule.name for rule in slices if rule.tags.items() <= carried.items())
        return next(matching, "unassigned")

    return pl.DataFrame(
        {"tags": list(tags), "slice": [first_match(each) for each in tags]},
        schema={"tags": pl.String, "slice": pl.String},
    )


def _detect(found: pl.DataFrame, kind: str) -> pl.DataFrame:
    return found.select(
        pl.col("workload", "answer"),
        pl.lit(kind).alias("kind"),
        pl.col("value").cast(pl.Float64),
        pl.col("text", "other").cast(pl.String),
        pl.col("confidence").cast(pl.Float64),
        pl.lit(False).alias("audited"),
        pl.lit(f"{kind}@{VERSION}").alias("detector"),
        "event_ids",
    )


def _closing_times(watermarks: Mapping[str, datetime], idle: timedelta) -> pl.DataFrame:
    rows = {"workload": list(watermarks), "closed_before": [mark - idle for mark in watermarks.values()]}
    return pl.DataFrame(rows, schema={"workload": pl.String, "closed_before": pl.Datetime("us", "UTC")})
