"""What one cell of a stranger's table means: text, a number, a time, yes or no, an opinion, a choice, messages.

Every function takes a value of any type, a CSV's text as well as what JSON and Parquet hold, and raises `Unreadable`
and nothing else. Which column means what belongs in `readers.table`.
"""

import ast
import json
import math
import re
import warnings
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from flywheel.capture.events import Message
from flywheel.ingest.reader import Rejected, spelled
from flywheel.ingest.strict import decode

REPR_LIMIT = 2**18  # Python's own parser takes 500 times a list's text in memory
NUMBER = re.compile(r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,2})?", re.ASCII)
ROLE = re.compile(r"""["'](role|from)["']\s*:""")
UNIX = datetime(1970, 1, 1, tzinfo=UTC)
PER_SECOND = {10**18: 10**9, 10**15: 10**6, 10**12: 10**3, 10**9: 1}  # a number from the first on has the second's unit

YES = {"true", "yes", "y", "t", "1"}
NO = {"false", "no", "n", "f", "0", "none", "null", "nan"}
GOOD = {"up", "thumb_up", "thumbs_up", "good", "like", "liked", "positive", "👍"}
BAD = {"down", "thumb_down", "thumbs_down", "bad", "dislike", "disliked", "negative", "👎"}
TIE = {"tie", "tied", "draw", "equal", "same", "neutral"}
ROLES = {"human": "user", "gpt": "assistant", "bot": "assistant", "ai": "assistant", "model": "assistant"} | {
    "developer": "system",
    "function": "tool",
}


class Unreadable(ValueError):
    """What is wrong with a cell, in words."""


def blank(value: Any) -> bool:
    """Nothing was written: null, not a number, white space, an empty list."""
    if isinstance(value, str):
        return not value.strip()
    return (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or (isinstance(value, list | dict) and not value)
    )


def word(value: Any) -> str:
    """A cell's text as lists of words spell it."""
    return re.sub(r"[\s-]+", "_", text(value).strip().lower())


def text(value: Any) -> str:
    """Any value as the text that stands for it; what holds more than text is JSON."""
    try:
        if isinstance(value, bytes):
            value = value.decode()
        elif isinstance(value, list | dict):
            value = json.dumps(value, ensure_ascii=False, sort_keys=True, default=text)
        elif isinstance(value, int | float | Decimal | date | time | timedelta):
            value = str(value)
        if isinstance(value, str) and value.encode().find(0) < 0:
            return value
    except (ValueError, TypeError, RecursionError):
        raise Unreadable("text that cannot be stored") from None
    raise Unreadable("not text, or with a NUL in it")


def number(value: Any) -> Decimal:
    """A finite number, exact as it was written."""
    if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
        return Decimal(value.strip())
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        exact = Decimal(value)
        if exact.is_finite() and abs(exact) < Decimal("1e40"):
            return exact
    raise Unreadable("not a number")


def moment(value: Any, epoch: date) -> str:
    """The one spelling of a time, written in any of the ways that tables write it."""
    try:
        return spelled(_time(value, datetime.combine(epoch, time(), UTC)))
    except (ValueError, OverflowError):
        raise Unreadable("not a time") from None


def yes(value: Any) -> bool:
    """Yes or no; a list says yes unless it is empty, a Python repr of one too."""
    if blank(value):
        return False
    if isinstance(value, bool | list | dict):
        return bool(value)
    if isinstance(value, str) and value.strip()[0] in "[{":
        return bool(literal(value))
    if (said := word(value)) in YES | NO:
        return said in YES
    try:
        return number(value) != 0
    except Unreadable:
        raise Unreadable("neither yes nor no") from None


def opinion(value: Any, ends: tuple[float, float] | None) -> float:
    """From -1, the worst, to 1, the best; `ends` are the worst and the best that people could say."""
    if isinstance(value, bool):
        return 1.0 if value else -1.0
    try:
        said = float(number(value))
    except Unreadable:
        return _opinion_in_words(value)
    worst, best = ends or (-1.0, 1.0)
    if not min(worst, best) <= said <= max(worst, best):
        raise Unreadable(f"not between {worst:g} and {best:g}, the rated_range")
    return 2 * (said - worst) / (best - worst) - 1


def choice(value: Any, answers: Sequence[str]) -> int:
    """The number of the preferred answer, counted from 1; 0 is a tie."""
    if (said := text(value).strip()) in answers:
        return answers.index(said) + 1
    if word(value) in TIE:
        return 0
    try:
        chosen = number(value)
    except Unreadable:
        chosen = Decimal(-1)
    if chosen not in range(len(answers) + 1):
        raise Unreadable(f"no such answer, allowed: 1 to {len(answers)}, 0 or tie, or the answer's column")
    return int(chosen)


def messages(value: Any) -> list[Message]:
    """The turns of a prompt; text that is no list of turns is the user's one turn, and what is empty has none."""
    if isinstance(value, str):
        start = value.lstrip()[:1]
        if value.strip() in ("[]", "{}") or blank(value):
            return []
        if not (start and start in "[{" and ROLE.search(value)):
            return [Message(role="user", content=text(value))]
        value = literal(value)
    if isinstance(value, dict):
        value = value.get("messages", [value])
    if not isinstance(value, list):
        return [] if blank(value) else [Message(role="user", content=text(value))]
    return [_message(each) for each in value]


def literal(written: str) -> Any:
    """The value of a JSON text or of a Python repr."""
    with suppress(UnicodeEncodeError):
        value = decode(written.encode())
        if not isinstance(value, Rejected):
            return value
    if len(written) > REPR_LIMIT:
        raise Unreadable(f"no JSON, and more than {REPR_LIMIT} characters are not tried as Python's repr")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of backslashes in other people's text
            return ast.literal_eval(written.strip())
    except Exception:
        raise Unreadable("neither JSON nor Python's repr of it") from None


def _time(value: Any, epoch: datetime) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    try:
        since = number(value)
    except Unreadable:
        # Only text may come so far, and BigQuery writes its zone as a word.
        return _time(datetime.fromisoformat(re.sub(r" UTC$", "Z", text(value).strip())), epoch)
    for first, per_second in PER_SECOND.items():
        if since >= first:
            return UNIX + timedelta(microseconds=int(since * 10**6 / per_second))
    return epoch + timedelta(microseconds=int(since * 10**6))


def _opinion_in_words(value: Any) -> float:
    said = word(value)
    if said in TIE:
        return 0.0
    if said not in GOOD | BAD | YES | NO:
        raise Unreadable("not an opinion, allowed: a number, yes or no, up or down, good or bad")
    return 1.0 if said in GOOD | YES else -1.0


def _message(turn: Any) -> Message:
    if not isinstance(turn, dict):
        raise Unreadable("not a list of turns with role and content")
    role, content = turn.get("role", turn.get("from")), turn.get("content", turn.get("value"))
    if not isinstance(role, str) or blank(role):
        raise Unreadable("a turn without its role")
    if isinstance(content, list):
        content = "\n".join(_part(part) for part in content)
    if not isinstance(content, str | None):
        raise Unreadable("a turn whose content is not text")
    return Message(role=text(ROLES.get(role.strip().lower(), role)), content=text(content or ""))


def _part(part: Any) -> str:
    """One part of a turn as the APIs of model providers write it."""
    said = part.get("text") if isinstance(part, dict) else part
    if not isinstance(said, str):
        raise Unreadable("a turn with a part that is not text")
    return said
