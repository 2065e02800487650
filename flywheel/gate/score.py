"""How good one answer is: agreement with what the held-out user finally sent, times the share of checks it passes.

Scoring one model's answers belongs here; setting two models against each other belongs in `compare`. An item without an
answer is a hole, a null and never a zero: what was not asked says nothing about the model.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache

import polars as pl
from rapidfuzz.distance import Levenshtein

from flywheel.errors import BadInput
from flywheel.settings import Check

SCHEMA = {
    "item": pl.String,
    "user": pl.String,
    "slice": pl.String,
    "agreement": pl.Float64,
    "checks": pl.Float64,
    "score": pl.Float64,
}


def score(items: pl.DataFrame, answers: Mapping[str, str], checks: Sequence[Check] = ()) -> pl.DataFrame:
    """One row for each item of the eval set, in the order of their ids."""
    rows = []
    for item in items.sort("item").iter_rows(named=True):
        answer = answers.get(item["item"])
        agreed = passed = total = None
        if answer is not None:
            agreed = agreement(answer, item["reference"])
            passed = share_passed(answer, item["prompt"], checks)
            total = agreed * passed
        rows.append((item["item"], item["user"], item["slice"], agreed, passed, total))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def words(text: str) -> list[str]:
    """Words without regard to case or spacing, which people do not care about."""
    return text.casefold().split()


def agreement(answer: str, reference: str) -> float:
    """1 when the user would have changed no word, 0 when they would have kept none."""
    return Levenshtein.normalized_similarity(words(answer), words(reference))


def share_passed(answer: str, prompt: str, checks: Sequence[Check]) -> float:
    """Of the workload's checks; 1 when it has none. `prompt` is the item's messages as JSON text."""
    if not checks:
        return 1.0
    given = "\n".join(message["content"] for message in json.loads(prompt))
    return sum(passes(answer, given, check) for check in checks) / len(checks)


def passes(answer: str, given: str, check: Check) -> bool:
    """Every rule that the check states holds of this answer."""
    return (
        (check.max_words is None or len(answer.split()) <= check.max_words)
        and (check.matches is None or _pattern(check.matches).search(answer) is not None)
        and (check.forbids is None or _pattern(check.forbids).search(answer) is None)
        and (check.copies is None or all(found[0] in given for found in _pattern(check.copies).finditer(answer)))
    )


@cache
def _pattern(written: str) -> re.Pattern[str]:
    try:
        return re.compile(written)
    except re.error as error:
        raise BadInput(f"a check is no regular expression ({error})", seen=written, do="mend that check") from None
