"""Scores as rows: `item, user, slice, score, why`, one for each item a scorer speaks of, in the order of their ids.

An item that cannot be scored is a hole: its score is null and `why` says the reason in a line. It is never a zero,
which would be a judgement, and never left out, which would hide it. How a score comes about belongs in the scorers.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import polars as pl

from flywheel.errors import FlywheelError

SCHEMA = {"item": pl.String, "user": pl.String, "slice": pl.String, "score": pl.Float64, "why": pl.String}
ANSWERS = {
    "item": pl.String,
    "text": pl.String,
    "tokens_in": pl.Int64,
    "tokens_out": pl.Int64,
    "seconds": pl.Float64,
}
NO_ANSWER = "no answer"
LONGEST_WHY = 300

Row = dict[str, Any]


class Score(NamedTuple):
    """What a scorer says of one answer."""

    score: float
    why: str | None = None


class Hole(Exception):
    """This answer cannot be scored; the message says why."""


def each(items: pl.DataFrame, answers: pl.DataFrame, one: Callable[[Row, Row], Score]) -> pl.DataFrame:
    """One row for each item; what `one` cannot score of an item is a hole."""
    given = {answer["item"]: answer for answer in answers.iter_rows(named=True)}
    return rows(items, {item["item"]: scored(one, item, given.get(item["item"])) for item in by_id(items)})


def scored(one: Callable[[Row, Row], Score], item: Row, answer: Row | None) -> Score | Hole:
    """The score of one answer, or the hole in its place."""
    if answer is None or answer["text"] is None:
        return Hole(NO_ANSWER)
    try:
        return one(item, answer)
    except FlywheelError:
        raise  # what a person must mend is no hole
    except Hole as hole:
        return hole
    except Exception as error:  # a scorer may be anybody's code
        return Hole(f"{type(error).__name__}: {error}")


def rows(items: pl.DataFrame, found: Mapping[str, Score | Hole]) -> pl.DataFrame:
    """The rows of all items; one of which nothing was found is a hole too."""
    made = []
    for item in by_id(items):
        score, why = _checked(found.get(item["item"], Hole("the scorer said nothing")))
        made.append((item["item"], item["user"], item["slice"], score, why))
    return pl.DataFrame(made, schema=SCHEMA, orient="row")


def answered(texts: Mapping[str, str]) -> pl.DataFrame:
    """Answers of which nothing is known but their text."""
    return pl.DataFrame([(item, text, None, None, None) for item, text in texts.items()], schema=ANSWERS, orient="row")


def by_id(items: pl.DataFrame) -> list[Row]:
    return items.sort("item").to_dicts()


def _checked(found: Score | Hole) -> tuple[float | None, str | None]:
    if isinstance(found, Hole):
        return None, (" ".join(str(found).split()) or "no reason given")[:LONGEST_WHY]
    if not math.isfinite(found.score):
        return None, f"the score was {found.score}"
    return float(found.score), found.why and " ".join(found.why.split())[:LONGEST_WHY]
