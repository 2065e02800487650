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
from tests.product import accepted, answer, edited, rated, read, take

TABLES = ("exchanges", "signals", "pairs", "rankings", "labels", "demonstrations")


def a_log(seed: int, talks: int = 8) -> list[Event]:
    """Some days of conversations of a few people, some across midnight."""
    draw, events = random.Random(seed), []
    for talk in range(talks):
        minute, user = draw.randrange(4 * 24 * 60), f"u{draw.randrange(3)}"
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
    for stage in (signals, records):
        if days := stage.stale_days(lake, rules):
            stage.derive_days(lake, rules, days)


def tables(lake: Lake) -> dict[str, pl.DataFrame]:
    return {
        name: lake.read(name).sort(pl.all()) if name not in ("exchanges",) else lake.read(name).sort("answer")
        for name in TABLES
    }


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(1, 60), max_size=3))
def test_incremental_is_full(seed: int, cuts: list[int]) -> None:
    events = a_log(seed)
    late = events.copy()
    random.Random(seed).shuffle(late)
    with TemporaryDirectory() as folder:
        piecewise, whole = Path(folder, "piecewise"), Path(folder, "whole")
        bounds = [0, *sorted(cuts), len(late)]
        for start, end in pairwise(bounds):
            derive(take(piecewise, late[start:end]), piecewise)
        derive(take(whole, events), whole)
        left, right = tables(Lake(piecewise)), tables(Lake(whole))
        for name in TABLES:
            assert_frame_equal(left[name], right[name], check_row_order=True)
        assert len(right["exchanges"]) > 0


def test_nothing_is_stale_after_deriving_and_a_changed_rule_makes_all_of_it_stale(tmp_path: Path) -> None:
    lake = take(tmp_path, a_log(1))
    derive(lake, tmp_path)
    assert signals.stale_days(lake, read(tmp_path)) == records.stale_days(lake, read(tmp_path)) == []
    stricter = read(tmp_path, signals={"edit_pair": 0.5})
    assert len(signals.stale_days(lake, stricter)) == lake.read("exchanges")["day"].n_unique()
