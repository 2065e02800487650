"""Promise 3: whatever arrives in whatever order, deriving what is stale gives what deriving everything anew gives."""

import random
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from flywheel import records, signals
from flywheel.capture.events import Event
from flywheel.lake import Lake
from flywheel.tables import TABLES
from tests.product import accepted, answer, edited, rated, read, take

DERIVED = (
    "exchanges",
    "signals",
    "waiting",
    "pairs",
    "rankings",
    "labels",
    "demonstrations",
    "failure_cases",
    "knowledge_gaps",
)


def a_log(seed: int, talks: int = 8) -> list[Event]:
    """Some days of conversations of a few people, some across midnight."""
    draw, events = random.Random(seed), []
    for talk in range(talks):
        minute, user = draw.randrange(4 * 24 * 60) + draw.random(), f"u{draw.randrange(3)}"
        named = {"conversation": None if draw.random() < 0.2 else f"talk-{talk}", "user": user}
        for turn in range(draw.randint(1, 3)):
            parent, last = f"ask-{talk}-{turn}", ""
            for attempt in range(draw.randint(1, 3)):
                last, minute = f"{talk}-{turn}-{attempt}", minute + draw.choice([1, 30, 700])
                request = f"where is order {talk}{turn}"
                events.append(
                    answer(last, minute, parent=parent, request=request, text=f"Draft {attempt} of {talk}.", **named)
                )
            if draw.random() < 0.4:
                events.append(edited(last, f"Draft of {talk}, as sent.", minute + 2))
            if draw.random() < 0.6:
                events.append(accepted(last, minute + 3))
            if draw.random() < 0.5:
                events.append(rated(last, draw.choice([-1, 1]), minute + 4))
    return events


def derive(lake: Lake, home: Path) -> None:
    rules = read(home)
    signals.catch_up(lake, rules)
    records.catch_up(lake, rules)


def tables(lake: Lake) -> dict[str, pl.DataFrame]:
    """Each table in the order of its key, without anything that says when it was written."""
    return {name: lake.read(name).sort(TABLES[name].primary_key()) for name in DERIVED}


def agree(left: Lake, right: Lake) -> bool:
    mine, theirs = tables(left), tables(right)
    for name in DERIVED:
        assert_frame_equal(mine[name], theirs[name])
    return len(theirs["exchanges"]) > 0


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(1, 60), max_size=3))
def test_incremental_is_full(seed: int, cuts: list[int]) -> None:
    events = a_log(seed)
    late = events.copy()
    random.Random(seed).shuffle(late)
    with TemporaryDirectory() as folder:
        piecewise, whole = Path(folder, "piecewise"), Path(folder, "whole")
        for start, end in pairwise([0, *sorted(cuts), len(late)]):
            derive(take(piecewise, late[start:end]), piecewise)
        derive(take(whole, events), whole)
        assert agree(Lake(piecewise), Lake(whole))


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(1, 60))
def test_days_derived_again_in_any_order_are_the_same(seed: int, cut: int) -> None:
    events, draw = a_log(seed), random.Random(seed)
    with TemporaryDirectory() as folder:
        by_day, whole = Path(folder, "days"), Path(folder, "whole")
        derive(take(by_day, events[:cut]), by_day)
        lake = take(by_day, events[cut:])
        days = lake.sql("SELECT DISTINCT time::DATE AS day FROM events ORDER BY day")["day"].to_list()
        for stage in (signals, records):
            for day in draw.sample(days, len(days)):
                stage.derive_days(lake, read(by_day), [day])
        signals.catch_up(lake, read(by_day))  # feedback that waited for its answer waits no longer
        derive(take(whole, events), whole)
        assert agree(lake, Lake(whole))


def test_nothing_is_stale_after_deriving_and_a_changed_rule_makes_all_of_it_stale(tmp_path: Path) -> None:
    lake = take(tmp_path, a_log(1))
    derive(lake, tmp_path)
    assert signals.stale_days(lake, read(tmp_path)) == records.stale_days(lake, read(tmp_path)) == []
    stricter = read(tmp_path, signals={"edit_pair": 0.5})
    assert len(signals.stale_days(lake, stricter)) == lake.read("exchanges")["day"].n_unique()


def test_a_rule_tried_on_one_day_and_taken_back_leaves_nothing_behind(tmp_path: Path) -> None:
    tried, whole = tmp_path / "tried", tmp_path / "whole"
    lake = take(tried, a_log(3))
    derive(lake, tried)
    other = read(tried, signals={"off": ["edit", "rating"]}, records={"rules_off": ["regeneration_ranking"]})
    for day in lake.read("exchanges")["day"].unique().sort().to_list()[:2]:
        signals.derive_days(lake, other, [day])
        records.derive_days(lake, other, [day])
    derive(lake, tried)
    derive(take(whole, a_log(3)), whole)
    assert agree(lake, Lake(whole))


def test_a_file_rewritten_for_a_conflict_is_still_found_by_its_last_event(tmp_path: Path) -> None:
    """Delta tells the times of a file it rewrote to the millisecond only."""
    last = 1.0000208  # minutes: not a whole millisecond
    lake = take(tmp_path, [answer("a", conversation="one"), answer("c", last, conversation="two")])
    derive(lake, tmp_path)
    take(tmp_path, [answer("a", 0.5, conversation="one", text="Another text of the same id.")])
    derive(lake, tmp_path)
    take(tmp_path, [rated("c", 1, 2)])
    derive(lake, tmp_path)
    assert sorted(lake.read("exchanges")["answer"]) == ["a", "c"]
    assert lake.read("signals").filter(kind="rating")["answer"].to_list() == ["c"]


def test_an_answer_from_before_the_first_partition_is_derived_all_the_same(tmp_path: Path) -> None:
    """It has no day in Dagster, and must not keep the others from being derived."""
    settings_ = read(tmp_path, start="2026-02-01")
    lake = take(tmp_path, [answer("early"), answer("late", 40 * 24 * 60)])
    assert min(signals.stale_days(lake, settings_)) < settings_.start
    signals.catch_up(lake, settings_)
    assert sorted(lake.read("exchanges")["answer"]) == ["early", "late"]
