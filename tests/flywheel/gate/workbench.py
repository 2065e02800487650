"""Eval sets and answers for the gate's tests, made by rule so that what a model deserves is known."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import polars as pl

from flywheel.gate.verdict import Judged, judge
from flywheel.lake import validated
from flywheel.settings import Check, Gate
from flywheel.tables import Looks

WORDS = [f"word{number}" for number in range(20)]


def eval_items(users: int = 60, each: int = 5, *, words: int = 12, seed: int = 0, **columns: str) -> pl.DataFrame:
    """`users` people with `each` items; every reference is a sentence of its own."""
    rng = random.Random(seed)
    rows = []
    for number in range(users * each):
        user = number // each
        prompt = json.dumps([{"role": "user", "content": f"Where is order A-{1000 + number}?"}])
        rows.append(
            {
                "workload": "replies",
                "eval_set": "e1",
                "item": f"i{number:04}",
                "user": f"u{user:03}",
                "conversation": f"c{number}",
                "role": "eval",
                "slice": "shop" if user % 3 else "bank",
                "prompt": prompt,
                "request": f"Where is order A-{1000 + number}?",
                "reference": " ".join(rng.choice(WORDS) for _ in range(words)),
                "answer": f"a{number}",
                "stratum": "shop / none",
                "weight": 1.0,
                "since": datetime(2026, 1, 5, tzinfo=UTC),
                **columns,
            }
        )
    return validated("eval_items", pl.DataFrame(rows))


def model(items: pl.DataFrame, *, right: float, seed: int = 0) -> dict[str, str]:
    """A model that says each word of the reference with chance `right`, else another one."""
    rng = random.Random(seed)
    answers = {}
    for item, reference in items.sort("item").select("item", "reference").iter_rows():
        said = (word if rng.random() < right else f"x{rng.randrange(10**6)}" for word in reference.split())
        answers[item] = " ".join(said)
    return answers


def reworded(answers: dict[str, str], change: Callable[[str], str]) -> dict[str, str]:
    return {item: change(text) for item, text in answers.items()}


def judged(
    items: pl.DataFrame,
    new: dict[str, str],
    old: dict[str, str],
    *,
    looks: pl.DataFrame | None = None,
    checks: tuple[Check, ...] = (),
    gate: Gate | None = None,
    **named: Any,
) -> Judged:
    identity = {"candidate": "new", "champion": "old", "workload": "replies", "cycle": 3, "dataset": "d1", **named}
    return judge(
        items=items,
        candidate_answers=new,
        champion_answers=old,
        looks=Looks.create_empty() if looks is None else looks,
        checks=checks,
        gate=gate or Gate(),
        **identity,
    )


def verdict(found: Judged) -> dict[str, Any]:
    return found.verdict.row(0, named=True)
