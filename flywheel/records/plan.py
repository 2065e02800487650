"""Which units must be derived, cut into slices that fit into memory.

A unit is what a record is derived from as a whole: a conversation, and where several conversations share one, the
answers to one parent or the runs of one task. The plan is the table `cut` on a DuckDB connection: kind and name of each
unit, its slice, and the days it spans. Only narrow columns are read for it.
"""

from collections.abc import Collection
from datetime import date

import duckdb
import polars as pl

from flywheel.lake import Lake
from flywheel.records.derive import UNITS, Unit

SLICE = 60_000
"""Exchanges of a slice, about: what is derived at once."""

# Only a parent or a task that several conversations share says more than each of them alone.
UNIT = """
    SELECT '{kind}' AS kind, workload, {kind} AS unit, min(day) AS low, max(day) AS high, count(*) AS n,
        min(conversation) <> max(conversation) AS shared, bool_or({wanted}) AS wanted
    FROM {exchanges} GROUP BY workload, {kind} HAVING wanted AND (shared OR kind = 'conversation')
"""

# Those that last for days come last: the slices of the others then span few days each.
CUT = """
    CREATE TEMP TABLE cut AS
    SELECT kind, workload, unit, low, high,
        (sum(n) OVER (PARTITION BY kind ORDER BY high - low > 2, low, workload, unit) // {slice})::INTEGER AS slice
    FROM ({units})
"""

TOUCHED = """(FROM exchanges SEMI JOIN (
    SELECT workload, unit[length('{kind} ') + 1:] AS {kind} FROM touched WHERE starts_with(unit, '{kind} ')
) USING (workload, {kind}))"""


def plan_whole(connection: duckdb.DuckDBPyConnection, days: Collection[date] | None = None) -> None:
    """Plan to derive everything, or whatever has an exchange on one of these days."""
    wanted = "true" if days is None else f"day IN ({', '.join(f'DATE {day.isoformat()!r}' for day in days) or 'NULL'})"
    _cut(connection, "exchanges", wanted)


def plan_touched(connection: duckdb.DuckDBPyConnection, touched: pl.DataFrame) -> None:
    """Plan to derive the units that the signals have replaced."""
    connection.register("touched", touched.to_arrow())
    _cut(connection, TOUCHED, "true")


def slices(connection: duckdb.DuckDBPyConnection) -> list[tuple[Unit, int]]:
    return connection.sql("SELECT DISTINCT kind, slice FROM cut ORDER BY kind, slice").fetchall()


def read(
    connection: duckdb.DuckDBPyConnection, lake: Lake, kind: Unit, number: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All exchanges of the units of one slice, and their signals."""
    mine = f"FROM cut WHERE kind = '{kind}' AND slice = {number}"
    low, high = connection.sql(f"SELECT min(low), max(high) {mine}").fetchall()[0]
    units = connection.sql(f"SELECT workload, unit AS {kind} {mine}").pl()
    exchanges = lake.pick("exchanges", units, low, high)
    return exchanges, lake.pick("signals", exchanges.select("workload", "answer"), low, high)


def _cut(connection: duckdb.DuckDBPyConnection, exchanges: str, wanted: str) -> None:
    units = " UNION ALL ".join(
        UNIT.format(kind=kind, exchanges=exchanges.format(kind=kind), wanted=wanted) for kind in UNITS
    )
    connection.execute(CUT.format(slice=SLICE, units=units))
