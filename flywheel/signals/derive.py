"""Signals as a pure function of (events, watermarks, rules): no lake, no clock.

Each signal is a `.sql` file or a module with `read(connection)` over the tables `exchanges`, `events`, `followups` and
`rules`; what its rows say is written in `docs/design/04-signals-and-records.md`.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl

from flywheel import settings
from flywheel.lake import connect
from flywheel.signals import edit, own
from flywheel.signals.calibration import calibrated
from flywheel.signals.cues import by_rules
from flywheel.signals.exchanges import exchanges
from flywheel.signals.followups import Classify, followups
from flywheel.tables import SIGNAL_KINDS, Signals

HERE = Path(__file__).parent
NEWEST = pl.CompatLevel.newest()  # string views: DuckDB reads the texts where Polars has them
VERSION = 5
"""Raise it when the meaning of a detector changes: everything is then derived again."""

# Signals that SQL cannot read; every other kind is `<kind>.sql`.
MODULES: dict[str, Callable[[duckdb.DuckDBPyConnection], pl.DataFrame]] = {"edit": edit.read}

# What a detector may leave out.
SAID = {"about": "", "detail": None, "text": None, "other": None, "weight": 1.0}
PLACED = ["workload", "answer", "day", "conversation", "user", "slice", "model_version"]


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
    *,
    classify: Classify = by_rules,
    audits: pl.DataFrame | None = None,
) -> Derived:
    """Read whole conversations: `events` holds everything that was logged of each, and nothing that was superseded."""
    idle = timedelta(hours=rules.idle_hours)
    with connect() as connection:
        connection.register("events", events.to_arrow(compat_level=NEWEST))
        connection.register("rules", as_row(rules).to_arrow())
        connection.register("sliced", slice_of_tags(events["tags"].unique().to_list(), slices).to_arrow())
        connection.register("watermarks", _closing_times(watermarks, idle).to_arrow())
        connection.execute(f"CREATE TEMP TABLE placed AS {(HERE / 'talks.sql').read_text()}")
        made = exchanges(connection, events)
        connection.register("exchanges", made.to_arrow(compat_level=NEWEST))
        connection.register("followups", followups(connection, made, rules, classify).to_arrow())
        found = [_detect(connection, kind) for kind in SIGNAL_KINDS if kind not in rules.off]
        found += [_own(connection, signal) for signal in rules.own if signal.name not in rules.off]
    signals = pl.concat([*found, Signals.create_empty().select(found_columns())], how="vertical_relaxed")
    if audits is not None:
        signals = calibrated(signals, audits)
    return Derived(made, signals.join(made.select(PLACED), on=["workload", "answer"]))


def found_columns() -> list[str]:
    """The columns that a detector gives; where the exchange stands is joined."""
    return [name for name in Signals.columns() if name not in PLACED[2:]]


def rules_digest(read: settings.Settings) -> str:
    """A hash of everything but the log that decides what is derived."""
    reached_how = {"classifier": {"key", "timeout_seconds"}}
    rules = [
        str(VERSION),
        read.signals.model_dump_json(exclude=reached_how),
        *(rule.model_dump_json() for rule in read.slices),
        *(own.version(signal) for signal in read.signals.own if signal.name not in read.signals.off),
    ]
    return hashlib.sha256("\n".join(rules).encode()).hexdigest()[:32]


def as_row(rules: settings.Signals) -> pl.DataFrame:
    """The rules that SQL can read, as the one row of the table `rules`."""
    plain = rules.model_dump(exclude={"classifier", "own", "off"})
    lists = {
        name: pl.Series([list(value)], dtype=pl.List(pl.String))
        for name, value in plain.items()
        if isinstance(value, tuple)
    }
    return pl.DataFrame({name: lists.get(name, [value]) for name, value in plain.items()})


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


def _detect(connection: duckdb.DuckDBPyConnection, kind: str) -> pl.DataFrame:
    """One kind's rows; what the detector leaves out is filled in."""
    if kind in MODULES:
        found = MODULES[kind](connection)
    elif (HERE / f"{kind}.sql").exists():
        found = connection.sql((HERE / f"{kind}.sql").read_text()).pl()
    else:
        return Signals.create_empty().select(found_columns())
    return _marked(found, kind, f"{kind}@{VERSION}")


def _own(connection: duckdb.DuckDBPyConnection, signal: settings.OwnSignal) -> pl.DataFrame:
    return _marked(own.read(connection, signal), signal.name, f"{signal.name}@{own.version(signal)}")


def _marked(found: pl.DataFrame, kind: str, detector: str) -> pl.DataFrame:
    unsaid = [pl.lit(value).alias(name) for name, value in SAID.items() if name not in found.columns]
    marked = found.with_columns(*unsaid, kind=pl.lit(kind), audited=pl.lit(False), detector=pl.lit(detector))
    return marked.select(
        pl.col(name).cast(column.dtype) for name, column in Signals.columns().items() if name not in PLACED[2:]
    )


def _closing_times(watermarks: Mapping[str, datetime], idle: timedelta) -> pl.DataFrame:
    rows = {"workload": list(watermarks), "closed_before": [mark - idle for mark in watermarks.values()]}
    return pl.DataFrame(rows, schema={"workload": pl.String, "closed_before": pl.Datetime("us", "UTC")})
