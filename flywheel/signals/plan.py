"""What must be derived: whole conversations, cut into slices of the log that fit into memory.

A plan is a few tables on a DuckDB connection: `answers` (which answer belongs to which slice), `talks` (the
conversations of each slice), `spans` (the times at which something was logged of them), `waits` (feedback that will
still have no answer). Only narrow columns are read for it. Deriving the events belongs in `derive`, writing in `stage`.
"""

from collections.abc import Collection
from datetime import date
from pathlib import Path

import duckdb
import polars as pl

HERE = Path(__file__).parent
SLICE = 250_000
"""Events of a slice, about: what is derived at once."""

NARROW = "key, source, kind, id, time, workload, conversation, user, answer, parent, tags, may_train"

# Of an id that was logged with several contents only the latest is heard.
SUPERSEDED = """
    CREATE TEMP TABLE superseded AS SELECT key FROM events WHERE id_conflict
    QUALIFY row_number() OVER (PARTITION BY workload, source, kind, id ORDER BY time DESC, key DESC) > 1
"""

# Everything, or all conversations with an answer on one of some days. Those that last for days come last: the slices of
# the others then span little time each, and so few files.
WHOLE = """
    CREATE TEMP TABLE placed AS SELECT workload, id AS answer, talk, time::DATE AS day FROM ({talks});
    CREATE TEMP TABLE heard AS
        SELECT placed.workload, talk, min(time) AS low, max(time) AS high, count(*) AS n
        FROM logged JOIN placed ON placed.workload = logged.workload
            AND placed.answer = CASE kind WHEN 'response' THEN id ELSE logged.answer END
        GROUP BY ALL
        UNION ALL
        SELECT workload, conversation, min(time), max(time), count(*)
        FROM logged WHERE answer IS NULL AND kind <> 'response' AND conversation IS NOT NULL
        GROUP BY ALL;
    CREATE TEMP TABLE talks AS
        SELECT *, (sum(n) OVER (ORDER BY high - low > INTERVAL 2 DAY, low, workload, talk) // {slice})::INTEGER AS slice
        FROM (SELECT workload, talk, min(low) AS low, max(high) AS high, sum(n) AS n FROM heard GROUP BY ALL)
        SEMI JOIN (SELECT DISTINCT workload, talk FROM placed WHERE {wanted}) USING (workload, talk);
    CREATE TEMP TABLE spans AS SELECT slice, min(low) AS low, max(high) AS high FROM talks GROUP BY slice;
    CREATE TEMP TABLE answers AS SELECT workload, answer, slice FROM placed JOIN talks USING (workload, talk);
    CREATE TEMP TABLE waits AS
        SELECT key, workload, answer, conversation, time FROM logged
        ANTI JOIN placed USING (workload, answer) WHERE kind <> 'response' AND answer IS NOT NULL
        UNION ALL
        SELECT key, workload, answer, conversation, time FROM logged
        ANTI JOIN (SELECT workload, talk AS conversation FROM placed) USING (workload, conversation)
        WHERE kind <> 'response' AND answer IS NULL;
"""

# The conversations that `fresh` events belong to or speak of, those of a user's unnamed requests within the idle gap,
# and those that fell idle between the old and the new watermark.
NEW = """
    CREATE TEMP TABLE talks AS
        WITH spoken_of AS (
            SELECT *, CASE kind WHEN 'response' THEN id ELSE answer END AS about FROM fresh
        ), idle AS (SELECT to_seconds(3600 * idle_hours) AS gap FROM rules)
        SELECT exchanges.workload, exchanges.conversation AS talk FROM exchanges JOIN spoken_of
            ON exchanges.workload = spoken_of.workload AND exchanges.answer = about
        UNION
        SELECT workload, conversation FROM fresh
        WHERE conversation IS NOT NULL AND (kind = 'response' OR answer IS NULL)
        UNION
        SELECT exchanges.workload, exchanges.conversation FROM idle, exchanges JOIN fresh
            ON exchanges.workload = fresh.workload AND exchanges.user = coalesce(fresh.user, 'answer ' || fresh.id)
        WHERE fresh.kind = 'response' AND fresh.conversation IS NULL AND NOT named
            AND exchanges.time BETWEEN fresh.time - gap AND fresh.time + gap
        UNION
        SELECT workload, conversation FROM exchanges JOIN marks USING (workload)
        WHERE until >= old_closing AND until < new_closing;
    CREATE TEMP TABLE known AS
        SELECT workload, answer, day, conversation, parent, task, since, until FROM exchanges
        SEMI JOIN (SELECT workload, talk AS conversation FROM talks) USING (workload, conversation);
    CREATE TEMP TABLE answers AS
        SELECT workload, answer, 0 AS slice FROM known
        UNION SELECT workload, id, 0 FROM fresh WHERE kind = 'response';
    ALTER TABLE talks ADD COLUMN slice INTEGER DEFAULT 0;
    CREATE TEMP TABLE found AS
        SELECT * FROM waiting SEMI JOIN answers USING (workload, answer)
        UNION ALL
        SELECT waiting.* FROM waiting SEMI JOIN talks ON talks.workload = waiting.workload AND talk = conversation
        WHERE answer IS NULL;
    CREATE TEMP TABLE spans AS
        SELECT DISTINCT 0 AS slice, since AS low, until AS high FROM known
        UNION SELECT 0, time, time FROM fresh
        UNION SELECT 0, time, time FROM found;
    CREATE TEMP TABLE waits AS
        WITH acts AS (
            FROM (
                FROM waiting
                UNION SELECT key, workload, answer, conversation, time FROM fresh WHERE kind <> 'response'
            )
            WHERE key NOT IN (FROM superseded)
        )
        SELECT * FROM acts ANTI JOIN answers USING (workload, answer) WHERE answer IS NOT NULL
        UNION ALL
        SELECT * FROM acts ANTI JOIN (
            SELECT workload, conversation FROM exchanges
            SEMI JOIN (FROM acts WHERE answer IS NULL) USING (workload, conversation) WHERE named
            UNION SELECT workload, conversation FROM fresh WHERE kind = 'response'
        ) USING (workload, conversation) WHERE answer IS NULL;
"""


def hear(connection: duckdb.DuckDBPyConnection, rules: pl.DataFrame) -> None:
    """The events as readers take them."""
    connection.register("rules", rules.to_arrow())
    connection.execute(SUPERSEDED)
    connection.execute("CREATE VIEW logged AS FROM events WHERE key NOT IN (FROM superseded)")


def plan_whole(connection: duckdb.DuckDBPyConnection, days: Collection[date] | None = None) -> None:
    """Plan to derive everything, or whatever has an answer on one of these days."""
    wanted = "true" if days is None else f"day IN ({', '.join(f'DATE {day.isoformat()!r}' for day in days) or 'NULL'})"
    talks = (HERE / "talks.sql").read_text().replace("FROM events", "FROM logged")
    connection.execute(WHOLE.format(talks=talks, slice=SLICE, wanted=wanted))


def plan_new(connection: duckdb.DuckDBPyConnection, files: list[str], marks: pl.DataFrame) -> None:
    """Plan to derive what the events in these files and the new watermarks have changed."""
    connection.register("marks", marks.to_arrow())
    source = f"read_parquet({files})" if files else "events WHERE false"
    connection.execute(f"CREATE TEMP TABLE fresh AS SELECT {NARROW} FROM {source}")
    connection.execute(NEW)


def slices(connection: duckdb.DuckDBPyConnection) -> list[int]:
    return [number for (number,) in connection.sql("SELECT DISTINCT slice FROM answers ORDER BY slice").fetchall()]


def events_of(connection: duckdb.DuckDBPyConnection, files: pl.DataFrame, number: int) -> pl.DataFrame:
    """All events of one slice, read from the files that overlap its times."""
    connection.register("files", files.to_arrow())
    of_slice = f"(SELECT * FROM spans WHERE slice = {number})"
    low, high = connection.sql(f"SELECT min(low), max(high) FROM {of_slice}").fetchall()[0]
    overlapping = f"""
        SELECT file FROM files WHERE low IS NULL
            OR EXISTS (FROM {of_slice} AS spans WHERE spans.low <= files.high AND spans.high >= files.low)
    """
    names = [name for (name,) in connection.sql(overlapping).fetchall()]
    answers = connection.sql(f"SELECT workload, answer AS about FROM answers WHERE slice = {number}").pl().lazy()
    talks = connection.sql(f"SELECT workload, talk AS conversation FROM talks WHERE slice = {number}").pl().lazy()
    superseded = connection.sql("FROM superseded").pl().lazy()
    # Polars reads texts at half of DuckDB's price.
    log = pl.scan_parquet(names).filter(pl.col("time").is_between(low, high)).join(superseded, on="key", how="anti")
    response = pl.col("kind") == "response"
    about = pl.when(response).then("id").otherwise("answer")
    spoken = log.with_columns(about=about).join(answers, on=["workload", "about"], how="semi").drop("about")
    ends = log.filter(~response, pl.col("answer").is_null()).join(talks, on=["workload", "conversation"], how="semi")
    return pl.concat([spoken, ends]).collect(engine="streaming")
