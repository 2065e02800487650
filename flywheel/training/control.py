"""Control experiments: the same rows, with what people meant by them taken away. No control is a candidate.

`shuffled`: chance decides which side of a pair was chosen and how a label reads, and answers of demonstrations change
places. A training on these that gains as much as the real one has not learned from people. `length`: the longer side is
always the chosen one. A training on these that gains as much has learned no more than length. Only what trains is
changed: controls are measured on the same development rows as the real one. (`flywheel.records.control` shuffles the
records of a whole wheel.)
"""

import random
from statistics import median
from typing import Literal

from flywheel.training.rows import Row, Rows

Control = Literal["shuffled", "length"]


def controlled(rows: Rows, control: Control | None, seed: int) -> Rows:
    """The rows that train; without a control as they are."""
    if control is None:
        return rows
    changed = _shuffled(rows, random.Random(seed)) if control == "shuffled" else _by_length(rows)
    return rows._replace(**changed)


def _shuffled(rows: Rows, draw: random.Random) -> dict[str, list[Row]]:
    order = draw.sample(rows.demonstrations, len(rows.demonstrations))
    return {
        "demonstrations": [row | {"completion": order[at - 1]["completion"]} for at, row in enumerate(order)],
        "pairs": [_turned(row) if draw.random() < 0.5 else row for row in rows.pairs],
        "labels": [row | {"label": draw.random() < 0.5} for row in rows.labels],
    }


def _by_length(rows: Rows) -> dict[str, list[Row]]:
    """Demonstrations say nothing of length: they are left out."""
    middle = median([_length(row["completion"]) for row in rows.labels]) if rows.labels else 0
    return {
        "demonstrations": [],
        "pairs": [row if _length(row["chosen"]) >= _length(row["rejected"]) else _turned(row) for row in rows.pairs],
        "labels": [row | {"label": _length(row["completion"]) > middle} for row in rows.labels],
    }


def _turned(row: Row) -> Row:
    """No longer what a person wrote."""
    return row | {"chosen": row["rejected"], "rejected": row["chosen"], "written": False}


def _length(messages: list[dict[str, str]]) -> int:
    return sum(len(str(message.get("content") or "")) for message in messages)
