"""Random logs as derived tables: users who share conversations, and requests that come in near repetitions."""

import json
import random
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from flywheel.lake import Lake
from tests.flywheel.datasets.made import derived, edits

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
WORDS = [f"word{number}" for number in range(40)]
TABLES = ("events", "exchanges", "pairs", "demonstrations")


@cache
def templates() -> dict[str, dict[str, Any]]:
    """One true row of each table, of which the others are made."""
    with TemporaryDirectory() as folder:
        lake = derived(Path(folder), edits(1))
        return {table: lake.read(table).row(0, named=True) for table in TABLES}


def a_world(seed: int) -> dict[str, pl.DataFrame]:
    """The tables of one random log."""
    draw = random.Random(seed)
    asked = [[draw.choice(WORDS) for _ in range(draw.choice([2, 8, 14, 30]))] for _ in range(draw.randint(10, 60))]
    users = [f"user{seed}-{number}" for number in range(draw.randint(15, 70))]
    made = [_exchange(draw, number, draw.choice(users), draw.choice(asked)) for number in range(draw.randint(60, 160))]
    true = templates()
    exchanges = [true["exchanges"] | one for one in made]
    told = [{name: one[name] for name in ("user", "conversation", "slice", "prompt", "day")} for one in made]
    sides = [{"id": f"p{n:04}", "chosen": f"yes {n}", "rejected": f"no {n}"} for n in range(len(made))]
    pairs = [true["pairs"] | one | side for one, side in zip(told, sides, strict=True) if draw.random() < 0.7]
    shown = [true["demonstrations"] | one | {"id": f"d{n:04}"} for n, one in enumerate(told) if draw.random() < 0.3]
    last = max(one["time"] for one in made)
    return {
        "events": pl.DataFrame([true["events"] | {"time": last}]),
        "exchanges": pl.DataFrame(exchanges, infer_schema_length=None),
        "pairs": pl.DataFrame(pairs, infer_schema_length=None),
        "demonstrations": pl.DataFrame(shown, infer_schema_length=None),
    }


def _exchange(draw: random.Random, number: int, user: str, words: list[str]) -> dict[str, Any]:
    request, time = _varied(draw, words), MONDAY + timedelta(minutes=draw.randrange(14 * 24 * 60))
    return {
        "answer": f"a{number:04}",
        "user": user,
        "conversation": draw.choice([f"talk of {user}", f"shared talk {draw.randrange(20)}"]),
        "slice": draw.choice(["retail", "bank"]),
        "request": request,
        "prompt": json.dumps([{"role": "user", "content": request}]),
        "final": draw.choice([f"Sent {number}.", f"Sent {number}.", None]),
        "time": time,
        "day": time.date(),
    }


def _varied(draw: random.Random, words: list[str]) -> str:
    """The same words, or nearly: in other letters, with other signs, or with another last word."""
    how = draw.randrange(4)
    if how == 0:
        return " ".join(words).upper()
    if how == 1:
        return ",  ".join(words) + "?!"
    return " ".join([*words[:-1], f"end{draw.randrange(3)}"]) if how == 2 else " ".join(words)


def stored(home: Path, world: dict[str, pl.DataFrame], *, shuffled: int | None = None) -> Lake:
    """A lake of these tables; shuffled, in another order and in several commits."""
    lake = Lake(home)
    for table, rows in world.items():
        parts = [rows] if shuffled is None else _dealt(rows, shuffled)
        for part in parts:
            lake.add(table, part)
    return lake


def _dealt(rows: pl.DataFrame, seed: int) -> list[pl.DataFrame]:
    mixed = rows.sample(fraction=1, shuffle=True, seed=seed)
    half = len(mixed) // 2
    return [part for part in (mixed[:half], mixed[half:]) if len(part)]
