"""The workload's own checks: the share that an answer passes. Code decides, and knows no mercy and no taste."""

import json
import re
from collections.abc import Sequence
from functools import cache

import polars as pl

from flywheel.errors import BadInput
from flywheel.gate.scorers.rows import Score, each
from flywheel.settings import Check


def score(items: pl.DataFrame, answers: pl.DataFrame, checks: Sequence[Check]) -> pl.DataFrame:
    """The share of checks passed, for each answer; the first that is broken is named."""

    def one(item: dict[str, str], answer: dict[str, str]) -> Score:
        given = said(item["prompt"])
        broken = [check.name for check in checks if not passes(answer["text"], given, check)]
        return Score(1 - len(broken) / max(1, len(checks)), f"breaks {', '.join(broken)}" if broken else None)

    return each(items, answers, one)


def share_passed(answer: str, prompt: str, checks: Sequence[Check]) -> float:
    """Of the workload's checks; 1 when it has none. `prompt` is the item's messages as JSON text."""
    if not checks:
        return 1.0
    given = said(prompt)
    return sum(passes(answer, given, check) for check in checks) / len(checks)


def said(prompt: str) -> str:
    """What stands in an item's messages, one below the other."""
    return "\n".join(message["content"] for message in json.loads(prompt))


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
