"""Which column of a stranger's table holds which field: the mapping's word, then the well-known names.

What a cell means belongs in `cells`, what a row means in `readers.table`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from flywheel.ingest.cells import Unreadable, blank
from flywheel.ingest.reader import short
from flywheel.settings import Columns

# In lower case, blanks and hyphens as `_`; where a name is several columns, a row must have them all.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "prompt": (
        *("prompt", "request", "question", "instruction+input", "instruction", "query", "user_message", "input"),
        *("messages", "conversations"),
    ),
    "system": ("system", "system_prompt", "system_message"),
    "text": (
        *("response", "output", "answer", "completion", "reply", "assistant_message", "generation", "preedit", "draft"),
        "text",
    ),
    "answers": (
        *("response1+response2", "response_1+response_2", "response_a+response_b"),
        *("answer1+answer2", "answer_1+answer_2", "answer_a+answer_b", "output1+output2", "output_1+output_2"),
    ),
    "choices": ("annotator1+annotator2+annotator3", "annotator1+annotator2", "preference", "preferred", "winner"),
    "model": ("model", "model_name", "model_id", "source"),
    "conversation": ("conversation_id", "session_id", "thread_id", "chat_id", "conversation", "session"),
    "user": ("user_id", "user", "programmer_id", "annotator_id", "annotator", "customer_id", "person"),
    "at": ("timestamp", "created_at", "datetime", "created", "at", "date", "time"),
    "edited": ("edited", "postedit", "edited_text", "final", "final_text", "corrected", "correction"),
    "accepted": ("accepted", "copy_events", "copied", "sent", "applied"),
    "rated": ("rating", "score", "thumb", "thumbs", "feedback"),
    "comment": ("comment", "comments", "feedback_text"),
    "workload": ("workload",),
}
NOT_WITH = {  # one answer and what was done with it, or several and which was preferred
    "text": {"answers", "choices"},
    "answers": {"text", "edited", "accepted", "rated", "comment"},
}
SHARED = {"id", "conversation", "tags"}  # their columns may mean something else besides
ABSENT = object()
T = TypeVar("T")

Found = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Row:
    """One row and the columns in which its fields were found."""

    cells: Mapping[str, Any]
    found: Found

    def columns(self, field: str) -> list[tuple[str, Any]]:
        """The columns of a field and what they hold."""
        held = []
        for name in self.found.get(field, ()):
            column = name if name in self.cells else name.removesuffix("?")
            value = _at(self.cells, column)
            if value is not ABSENT:
                held.append((column, value))
            elif name == column:
                raise Unreadable(f"field {column}: no such column; the row has {self.names()}")
        return held

    def one(self, field: str, meaning: Callable[[Any], T], *, needed: bool = False) -> T | None:
        """What the field's column means; None where there is none, or where it is empty and need not be filled."""
        for column, value in self.columns(field):
            if not blank(value):
                return meant(column, value, meaning)
            if needed:
                raise Unreadable(f"field {column}: empty")
        return None

    def unknown(self, field: str) -> str:
        """That no column holds a field that every row needs."""
        known = ", ".join(SYNONYMS[field])
        return f"field {field}: no column for it; the row has {self.names()}; allowed: a mapping of it, or {known}"

    def names(self) -> str:
        names = ", ".join(sorted(self.cells))
        return names if len(names) <= 300 else names[:297] + "..."


def found(columns: Columns, names: tuple[str, ...]) -> Found:
    """In which columns of a row with these names the fields are."""
    mapped = {field: getattr(columns, field) for field in (*SYNONYMS, "id", "tags")}
    held = {field: (names,) if isinstance(names, str) else tuple(names) for field, names in mapped.items() if names}
    taken = {name for field, several in held.items() if field not in SHARED for name in several}
    free = sorted((name for name in {*names} if not {name, f"{name}?"} & taken), reverse=True)
    known = {re.sub(r"[\s-]+", "_", name.strip().lower()): name for name in free}
    for field, synonyms in SYNONYMS.items():
        if mapped[field] is not None or any(field in NOT_WITH.get(other, ()) for other in held):
            continue
        several = next((several for each in synonyms if (several := each.split("+")) and {*several} <= {*known}), None)
        if several:
            held[field] = tuple(known[name] for name in several)
    return held


def meant(column: str, value: Any, meaning: Callable[[Any], T]) -> T:
    """What a cell means, or why it means nothing, with its column in front and the value behind."""
    try:
        return meaning(value)
    except Unreadable as error:
        raise Unreadable(f"field {column}: {error}; saw `{short(value)}`") from None


def _at(cell: Mapping[str, Any], path: str) -> Any:
    """The value of a column, or of a dotted path into nested objects."""
    if path in cell:
        return cell[path]
    head, _, rest = path.partition(".")
    inner = cell.get(head)
    return _at(inner, rest) if rest and isinstance(inner, dict) else ABSENT
