"""Failure cases with whom to suspect, and the map of who is failed how often."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flywheel.lake import Lake
from flywheel.records.failure_map import failure_map
from flywheel.records.mapping import map_failures
from flywheel.tables import Exchanges
from tests.flywheel.records.made import Row, a_run, exchange, made, signal
from tests.product import MONDAY

DAY = 24 * 60


def a_talk(turns: int) -> list[Row]:
    return [exchange(f"t{turn}", turn, conversation="talk", turn=turn, user="u") for turn in range(1, turns + 1)]


def suspects(case: Row) -> dict[str, float]:
    return {each["answer"]: each["share"] for each in json.loads(case["suspects"])}


@pytest.mark.parametrize(
    ("kind", "fields", "failure"),
    [
        ("abandonment", {"detail": "after a refusal"}, "abandonment"),
        ("tool_failure", {"detail": "environment", "about": "call-1"}, "tool_failure"),
        ("retrieval_miss", {"detail": "empty"}, "retrieval_miss"),
        ("refusal", {}, "refusal"),
        ("correction", {"text": "That is wrong."}, "correction"),
        ("rating", {"value": -1.0, "text": "bad"}, "rating"),
        ("acceptance", {"value": -1.0, "detail": "revoked"}, "complaint"),
    ],
)
def test_each_way_to_fail_is_a_case(kind: str, fields: dict[str, Any], failure: str) -> None:
    cases = made([exchange("a")], [signal("a", kind, **fields)])["failure_cases"]
    case = cases.row(0, named=True)
    assert (len(cases), case["failure"], case["detail"]) == (1, failure, fields.get("detail"))
    assert (case["said"], case["answer"], case["turn"], case["turns"]) == (fields.get("text"), "a", 1, 1)
    assert suspects(case) == {"a": 1.0}


@pytest.mark.parametrize(("kind", "value"), [("rating", 1.0), ("acceptance", 1.0), ("edit", 0.5), ("rephrase", 1.0)])
def test_what_went_well_or_only_may_not_have_is_no_case(kind: str, value: float) -> None:
    assert made([exchange("a")], [signal("a", kind, value, text="No.")])["failure_cases"].is_empty()


def test_several_failures_of_an_answer_are_a_case_each_but_calls_of_one_answer_are_one() -> None:
    calls = [signal("a", "tool_failure", about=f"call {n}", detail="model", confidence=0.5 + n / 10) for n in range(3)]
    cases = made([exchange("a")], [*calls, signal("a", "abandonment")])["failure_cases"]
    assert sorted(cases["failure"]) == ["abandonment", "tool_failure"]
    assert cases.filter(failure="tool_failure")["confidence"].item() == pytest.approx(0.7)
    assert cases.filter(failure="tool_failure")["event_ids"].list.len().item() == 4


@pytest.mark.parametrize("turns", [1, 2, 4, 12])
def test_suspicion_is_spread_and_falls_towards_the_end(turns: int) -> None:
    case = made(a_talk(turns), [signal(f"t{turns}", "abandonment")])["failure_cases"].row(0, named=True)
    shares = suspects(case)
    assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
    assert list(shares) == [f"t{turn}" for turn in range(1, min(turns, 5) + 1)]
    assert turns == 1 or max(shares.values()) < 0.75
    assert (case["turn"], case["turns"]) == (turns, turns)


def test_the_suspicion_follows_what_was_found_in_failed_runs() -> None:
    """The decisive error at a third of the run in the median, in the last two of twelve steps one time in seven."""
    failed = [signal("t5", "abandonment")]
    shares = suspects(made(a_talk(5), failed)["failure_cases"].row(0, named=True))
    assert 0.3 < shares["t1"] < 0.4
    assert 0.5 < shares["t1"] + shares["t2"] < 0.65
    assert shares["t5"] < 0.14


def test_an_answer_with_trouble_of_its_own_is_suspected_more() -> None:
    plain = made(a_talk(4), [signal("t4", "abandonment")])["failure_cases"].row(0, named=True)
    failing = [signal("t4", "abandonment"), signal("t3", "tool_failure", detail="model")]
    told = made(a_talk(4), failing)["failure_cases"].filter(failure="abandonment").row(0, named=True)
    assert max(suspects(told), key=suspects(told).__getitem__) == "t3"
    assert suspects(plain)["t3"] < suspects(told)["t3"] < 0.7


@pytest.mark.parametrize("turns", [2, 4, 12])
def test_where_the_failure_is_the_answers_own_it_is_first_and_not_alone(turns: int) -> None:
    shares = suspects(made(a_talk(turns), [signal(f"t{turns}", "refusal")])["failure_cases"].row(0, named=True))
    assert next(iter(shares)) == f"t{turns}"
    assert 0.4 < shares[f"t{turns}"] < 0.85
    assert sum(shares.values()) == pytest.approx(1, abs=1e-5)


def test_nothing_that_came_later_is_suspected() -> None:
    case = made(a_talk(4), [signal("t2", "refusal")])["failure_cases"].row(0, named=True)
    assert set(suspects(case)) == {"t1", "t2"}


def test_a_failed_run_is_a_case_at_its_end() -> None:
    case = made(a_run("bad", ["Look.", "Wait."], 0))["failure_cases"].row(0, named=True)
    assert (case["failure"], case["answer"], case["turn"]) == ("failed_run", "bad-2", 2)
    assert "outcome bad" in case["event_ids"]


# ---- the map --------------------------------------------------------------------------------------------------------


def a_month(failing: dict[str, int], users: int = 10) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Each user asks once a day for 14 days; in each slice the first `failing` users are failed in the second week."""
    exchanges, signals = [], []
    for slice_, failed in failing.items():
        for day in range(14):
            for user in range(users):
                name = f"{slice_}-{day}-{user}"
                exchanges.append(exchange(name, day * DAY, slice=slice_, user=f"{slice_}{user}"))
                if user < failed and day >= 7:
                    signals.append(signal(name, "refusal"))
    frame = pl.DataFrame(exchanges, schema=Exchanges.create_empty().schema)
    return made(exchanges, signals)["failure_cases"], frame


def test_the_map_counts_cases_users_and_exchanges_and_says_who_loses_most() -> None:
    cases, exchanges = a_month({"retail": 1, "bank": 4})
    cells = {row["slice"]: row for row in failure_map(cases, exchanges).iter_rows(named=True)}
    assert {name: (row["cases"], row["users"], row["exchanges"]) for name, row in cells.items()} == {
        "all": (35, 5, 280),
        "bank": (28, 4, 140),
        "retail": (7, 1, 140),
    }
    assert {name: row["loses_most"] for name, row in cells.items()} == {"all": False, "bank": True, "retail": False}
    assert cells["bank"]["rate"] == pytest.approx(0.2)
    assert cells["bank"]["trend"] == pytest.approx(0.4)
    assert all(row["low"] < row["rate"] < row["high"] for row in cells.values())
    assert len(set(cells["bank"]["examples"])) == 2


def test_one_users_failures_say_less_than_many_users() -> None:
    cases, exchanges = a_month({"retail": 2}, users=20)
    spread = exchanges.with_columns(user=pl.col("answer"))
    narrow, wide = (failure_map(cases, each).filter(slice="all").row(0, named=True) for each in (spread, exchanges))
    assert wide["high"] - wide["low"] > 1.5 * (narrow["high"] - narrow["low"])


def test_a_slice_that_never_failed_is_on_the_map_and_the_young_have_no_trend() -> None:
    exchanges = [exchange("a", slice="retail"), exchange("b", 1, slice="bank")]
    drawn = failure_map(
        made(exchanges, [signal("a", "refusal")])["failure_cases"],
        pl.DataFrame(exchanges, schema=Exchanges.create_empty().schema),
    )
    bank = drawn.filter(slice="bank").row(0, named=True)
    assert (bank["cases"], bank["rate"], bank["low"], bank["examples"], bank["trend"]) == (0, 0.0, 0.0, [], None)
    assert 0 < bank["high"] < 1


def test_no_failures_are_an_empty_map() -> None:
    exchanges = [exchange("a")]
    frame = pl.DataFrame(exchanges, schema=Exchanges.create_empty().schema)
    assert failure_map(made(exchanges)["failure_cases"], frame).is_empty()


def test_the_map_in_the_lake_is_drawn_anew(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    cases, exchanges = a_month({"retail": 2, "bank": 4})
    for table, frame in (("failure_cases", cases), ("exchanges", exchanges)):
        lake.replace(table, frame, {"day": frame["day"].unique().to_list()})
    drawn = map_failures(lake, "drafts")
    assert len(map_failures(lake, "drafts")) == len(drawn) == 3
    days = [MONDAY.date() + timedelta(days=day) for day in range(14)]
    lake.replace("failure_cases", cases.filter(slice="bank"), {"day": days})
    map_failures(lake, "drafts")
    assert lake.read("failure_map").filter(slice="retail")["cases"].to_list() == [0]
