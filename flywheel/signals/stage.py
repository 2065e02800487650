"""Which days the log has outgrown, and their derivation anew.

A day's fingerprint covers every event of every conversation that has an answer on it, which of them the watermark has
closed, and the rules. So late feedback, a conversation that falls idle and a changed rule all make their days stale,
and a run killed half-way finds its days stale again: `derivations` is written last.
"""

import hashlib
from collections.abc import Sequence
from datetime import date, datetime

import polars as pl

from flywheel.lake import Lake
from flywheel.settings import Settings
from flywheel.signals.derive import VERSION, Derived, derive

# Each event with the conversation it belongs to; feedback takes its answer's. A conversation nobody named is its
# user's log.
TALKS = """
    WITH responses AS (
        SELECT workload, id, time::DATE AS day, coalesce(conversation, 'user ' || user, 'answer ' || id) AS talk
        FROM events WHERE kind = 'response'
    ),
    talks AS (
        SELECT events.key, events.time, responses.workload, talk, day
        FROM events JOIN responses
            ON responses.workload = events.workload AND responses.id = coalesce(events.answer, events.id)
        WHERE events.kind = 'response' OR events.answer IS NOT NULL
    )
"""

FINGERPRINTS = (
    TALKS
    + """,
    marks AS (SELECT workload, max(time) AS watermark FROM events GROUP BY ALL),
    told AS (
        SELECT workload, talk, md5(string_agg(DISTINCT key, '' ORDER BY key)) AS content,
            count(*) FILTER (WHERE time < watermark - to_seconds(3600 * {idle_hours})) AS closed
        FROM talks JOIN marks USING (workload) GROUP BY ALL
    )
    SELECT day, md5(string_agg(content || closed, '' ORDER BY content) || '{rules}') AS fingerprint
    FROM (SELECT DISTINCT workload, talk, day FROM talks) JOIN told USING (workload, talk)
    GROUP BY day ORDER BY day
"""
)

EVENTS_OF_DAYS = (
    TALKS
    + """
    SELECT * FROM events WHERE key IN (
        SELECT key FROM talks
        WHERE (workload, talk) IN (SELECT (workload, talk) FROM talks WHERE day IN ({days}))
    )
"""
)


def stale_days(lake: Lake, settings: Settings) -> list[date]:
    """The days whose derived rows do not describe the log as it stands."""
    now = fingerprints(lake, settings)
    done = lake.read("derivations").filter(pl.col("stage") == "signals")
    return now.join(done, on=["day", "fingerprint"], how="anti")["day"].to_list()


def derive_days(lake: Lake, settings: Settings, days: Sequence[date]) -> Derived:
    """Derive these days purely from the lake and replace their rows; `derivations` marks them done."""
    with lake.writing():
        marks = fingerprints(lake, settings).filter(pl.col("day").is_in(list(days)))
        events = events_of(lake, days)
        derived = derive(events, watermarks(lake), settings.signals, settings.slices)
        of_days = pl.col("day").is_in(list(days))
        derived = Derived(derived.exchanges.filter(of_days), derived.signals.filter(of_days))
        where = {"day": list(days)}
        lake.replace("exchanges", derived.exchanges, where)
        lake.replace("signals", derived.signals, where)
        lake.replace("derivations", marks.with_columns(stage=pl.lit("signals")), where | {"stage": ["signals"]})
    return derived


def fingerprints(lake: Lake, settings: Settings) -> pl.DataFrame:
    """What each day of the log holds now, as (day, fingerprint)."""
    rules = [str(VERSION), settings.signals.model_dump_json(), *(rule.model_dump_json() for rule in settings.slices)]
    digest = hashlib.sha256("\n".join(rules).encode()).hexdigest()
    return lake.sql(FINGERPRINTS.format(idle_hours=settings.signals.idle_hours, rules=digest))


def watermarks(lake: Lake) -> dict[str, datetime]:
    """The greatest event time of each workload: the clock of derivation."""
    greatest = lake.scan("events").group_by("workload").agg(pl.col("time").max()).collect()
    return dict(greatest.iter_rows())


def events_of(lake: Lake, days: Sequence[date]) -> pl.DataFrame:
    """All events of every conversation with an answer on one of these days."""
    wanted = ", ".join(f"DATE '{day}'" for day in days) or "NULL"
    return lake.sql(EVENTS_OF_DAYS.format(days=wanted))
