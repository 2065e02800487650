"""What records the signals have outgrown, and their derivation: the units that were touched, or all if a rule changed.

The tables of records are written first, `derivations` last, so a run killed half-way does the same units again. Which
units those are belongs in `plan`, what they give in `derive`.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb
import polars as pl

from flywheel.compute import Progress, mapped, silent
from flywheel.lake import MEMORY, Lake
from flywheel.records import plan
from flywheel.records.derive import KINDS, RULES, Unit, derive
from flywheel.settings import Settings


@dataclass(frozen=True)
class Done:
    """What a derivation replaced: the days it wrote, and how many records of each kind it made."""

    days: list[date] = field(default_factory=list)
    records: dict[str, int] = field(default_factory=dict)


def stale_days(lake: Lake, settings: Settings) -> list[date]:
    """The days whose records were not made from their present signals under the present rules."""
    touched, whole = _touched(lake, settings)
    if touched.is_empty() and not whole:
        return []
    exchanges = lake.scan("exchanges").select(
        "day", "workload", unit=pl.concat_str(pl.lit("conversation "), "conversation")
    )
    if not whole:
        exchanges = exchanges.join(touched.lazy(), on=["workload", "unit"], how="semi")
    return exchanges.select(pl.col("day").unique().sort()).collect()["day"].to_list()


def catch_up(lake: Lake, settings: Settings, progress: Progress = silent) -> Done:
    """Make the records of what the signals have replaced since, or all of them if a rule changed."""
    with lake.writing():
        touched, whole = _touched(lake, settings)
        if touched.is_empty() and not whole:
            return Done()
        latest = int(lake.scan("touched").select(pl.col("batch").max()).collect().item() or 0)
        with lake.session("exchanges", memory=MEMORY) as connection, lake.aside("records") as folder:
            if whole:
                lake.doubt("records")
            plan.plan_whole(connection) if whole else plan.plan_touched(connection, touched)
            done = _derive_into(lake, settings, connection, folder, progress)
            for kind in KINDS:
                lake.publish(kind, folder, gone=None if whole else touched)
        row = {"stage": "records", "version": latest, "rules": _digest(settings), "watermarks": "{}"}
        lake.replace("derivations", pl.DataFrame([row]), {"stage": ["records"]})
        lake.overwrite("touched", lake.read("touched").filter(pl.col("batch") > latest))
    return done


def derive_days(lake: Lake, settings: Settings, days: Sequence[date], progress: Progress = silent) -> Done:
    """Make these days' records from the exchanges and signals in the lake and replace their rows."""
    with (
        lake.writing(),
        lake.session("exchanges", memory=MEMORY) as connection,
        lake.aside("records") as folder,
    ):
        touched, whole = _touched(lake, settings)
        if len(touched) or whole:
            lake.doubt("records")
        plan.plan_whole(connection, days)
        done = _derive_into(lake, settings, connection, folder, progress, only=days)
        for kind in KINDS:
            lake.publish(kind, folder, days=days)
    return done


def _derive_into(
    lake: Lake,
    settings: Settings,
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    progress: Progress,
    only: Sequence[date] | None = None,
) -> Done:
    """Slice by slice: read its exchanges and signals, make its records, put them aside."""
    slices = plan.slices(connection)

    def derived(whole: tuple[Unit, pl.DataFrame, pl.DataFrame]) -> tuple[set[date], dict[str, int]]:
        unit, exchanges, signals = whole
        records = derive(exchanges, signals, settings.records, settings.signals, (unit,))
        if only is not None:
            records = {kind: found.filter(pl.col("day").is_in(list(only))) for kind, found in records.items()}
        for kind, found in records.items():
            lake.stage(kind, found, folder)
        counts = {kind: len(found) for kind, found in records.items()}
        return {day for found in records.values() for day in found["day"].unique()}, counts

    days: set[date] = set()
    made: Counter[str] = Counter(dict.fromkeys(KINDS, 0))

    def read() -> Iterator[tuple[Unit, pl.DataFrame, pl.DataFrame]]:
        for unit, number in slices:
            exchanges, signals = plan.read(connection, lake, unit, number)
            yield unit, exchanges, signals

    for done, (found, counts) in enumerate(mapped(derived, read()), 1):
        days |= found
        made.update(counts)
        progress(done, len(slices))
    return Done(sorted(days), dict(made))


def _touched(lake: Lake, settings: Settings) -> tuple[pl.DataFrame, bool]:
    """The units to derive again; or that it is all of them."""
    state = lake.derived("records") or {"version": -1, "rules": ""}
    touched = (
        lake.scan("touched").filter(pl.col("batch") > state["version"]).select("workload", "unit").unique().collect()
    )
    other_rules = state["rules"] != _digest(settings)
    whole = lake.version("exchanges") >= 0 and (other_rules or bool(touched["unit"].null_count()))
    return touched.drop_nulls(), whole


def _digest(settings: Settings) -> str:
    rules = [settings.records.model_dump_json(), settings.signals.model_dump_json(), str(RULES)]
    return hashlib.sha256("\n".join(rules).encode()).hexdigest()[:32]
