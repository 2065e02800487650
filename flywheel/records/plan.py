"""Which units must be derived, cut into slices that fit into memory.

A unit is what a record is derived from as a whole: a conversation, and where several conversations share one, the
answers to one parent or the runs of one task. The plan is the table `cut` on a DuckDB connection: kind and name of each
unit, its slice, and the days it spans. Only narrow columns are read for it.
"""

from collections.abc import Collection
from datetime import date

import duckdb
import polars as pl

from flywheel.records.derive import UNITS, Unit

SLICE = 60_000
"""Exchanges of a slice, about: what is derived at once."""

# Only a parent or a task that several conversations share says more than each of them alone.
UNIT = """
    SELECT '{kind}' AS kind, workload, {kind} AS unit, min(day) AS low, max(day) AS high, count(*) AS n,
        min(conversation) <> max(conversation) AS shared, bool_or({wanted}) AS wanted
    FROM exchanges GROUP BY workload, {kind} HAVING wanted AND (shared OR kind = 'conversation')
"""

# Those that last for days come last: the slices of the others then span few days each.
CUT = """
    CREATE TEMP TABLE cut AS
    SELECT kind, workload, unit, low, high,
        (sum(n) OVER (PARTITION BY kind ORDER BY high - low > 2, low, workload, unit) // {slice})::INTEGER AS slice
    FROM ({units})
"""

TOUCHED = "(workload, '{kind} ' || {kind}) IN (SELECT (workload, unit) FROM touched)"


def plan_whole(connection: duckdb.DuckDBPyConnection, days: Collection[date] | None = None) -> None:
    """Plan to derive everything, or whatever has an exchange on one of these days."""
    wanted = "true" if days is None else f"day IN ({', '.join(f'DATE {day.isoformat()!r}' for day in days) or 'NULL'})"
    _cut(connection, wanted)


def plan_touched(connection: duckdb.DuckDBPyConnection, touched: pl.DataFrame) -> None:
    """Plan to derive the units that the signals have replaced."""
    connection.register("touched", touched.to_arrow())
    _cut(connection, TOUCHED)


def slices(connection: duckdb.DuckDBPyConnection) -> list[tuple[Unit, int]]:
    return connection.sql("SELECT DISTINCT kind, slice FROM cut ORDER BY kind, slice").fetchall()


def read(connection: duckdb.DuckDBPyConnection, kind: Unit, number: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All exchanges of the units of one slice, and their signals."""
    mine = f"(SELECT * FROM cut WHERE kind = '{kind}' AND slice = {number})"
    low, high = connection.sql(f"SELECT min(low), max(high) FROM {mine}").fetchall()[0]
    between = f"day BETWEEN DATE '{low}' AND DATE '{high}'"
    exchanges = connection.sql(f"""
        SELECT * FROM (FROM exchanges WHERE {between}) AS e
        SEMI JOIN {mine} AS mine ON mine.workload = e.workload AND mine.unit = e.{kind}
    """).pl()
    connection.register("held", exchanges.select("workload", "answer").to_arrow())
    signals = connection.sql(f"FROM (FROM signals WHERE {between}) SEMI JOIN held USING (workload, answer)").pl()
    return exchanges, signals


def _cut(connection: duckdb.DuckDBPyConnection, wanted: str) -> None:
    units = " UNION ALL ".join(UNIT.format(kind=kind, wanted=wanted.format(kind=kind)) for kind in UNITS)
    connection.execute(CUT.format(slice=SLICE, units=units))
