"""Exchanges and signals by hand, as the contracts have them, and the records they give."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import polars as pl

from flywheel import records
from flywheel.settings import Records, Signals
from flywheel.tables import Exchanges
from flywheel.tables import Signals as SignalRows
from tests.product import MONDAY

Row = dict[str, Any]
DRAFT = "Sorry about that. Your order is on its way."
BETTER = "Your order is on its way."


def exchange(answer: str, minute: float = 0, **fields: Any) -> Row:
    """An answer of its own conversation that nothing happened to."""
    time = MONDAY + timedelta(minutes=minute)
    asked = fields.pop("asked", f"Where is the order of {answer}?")
    given: Row = {
        "workload": "drafts",
        "answer": answer,
        "time": time,
        "day": time.date(),
        "conversation": f"talk-{answer}",
        "named": True,
        "turn": 1,
        "parent": f"ask-{answer}",
        "attempt": 1,
        "user": f"user-{answer}",
        "slice": "retail",
        "prompt": json.dumps([{"role": "user", "content": asked}]),
        "request": asked,
        "response": DRAFT,
        "final": None,
        "model": "base",
        "model_version": None,
        "arm": None,
        "refused": False,
        "shown_ms": None,
        "outcome": None,
        "since": time,
        "until": time,
        "closed": True,
        "may_train": True,
        "event_ids": [f"response {answer}"],
    }
    return {"task": fields.get("parent", given["parent"]), **given, **fields}


def signal(answer: str, kind: str, value: float = 1.0, **fields: Any) -> Row:
    """A reading of an answer from one event of its own."""
    about = fields.get("about", "")
    given: Row = {
        "workload": "drafts",
        "answer": answer,
        "kind": kind,
        "about": about,
        "day": MONDAY.date(),
        "conversation": f"talk-{answer}",
        "user": f"user-{answer}",
        "slice": "retail",
        "model_version": None,
        "value": value,
        "detail": None,
        "text": None,
        "other": None,
        "confidence": 0.8,
        "weight": 1.0,
        "audited": False,
        "detector": f"{kind}@1",
        "event_ids": [f"response {answer}", " ".join(["event", kind, answer, about]).strip()],
    }
    return {**given, **fields}


def made(
    exchanges: Sequence[Row], signals: Sequence[Row] = (), reading: Signals | None = None, **rules: Any
) -> dict[str, pl.DataFrame]:
    return records.derive(
        pl.DataFrame(exchanges, schema=Exchanges.create_empty().schema),
        pl.DataFrame(signals, schema=SignalRows.create_empty().schema),
        Records(**rules),
        reading or Signals(),
    )


def of(found: dict[str, pl.DataFrame], rule: str) -> pl.DataFrame:
    """The records of one rule, whatever their kind."""
    frames = [frame.filter(pl.col("rule") == rule) for frame in found.values()]
    return next((frame for frame in frames if len(frame)), frames[0])


def count(found: dict[str, pl.DataFrame]) -> dict[str, int]:
    """How many records each rule made."""
    return {rule: n for frame in found.values() for rule, n in frame["rule"].value_counts().iter_rows()}


def an_edit(answer: str = "a", text: str = BETTER, value: float = 0.4, **fields: Any) -> tuple[Row, list[Row]]:
    """An answer somebody edited and used: the exchange and its signals."""
    signals = [signal(answer, "edit", value, text=text, **fields), signal(answer, "acceptance")]
    return exchange(answer, final=text), signals


def a_chain(length: int, kept: int | None = None) -> tuple[list[Row], list[Row]]:
    """Answers to one message, one after another; the one at `kept` was used."""
    talk = {"parent": "ask", "conversation": "talk", "user": "u", "task": "ask"}
    names = [f"r{attempt}" for attempt in range(length)]
    answers = [
        exchange(name, minute, response=f"Draft {name}.", final=f"Draft {name}." if minute == kept else None, **talk)
        for minute, name in enumerate(names)
    ]
    events = [f"response {name}" for name in names]
    signals = [
        signal(name, "regeneration", length - 1 - n, other=names[-1], event_ids=[events[n], events[-1]])
        for n, name in enumerate(names[:-1])
    ]
    return answers, signals + ([signal(names[kept], "acceptance")] if kept is not None else [])


def a_correction(said: str, next_text: str, *, kept: bool = True, **fields: Any) -> tuple[list[Row], list[Row]]:
    """An answer, what somebody said to it, and the answer to that."""
    talk = {"conversation": "talk", "user": "u", "task": "ask-a"}
    answers = [
        exchange("a", 0, **talk, **fields),
        exchange("b", 1, **talk, turn=2, asked=said, response=next_text, final=next_text if kept else None),
    ]
    signals = [signal("a", "correction", text=said, other="b", event_ids=["response a", "response b"])]
    return answers, signals + ([signal("b", "acceptance")] if kept else [])


def a_run(name: str, words: Sequence[str], outcome: float, **fields: Any) -> list[Row]:
    """A run of three turns: the model says `words`, a tool answers each time."""
    messages = [{"role": "system", "content": "Rules."}, {"role": "user", "content": "Book it."}]
    rows = []
    for turn, said in enumerate(words, 1):
        answer = f"{name}-{turn}"
        last = {"outcome": outcome, "event_ids": [f"response {answer}", f"outcome {name}"]}
        rows.append(
            exchange(
                answer, turn, conversation=name, task="task", parent=f"{name} {turn}", turn=turn, user=name,
                prompt=json.dumps(messages), response=said, **(last if turn == len(words) else {}), **fields,
            )
        )  # fmt: skip
        messages += [{"role": "assistant", "content": said}, {"role": "tool", "content": f"done {turn}"}]
    return rows
