"""The user changed the answer before using it: `value` is the share of its words that changed, `text` what they kept.

An edit says what the answer should have been, not that the rest of it was good. A typo mended, or JSON laid out anew,
says nothing and is no signal. `detail` is how much was changed:

    small    too little to prefer one text to the other without care; weighs `edit_small`
    edit     weighs 1
    rework   nearly every word, but about the same things: weighs 1
    rewrite  another text altogether, perhaps for another purpose: seen, but weighs 0
"""

import json
from array import array
from itertools import pairwise

import duckdb
import numpy as np
import polars as pl
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from flywheel.signals.cues import UNSPACED, WORD

CONFIDENCE = {"small": 0.7, "edit": 0.85, "rework": 0.7, "rewrite": 0.5}
SAME_CONTENT = 0.2
"""Two texts are about the same if the one with fewer content words shares this many of them with the other."""
CONTENT = 4
"""Shorter words are mostly grammar."""
LABEL = 5
"""Texts with no more words than this are names of something, one put in place of the other."""
AT_ONCE = 50_000
"""Edits compared together, so that memory stays bounded."""

PIECE = rf"[{UNSPACED}]|[^\s{UNSPACED}]+"
JSON_PIECE = r"[^\s\[\]{}:,\"]+"
SQL = """
    SELECT exchanges.workload, exchanges.answer, request, response, final AS text,
        list_prepend(event_ids[1], acts.keys) AS event_ids
    FROM exchanges JOIN (
        SELECT workload, answer, list(key ORDER BY time, key) AS keys
        FROM events WHERE kind IN ('edited', 'accepted') GROUP BY ALL HAVING bool_or(kind = 'edited')
    ) AS acts ON acts.workload = exchanges.workload AND acts.answer = exchanges.answer
    WHERE final <> response
"""


def read(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    edits = connection.sql(SQL).pl()
    rules = connection.sql("SELECT edit_typo, edit_pair, edit_rewrite, edit_small FROM rules").pl().row(0, named=True)
    value = (
        pl.concat([distances(part) for part in edits.iter_slices(AT_ONCE)])
        if len(edits)
        else pl.Series(dtype=pl.Float64)
    )
    edits = edits.with_columns(value=value).filter(pl.col("value") >= rules["edit_typo"], pl.col("value") > 0)
    beyond = pl.col("value") > rules["edit_rewrite"]
    changed = pl.when(pl.col("value") < rules["edit_pair"]).then(pl.lit("small")).otherwise(pl.lit("edit"))
    # Few edits go so far, and reading what they are about is the dearest part.
    rework = pl.when(_same_content()).then(pl.lit("rework")).otherwise(pl.lit("rewrite"))
    edits = pl.concat(
        [edits.filter(~beyond).with_columns(detail=changed), edits.filter(beyond).with_columns(detail=rework)]
    )
    weights = {"small": rules["edit_small"], "edit": 1.0, "rework": 1.0, "rewrite": 0.0}
    return edits.with_columns(
        confidence=pl.col("detail").replace_strict(CONFIDENCE, return_dtype=pl.Float64),
        weight=pl.col("detail").replace_strict(weights, return_dtype=pl.Float64),
    )


def distances(edits: pl.DataFrame) -> pl.Series:
    """The least number of words put in, taken out or changed, over the words of the longer text; of JSON its values."""
    made = edits.select(
        before="response",
        after="text",
        structured=pl.all_horizontal(_looks_like_json(name) for name in ("response", "text")),
    )
    plain = _distances(made["before"].str.extract_all(PIECE), made["after"].str.extract_all(PIECE))
    where = made["structured"].arg_true()
    if where.is_empty():
        return plain
    before, after = (made[name].gather(where).map_elements(_canonical, pl.String) for name in ("before", "after"))
    parsed = _distances(before.str.extract_all(JSON_PIECE), after.str.extract_all(JSON_PIECE))
    # Where only the structure changed, one word's worth did.
    moved = 1 / pl.max_horizontal(before.str.count_matches(JSON_PIECE), after.str.count_matches(JSON_PIECE), 1)
    told = pl.select(
        pl.when(before.is_null() | after.is_null())
        .then(plain.gather(where))
        .when(before == after)
        .then(0.0)
        .otherwise(pl.max_horizontal(parsed, moved))
    ).to_series()
    return plain.scatter(where, told)


def _distances(before: pl.Series, after: pl.Series) -> pl.Series:
    found = process.cpdist(
        _sequences(before), _sequences(after), scorer=Levenshtein.normalized_distance, dtype=np.float64, workers=-1
    )
    return pl.Series(found, dtype=pl.Float64)


def _sequences(words: pl.Series) -> "list[array[int]]":
    """Each text as numbers that stand for its words: compared as such, no word becomes an object of Python's."""
    numbers = words.explode(empty_as_null=False).hash().to_numpy().tobytes()
    ends = np.cumsum(words.list.len().fill_null(0).to_numpy(), dtype=np.int64) * 8
    return [array("Q", numbers[start:end]) for start, end in pairwise([0, *ends.tolist()])]


def _looks_like_json(name: str) -> pl.Expr:
    return pl.col(name).str.contains(r"(?s)^\s*(?:\{.*\}|\[.*\])\s*$")


def _canonical(text: str) -> str | None:
    try:
        return json.dumps(json.loads(text), sort_keys=True, ensure_ascii=False)
    except (ValueError, RecursionError):
        return None


def _same_content() -> pl.Expr:
    """They share content words, or the new one speaks of what was asked no less than the old, or both are labels."""
    asked, before, after = (_content(name) for name in ("request", "response", "text"))
    fewer = pl.min_horizontal(before.list.len(), after.list.len())
    shared = (fewer > 0) & (_common(before, after) >= SAME_CONTENT * fewer)
    on_topic = (_common(asked, after) > 0) & (_common(asked, after) >= _common(asked, before))
    lengths = (pl.col(name).str.count_matches(PIECE) for name in ("response", "text"))
    return shared | on_topic | (pl.max_horizontal(*lengths) <= LABEL)


def _content(name: str) -> pl.Expr:
    words = pl.col(name).str.to_lowercase().str.extract_all(WORD).list.unique()
    return words.list.eval(pl.element().filter(pl.element().str.contains(rf"^(?:[{UNSPACED}]|.{{{CONTENT},}})$")))


def _common(one: pl.Expr, other: pl.Expr) -> pl.Expr:
    return one.list.set_intersection(other).list.len()
