"""What holds of all signals together: order says nothing, and a row stands or falls with the events it names."""

import random
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from flywheel import settings
from flywheel.capture.events import Event, Outcome, Retrieval, ToolCall
from flywheel.signals import derive
from flywheel.tables import SIGNAL_KINDS, Signals
from tests.product import accepted, answer, at, edited, rated, shown, take

SAID = (
    "where is order 48213", "where is my order 48213 now", "No, it should say Friday.", "That is wrong.", "Thanks!",
    "What do you mean?", "Draft a note about the fair.",
)  # fmt: skip
SEEDS = 6


def a_log(seed: int) -> list[Event]:
    """Conversations of every kind of act, some at the same moment."""
    draw, events = random.Random(seed), []
    for talk in range(14):
        named, minute = {"conversation": f"talk-{talk}", "user": f"u{talk % 3}"}, 60 * talk
        for turn in range(draw.randint(1, 4)):
            for attempt in range(draw.choice([1, 1, 2])):
                id, minute = f"{talk}-{turn}-{attempt}", minute + draw.choice([0, 1, 2])
                refused = draw.choice([None, None, True])
                parent, said = f"ask-{talk}-{turn}", draw.choice(SAID)
                events.append(answer(id, minute, parent=parent, request=said, refused=refused, **named))
                events += [act for act in acts(id, minute, draw) if draw.random() < 0.25]
    passed_over = [answer("p", request="order 48213?", conversation="p"), shown("p", 1, dwell_ms=2500)]
    moved_on = answer("q", 9, request="Draft a note about the fair.", conversation="p")
    return [*events, *passed_over, moved_on, answer("end", 40 * 24 * 60)]


def acts(id: str, minute: float, draw: random.Random) -> list[Event]:
    about: dict[str, Any] = {"workload": "drafts", "answer": id}
    failed = {"name": "find", "error": draw.choice(["timeout", "no such order", None])}
    return [
        shown(id, minute, dwell_ms=draw.choice([500, 1500, 20_000])),
        edited(id, draw.choice(["It is on its way.", "Something else entirely, for the fair."]), minute),
        edited(id, "Sorry. Your order is on its way.", minute + 1),
        accepted(id, minute + 1),
        rated(id, draw.choice([-1, 0, 1]), minute + 1, user=draw.choice(["x", "y"])),
        rated(id, draw.choice([-1, 1]), minute + 2, user="x"),
        Outcome(id=f"out-{id}", at=at(minute + 2), name=draw.choice(["complaint", "solved"]), value=1, **about),
        *(ToolCall(id=f"call-{id}-{number}", at=at(minute), **failed, **about) for number in range(2)),
        Retrieval(id=f"search-{id}", at=at(minute), query="orders", empty=True, **about),
    ]


@cache
def logged(seed: int) -> pl.DataFrame:
    with TemporaryDirectory() as folder:
        return take(Path(folder), a_log(seed)).read("events")


def read(events: pl.DataFrame, marks: datetime | None = None) -> pl.DataFrame:
    """The signals of these events, by the clock of the whole log."""
    rules = settings.Signals()
    found = derive(events, {"drafts": marks or events["time"].max()}, rules).signals  # pyright: ignore
    return found.sort(Signals.primary_key())


def test_the_logs_of_these_tests_hold_every_signal() -> None:
    assert {kind for seed in range(SEEDS) for kind in read(logged(seed))["kind"]} == set(SIGNAL_KINDS)


@examples(max_examples=8, deadline=None)
@given(seed=st.integers(0, SEEDS - 1), shuffle=st.integers(0, 10_000))
def test_the_order_of_events_says_nothing(seed: int, shuffle: int) -> None:
    events = logged(seed)
    mixed = read(events.sample(fraction=1, shuffle=True, seed=shuffle))
    assert_frame_equal(mixed, read(events))
    assert len(mixed) > 10


@examples(max_examples=5, deadline=None)
@given(seed=st.integers(0, SEEDS - 1), parts=st.integers(2, 6))
def test_conversations_are_read_the_same_alone_and_among_others(seed: int, parts: int) -> None:
    events = logged(seed)
    of_answer = dict(events.filter(kind="response").select("id", "conversation").iter_rows())
    talk = pl.coalesce(pl.col("answer").replace_strict(of_answer, default=None), "conversation")
    part = talk.hash() % parts
    alone = [read(events.filter(part == number), events["time"].max()) for number in range(parts)]  # pyright: ignore
    assert_frame_equal(pl.concat(alone).sort(Signals.primary_key()), read(events))


def test_a_signal_names_events_of_its_own_answer_and_each_once() -> None:
    for seed in range(SEEDS):
        events, found = logged(seed), read(logged(seed))
        known, own = set(events["key"]), dict(events.filter(kind="response").select("id", "key").iter_rows())
        for row in found.iter_rows(named=True):
            assert set(row["event_ids"]) <= known, row["kind"]
            assert len(set(row["event_ids"])) == len(row["event_ids"]), row["kind"]
            assert own[row["answer"]] in row["event_ids"], row["kind"]


# A signal of what did not happen stands on all that might have happened, so it may also rise or fall with that.
ABSENCE = ("abandonment", "dismissal", "rephrase", "refusal", "retrieval_miss")


@examples(max_examples=15, deadline=None)
@given(seed=st.integers(0, SEEDS - 1), place=st.integers(0, 10_000))
def test_without_an_act_what_names_it_is_gone_or_changed_and_the_rest_stays(seed: int, place: int) -> None:
    events = logged(seed)
    acted = events.filter(~pl.col("kind").is_in(["response"])).sort("key")
    gone = acted["key"][place % len(acted)]
    before, after = (
        {tuple(map(str, row)) for row in found.filter(~pl.col("kind").is_in(ABSENCE)).rows()}
        for found in (read(events), read(events.filter(pl.col("key") != gone), events["time"].max()))  # pyright: ignore
    )
    assert before - after == {row for row in before if gone in "".join(row)}
    assert not {row for row in after if gone in "".join(row)}
