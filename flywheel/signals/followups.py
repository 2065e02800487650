"""What came next: each answer with the next request of its conversation, and what that request says about the answer.

Cheap cues make candidates of a few: likeness to the request before, hurry, words of complaint, correction or thanks. A
classifier reads those (`cues` by rules, `asked` by a model), one of five ways or "nothing"; all others say nothing.
Likeness alone is no dissatisfaction: people ask about the next thing in nearly the same words.
"""

from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl

from flywheel import settings
from flywheel.signals import cues

READINGS = ("rephrase", "correction", "complaint", "clarification", "thanks", "nothing")
COLUMNS = ["workload", "answer", "key", "next_answer", "next_key", "next_time", "gap", "likeness", "said"]
COLUMNS += ["reading", "confidence"]
SQL = Path(__file__).with_suffix(".sql").read_text()

# From candidates (`request`, `response`, `said`, and what `cues.measured` tells of them) to `reading` and `confidence`.
Classify = Callable[[pl.DataFrame, settings.Signals], pl.DataFrame]


def followups(connection: duckdb.DuckDBPyConnection, rules: settings.Signals, classify: Classify) -> pl.DataFrame:
    """The table `followups`: `said` is the next request, `gap` how many seconds later it was answered."""
    seen = cues.measured(connection.sql(SQL).pl(), rules)
    candidate = (
        (pl.col("likeness") >= rules.rephrase_similarity) | (pl.col("gap") < rules.hurry_seconds) | pl.col("cued")
    )
    candidates = seen.filter(candidate)
    read = pl.concat([candidates, classify(candidates, rules).select("reading", "confidence")], how="horizontal")
    others = seen.filter(~candidate).with_columns(
        reading=pl.lit("nothing"), confidence=pl.lit(cues.CONFIDENCE["nothing"])
    )
    return pl.concat([read.select(COLUMNS), others.select(COLUMNS)], how="vertical_relaxed")
