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


def followups(
    connection: duckdb.DuckDBPyConnection, exchanges: pl.DataFrame, rules: settings.Signals, classify: Classify
) -> pl.DataFrame:
    """The table `followups`: `said` is the next request, `gap` how many seconds later it was answered."""
    seen = cues.measured(_said(connection, exchanges), rules)
    candidate = (
        (pl.col("likeness") >= rules.rephrase_similarity) | (pl.col("gap") < rules.hurry_seconds) | pl.col("cued")
    )
    candidates = seen.filter(candidate)
    read = pl.concat([candidates, classify(candidates, rules).select("reading", "confidence")], how="horizontal")
    others = seen.filter(~candidate).with_columns(
        reading=pl.lit("nothing"), confidence=pl.lit(cues.CONFIDENCE["nothing"])
    )
    return pl.concat([read.select(COLUMNS), others.select(COLUMNS)], how="vertical_relaxed")


def _said(connection: duckdb.DuckDBPyConnection, exchanges: pl.DataFrame) -> pl.DataFrame:
    """The follow-ups with their texts: not a tool's result, nor what one component handed to the next as it was."""
    earlier = exchanges.select("workload", "answer", "request", "response")
    later = exchanges.select("workload", "prompt", next_answer="answer", said="request")
    told = connection.sql(SQL).pl().join(earlier, on=["workload", "answer"]).join(later, on=["workload", "next_answer"])
    connection.register("prompts", told.select("prompt").to_arrow(compat_level=pl.CompatLevel.newest()))
    user = connection.sql("SELECT prompt ->> '$[#-1].role' = 'user' AS person FROM prompts").pl()["person"]
    same = pl.col("handed") & (pl.col("request") == pl.col("said"))
    return told.filter(user & ~same).drop("prompt", "handed")
