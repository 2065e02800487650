"""Promises 2 and 4 for records: no order of rows matters, no event weighs over one, each record names its events."""

import random
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from flywheel import records, signals
from flywheel.capture.events import Event, Outcome
from flywheel.settings import Records, Signals
from tests.product import LATER, accepted, answer, at, edited, rated, take

FOLLOWUPS = (
    "no, that is wrong, make it shorter",
    "thanks, and the bill?",
    "where is my order now",
    "no, it was Friday",
)


def a_log(seed: int) -> list[Event]:
    """Conversations with every act that makes records: samples of shared prompts, chains, corrections, outcomes."""
    draw, events = random.Random(seed), []
    for talk in range(10):
        minute, common = 100 * talk, {"conversation": f"talk-{talk}", "user": f"u{draw.randrange(4)}"}
        name = text = ""
        for turn in range(draw.randint(1, 3)):
            shared = turn == 0 and draw.random() < 0.6
            parent = f"shared-{draw.randrange(2)}" if shared else f"ask-{talk}-{turn}"
            asked = f"say {parent}" if shared else draw.choice(FOLLOWUPS)
            for attempt in range(draw.choice([1, 1, 2, 3])):
                name, minute = f"{talk}-{turn}-{attempt}", minute + 1
                text = f"Draft {draw.randrange(4)} of it comes with many plain words and a greeting."
                events.append(answer(name, minute, parent=parent, request=asked, text=text, **common))
                if draw.random() < 0.4:
                    events.append(rated(name, draw.choice([-1, 0.5, 1]), minute + 0.1))
            if draw.random() < 0.4:
                fact = draw.choice(["", " Parcel 48213."])
                events.append(edited(name, f"{text.replace('many plain words', 'words')}{fact}", minute + 0.2))
            if draw.random() < 0.6:
                events.append(accepted(name, minute + 0.3))
        if draw.random() < 0.5:
            solved = {"name": "solved", "value": float(draw.randrange(2)), "workload": "drafts"}
            events.append(Outcome(id=f"end-{talk}", at=at(minute + 1), conversation=f"talk-{talk}", **solved))
    return events


@cache
def logged(seed: int) -> pl.DataFrame:
    with TemporaryDirectory() as folder:
        return take(Path(folder), a_log(seed)).read("events")


def made(events: pl.DataFrame, shuffled: int | None = None) -> dict[str, pl.DataFrame]:
    derived = signals.derive(events, {"drafts": LATER + timedelta(days=9)}, Signals())
    exchanges, found = derived.exchanges, derived.signals
    if shuffled is not None:
        exchanges, found = (frame.sample(fraction=1, shuffle=True, seed=shuffled) for frame in (exchanges, found))
    return records.derive(exchanges, found, Records(), Signals())


def named(found: dict[str, pl.DataFrame]) -> dict[str, set[str]]:
    """Of each record the events it names, and what it is."""
    return {row: set(keys) for frame in found.values() for row, keys in frame.select("id", "event_ids").iter_rows()}


def test_the_log_holds_what_the_properties_speak_of() -> None:
    rules = {rule for seed in range(2) for frame in made(logged(seed)).values() for rule in frame["rule"]}
    assert rules >= {"edit_pair", "regeneration_pair", "sample_pair", "rating_label", "failure_case", "knowledge_gap"}


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10_000), order=st.integers(0, 1000))
def test_no_order_of_rows_matters(seed: int, order: int) -> None:
    events = logged(seed)
    straight, shuffled = made(events), made(events.sample(fraction=1, shuffle=True, seed=order), order)
    for kind, frame in straight.items():
        assert_frame_equal(frame.sort("id"), shuffled[kind].sort("id"))
    assert sum(map(len, straight.values())) > 0


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10_000), chosen=st.integers(0, 10_000))
@example(seed=4526, chosen=3118)  # what came next did not call it wrong, but what came after that would have
def test_without_an_event_exactly_the_records_that_name_it_are_gone(seed: int, chosen: int) -> None:
    events = logged(seed)
    everything = named(made(events))
    assert set().union(*everything.values()) <= set(events["key"])
    for key in random.Random(chosen).sample(sorted(set().union(*everything.values())), 3):
        without = named(made(events.filter(pl.col("key") != key)))
        kept = {row for row, keys in everything.items() if key not in keys}
        assert kept <= set(without)
        assert not (set(everything) - kept) & set(without)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_what_one_event_gives_weighs_at_most_one(seed: int) -> None:
    events = logged(seed)
    found = made(events)
    feedback = events.filter(pl.col("kind") != "response").select(event_ids="key")
    for kind, by in (("labels", []), ("pairs", ["rule", "unit"])):
        rows = found[kind].filter(~pl.col("rule").is_in(["run_pair"]))
        each = rows.explode("event_ids").join(feedback, on="event_ids")
        weights = each.group_by("event_ids", *by).agg(pl.col("weight").sum())["weight"].to_list()
        assert max(weights, default=0) <= 1 + 1e-9
    sampled = found["pairs"].filter(rule="sample_pair").group_by("unit").agg(pl.col("weight").sum())
    assert set(sampled["weight"].round(9)) <= {1.0}
