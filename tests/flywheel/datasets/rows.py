"""Records, prompts and texts for tests of what a dataset keeps."""

import json
import random
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

SCHEMA = {
    "record": pl.String,
    "kind": pl.String,
    "user": pl.String,
    "split": pl.String,
    "barred": pl.Boolean,
    "refused": pl.Boolean,
    "two_sides": pl.String,
    "trajectory": pl.Boolean,
    "prompt": pl.String,
    "chosen": pl.String,
    "rejected": pl.String,
    "desirable": pl.Boolean,
    "weight": pl.Float64,
    "confidence": pl.Float64,
    "rule": pl.String,
}
NO_ITEMS = pl.DataFrame(schema={"prompt": pl.String, "request": pl.String})
WORDS = [f"w{number}x" for number in range(5000)]


def prompt(text: str, system: str = "You are kind.") -> str:
    return json.dumps([{"role": "system", "content": system}, {"role": "user", "content": text}])


def pair(record: str, **fields: Any) -> dict[str, Any]:
    """An honest pair of a user of its own, on a question of its own."""
    sides = {
        "chosen": f"Your parcel {record} will come on Friday at the latest.",
        "rejected": f"I cannot tell you when {record} will be at your door.",
    }
    given: dict[str, Any] = {
        "record": record,
        "kind": "pair",
        "user": f"user {record}",
        "split": "train",
        "barred": False,
        "refused": False,
        "two_sides": None,
        "trajectory": False,
        "prompt": prompt(f"When will {record} come?"),
        **sides,
        "desirable": None,
        "weight": 1.0,
        "confidence": 0.8,
        "rule": "edit_pair",
    }
    return given | fields


def label(record: str, desirable: bool, **fields: Any) -> dict[str, Any]:
    opinion = {"kind": "label", "rejected": None, "desirable": desirable, "rule": "rating_label"}
    return pair(record, **opinion | fields)


def frame(rows: Iterable[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=SCHEMA)


def items(texts: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame({"prompt": [prompt(text) for text in texts], "request": list(texts)})


def words(chance: random.Random, least: int, most: int) -> list[str]:
    """Words as people use them: a few often, most seldom."""
    return [WORDS[min(int(chance.paretovariate(0.6)), len(WORDS)) - 1] for _ in range(chance.randint(least, most))]


def edited(chance: random.Random, text: Sequence[str], changes: int) -> list[str]:
    """The words with as many of them replaced, left out or added."""
    changed = list(text)
    for _ in range(changes):
        place = chance.randrange(len(changed))
        match chance.randrange(3):
            case 0:
                changed[place] = chance.choice(WORDS)
            case 1:
                del changed[place]
            case _:
                changed.insert(place, chance.choice(WORDS))
    return changed
