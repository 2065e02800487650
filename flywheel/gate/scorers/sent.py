"""Agreement with what the held-out user finally sent, times the share of the workload's checks the answer passes."""

from collections.abc import Sequence

import polars as pl
from rapidfuzz.distance import Levenshtein

from flywheel.gate.scorers.checks import share_passed
from flywheel.gate.scorers.rows import Score, each
from flywheel.settings import Check


def score(items: pl.DataFrame, answers: pl.DataFrame, checks: Sequence[Check] = ()) -> pl.DataFrame:
    """How much of each answer the user would have kept."""

    def one(item: dict[str, str], answer: dict[str, str]) -> Score:
        passed = share_passed(answer["text"], item["prompt"], checks)
        return Score(agreement(answer["text"], item["reference"]) * passed)

    return each(items, answers, one)


def words(text: str) -> list[str]:
    """Words without regard to case or spacing, which people do not care about."""
    return text.casefold().split()


def agreement(answer: str, reference: str) -> float:
    """1 when the user would have changed no word, 0 when they would have kept none."""
    return Levenshtein.normalized_similarity(words(answer), words(reference))
