"""What of the log is not derived yet, and its derivation: only what new events, the watermark or a rule have changed.

Tables are written in an order that survives a kill: `touched` (what the records must follow), `signals`, `exchanges`
(the index by which the same conversations are found again), `waiting`, and `derivations`, which says how far it went.
Which conversations those are belongs in `plan`, what they say in `derive`.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl

from flywheel.compute import Progress, mapped, silent
from flywheel.lake import MEMORY, Lake
from flywheel.settings import Settings
from flywheel.signals import plan
from flywheel.signals.calibration import digest
from flywheel.signals.classify import classifier
from flywheel.signals.derive import as_row, derive, rules_digest

ONCE = 300_000
"""With more new events, or answers to derive, than this at once, everything is derived, in slices."""


@dataclass(frozen=True)
class Done:
    """What a derivation replaced: the days it wrote, and the exchanges and signals of each kind that it found."""

    days: list[date] = field(default_factory=list)
    exchanges: int = 0
    signals: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """How far signals are derived: the version of `events`, the rules, each workload's watermark."""

    version: int
    rules: str
    watermarks: dict[str, datetime]


def stale_days(lake: Lake, settings: Settings) -> list[date]:
    """The days whose derived rows do not describe the log as it stands."""
    old, version = _state(lake), lake.version("events")
    if old is not None and (old.version, old.rules) == (version, _rules(lake, settings)):
        return []
    with _planned(lake, settings, old) as planned:
        return planned.days()


def catch_up(lake: Lake, settings: Settings, progress: Progress = silent) -> Done:
    """Derive what new events, the watermark or a changed rule have made stale, and nothing else."""
    with lake.writing():
        old, version = _state(lake), lake.version("events")
        if version < 0 or (old is not None and (old.version, old.rules) == (version, _rules(lake, settings))):
            return Done()
        with _planned(lake, settings, old) as planned, lake.aside("signals") as folder:
            if planned.whole:
                lake.doubt("signals")
            planned.tell_touched()
            done = planned.derive_into(folder, progress)
            planned.publish(folder, sorted({*done.days, *planned.known_days()}))
            lake.overwrite("waiting", planned.table("waits"))
            marks = {name: mark.isoformat() for name, mark in planned.marks.items()}
            row = {
                "stage": "signals",
                "version": version,
                "rules": _rules(lake, settings),
                "watermarks": json.dumps(marks),
            }
            lake.replace("derivations", pl.DataFrame([row]), {"stage": ["signals"]})
    return done


def derive_days(lake: Lake, settings: Settings, days: Sequence[date], progress: Progress = silent) -> Done:
    """Derive these days purely from the log and replace their rows; what else is stale stays so."""
    with lake.writing():
        if stale_days(lake, settings):
            lake.doubt("signals")
        with _planned(lake, settings, None, days) as planned, lake.aside("signals") as folder:
            planned.tell_touched()
            done = planned.derive_into(folder, progress)
            planned.publish(folder, sorted(days))
    return done


@dataclass(frozen=True)
class Planned:
    """A plan on its connection, and what it takes to carry it out."""

    lake: Lake
    settings: Settings
    connection: duckdb.DuckDBPyConnection
    marks: dict[str, datetime]
    whole: bool
    only: Sequence[date] | None = None

    def table(self, query: str) -> pl.DataFrame:
        return self.connection.sql(f"FROM {query}").pl()

    def days(self) -> list[date]:
        """The days that have a row of this plan now, or will have."""
        if self.whole:
            return self.table("(SELECT DISTINCT day FROM placed) ORDER BY day")["day"].to_list()
        fresh = self.table("(SELECT DISTINCT time::DATE AS day FROM fresh WHERE kind = 'response')")["day"]
        return sorted({*self.known_days(), *fresh})

    def known_days(self) -> list[date]:
        if self.whole:
            return []
        return self.table("(SELECT DISTINCT day FROM known)")["day"].to_list()

    def derive_into(self, folder: Path, progress: Progress) -> Done:
        """Slice by slice: read its events, derive them, put its rows aside."""
        files, numbers = self.lake.files("events"), plan.slices(self.connection)
        classify, audits = classifier(self.settings), self.lake.read("audits")

        def derived(events: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
            rules, slices = self.settings.signals, self.settings.slices
            made = derive(events, self.marks, rules, slices, classify=classify, audits=audits)
            mine = pl.lit(True) if self.only is None else pl.col("day").is_in(list(self.only))
            found, read = made.exchanges.filter(mine), made.signals.filter(mine)
            self.lake.stage("exchanges", found, folder)
            self.lake.stage("signals", read, folder)
            return found.select("day", *UNIT), read["kind"].value_counts()

        days: set[date] = set()
        exchanges, kinds = 0, pl.DataFrame(schema={"kind": pl.String, "count": pl.UInt32})
        slices = (plan.events_of(self.connection, files, number) for number in numbers)
        for done, (found, counts) in enumerate(mapped(derived, slices), 1):
            days |= set(found["day"].unique())
            exchanges, kinds = exchanges + len(found), pl.concat([kinds, counts])
            self._touch(found)
            progress(done, len(numbers))
        counted = kinds.group_by("kind").agg(pl.col("count").sum()).sort("kind")
        return Done(sorted(days), exchanges, dict(counted.iter_rows()))

    def tell_touched(self) -> None:
        """The units that records must follow, as they are known before anything is replaced."""
        if self.whole and self.only is None:
            self._write_touched(pl.DataFrame({"workload": [None], "unit": [None]}))
        elif not self.whole:
            self._touch(self.table("known"))
        else:
            mine = pl.col("day").is_in(list(self.only or []))
            self._touch(self.lake.scan("exchanges").filter(mine).select(*UNIT).collect())

    def _touch(self, exchanges: pl.DataFrame) -> None:
        if not (self.whole and self.only is None):
            self._write_touched(units(exchanges))

    def _write_touched(self, touched: pl.DataFrame) -> None:
        if len(touched):
            batch = 2 + self.lake.version("touched")  # rises with every write
            self.lake.add("touched", touched.with_columns(batch=pl.lit(batch, dtype=pl.Int64)))

    def publish(self, folder: Path, days: Sequence[date]) -> None:
        """The rows put aside take the place of the old ones; `exchanges` last."""
        for table in ("signals", "exchanges"):
            if self.whole:
                self.lake.publish(table, folder, days=self.only)
            else:
                self.lake.publish(table, folder, days=days, gone=self.table("(SELECT workload, answer FROM answers)"))


UNIT = ("workload", "conversation", "parent", "task")


def units(exchanges: pl.DataFrame) -> pl.DataFrame:
    """What records are derived from as a whole: these exchanges' conversations, parents and tasks."""
    named = [exchanges.select("workload", unit=pl.concat_str(pl.lit(f"{kind} "), kind)) for kind in UNIT[1:]]
    return pl.concat(named).unique()


@contextmanager
def _planned(
    lake: Lake, settings: Settings, old: State | None, days: Sequence[date] | None = None
) -> Iterator[Planned]:
    """Plan for what is new since `old`; without it, or under other rules, for everything (or for these days)."""
    fresh = lake.files("events", since=-1 if old is None else old.version)
    if old is not None and old.rules == _rules(lake, settings) and fresh["rows"].sum() <= ONCE:
        with _listening(lake, settings) as connection:
            marks = _watermarks(connection, fresh, old.watermarks)
            closing = _closing(old.watermarks, marks, timedelta(hours=settings.signals.idle_hours))
            plan.plan_new(connection, fresh["file"].to_list(), closing)
            if connection.sql("SELECT count(*) <= ? FROM answers", params=[ONCE]).fetchall() == [(True,)]:
                yield Planned(lake, settings, connection, marks, whole=False)
                return
    with _listening(lake, settings) as connection:
        marks = _watermarks(connection, fresh, {})
        plan.plan_whole(connection, days)
        yield Planned(lake, settings, connection, marks, whole=True, only=days)


@contextmanager
def _listening(lake: Lake, settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    with lake.session("events", "exchanges", "waiting", memory=MEMORY) as connection:
        plan.hear(connection, as_row(settings.signals))
        yield connection


def _watermarks(
    connection: duckdb.DuckDBPyConnection, fresh: pl.DataFrame, old: dict[str, datetime]
) -> dict[str, datetime]:
    """The greatest event time of each workload: the clock of derivation."""
    if old and fresh.is_empty():
        return old
    source = "events" if not old else f"read_parquet({fresh['file'].to_list()})"
    new = dict(connection.sql(f"SELECT workload, max(time) FROM {source} GROUP BY ALL").fetchall())
    return {name: max(mark for mark in (old.get(name), new.get(name)) if mark) for name in {*old, *new}}


def _closing(old: dict[str, datetime], new: dict[str, datetime], idle: timedelta) -> pl.DataFrame:
    """From when to when the last event of a conversation must lie for it to have closed meanwhile."""
    rows = [(name, old[name] - idle, mark - idle) for name, mark in new.items() if name in old]
    moment = pl.Datetime("us", "UTC")
    return pl.DataFrame(
        rows, schema={"workload": pl.String, "old_closing": moment, "new_closing": moment}, orient="row"
    )


def _rules(lake: Lake, settings: Settings) -> str:
    """A hash of everything but the log that decides what is derived: the rules, and what people said in audits."""
    return rules_digest(settings) + digest(lake.read("audits"))


def _state(lake: Lake) -> State | None:
    row = lake.derived("signals")
    if row is None:
        return None
    marks = {name: datetime.fromisoformat(mark) for name, mark in json.loads(row["watermarks"]).items()}
    return State(row["version"], row["rules"], marks)
