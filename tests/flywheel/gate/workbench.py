"""Eval sets and answers for the gate's tests, made by rule so that what a model deserves is known."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import polars as pl

from flywheel.gate.pairing import Scored, Trial
from flywheel.gate.sanity import faults
from flywheel.gate.scorers.rows import answered as told
from flywheel.gate.scorers.sent import score
from flywheel.gate.verdict import Judged, judge
from flywheel.lake import validated
from flywheel.settings import Check, Gate
from flywheel.tables import Looks, Verdicts

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
                "stratum": "shop / none",
                "weight": 1.0,
                "since": datetime(2026, 1, 5, tzinfo=UTC),
                "slice": "shop" if user % 3 else "bank",
                "prompt": prompt,
                "request": f"Where is order A-{1000 + number}?",
                "reference": " ".join(rng.choice(WORDS) for _ in range(words)),
                "answer": f"a{number}",
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
    verdicts: pl.DataFrame | None = None,
    checks: tuple[Check, ...] = (),
    gate: Gate | None = None,
    beside: dict[str, Any] | None = None,
    **named: Any,
) -> Judged:
    """The verdict on a model's answers; `named` changes the trial, `beside` is more evidence."""
    asked = items.filter(role="eval")
    sent = dict(asked.select("item", "reference").iter_rows())
    answered = [item for item in sorted(sent) if item in new and item in old]
    given = beside or {}
    return judge(
        items=items,
        primary=given["primary"] if "primary" in given else scored(asked, new, old, checks),
        trial=trial(**named),
        looks=Looks.create_empty() if looks is None else looks,
        verdicts=Verdicts.create_empty() if verdicts is None else verdicts,
        faults=faults(*([texts[item] for item in answered] for texts in (new, old, sent))),
        gate=gate or Gate(),
        **{name: value for name, value in given.items() if name != "primary"},
    )


def trial(**named: Any) -> Trial:
    identity = {"candidate": "new", "champion": "old", "workload": "replies", "cycle": 3, "dataset": "d1"}
    return Trial(**(identity | named))


def scored(items: pl.DataFrame, new: dict[str, str], old: dict[str, str], checks: tuple[Check, ...] = ()) -> Scored:
    return Scored(candidate=score(items, told(new), checks), champion=score(items, told(old), checks))


def scores(values: list[float | None], users: list[str] | None = None, **columns: Any) -> pl.DataFrame:
    """Scores of one model, item by item; slices alternate; each item its own user unless told."""
    users = users or [f"u{number:05}" for number in range(len(values))]
    rows = [
        (f"i{n:05}", user, ["even", "odd"][n % 2], value, None)
        for n, (user, value) in enumerate(zip(users, values, strict=True))
    ]
    schema = {"item": pl.String, "user": pl.String, "slice": pl.String, "score": pl.Float64, "why": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(**columns)


def verdict(found: Judged) -> dict[str, Any]:
    return found.verdict.row(0, named=True)
