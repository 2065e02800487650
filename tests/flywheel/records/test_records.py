"""Records through a real lake: provenance down to the log, a rule switched off, a `no` to training, the control."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flywheel import records, signals
from flywheel.capture.events import Event
from flywheel.ingest.mask import user_hash
from flywheel.ingest.stage import SALT
from flywheel.records.control import shuffled
from flywheel.records.derive import KINDS, RULES
from tests.product import accepted, answer, edited, rated, read, take

DAY = 24 * 60
BETTER = "Your order is on its way."


def made(home: Path, events: Sequence[Event], **changes: Any) -> dict[str, pl.DataFrame]:
    """What the lake holds of records once these events are derived, all conversations closed."""
    lake = take(home, [*events, answer("end", 7 * DAY)])
    settings = read(home, **changes)
    signals.catch_up(lake, settings)
    records.catch_up(lake, settings)
    return {kind: lake.read(kind).filter(~pl.col("unit").str.contains("talk-end")) for kind in KINDS}


def an_edit(**fields: Any) -> list[Event]:
    return [answer("a", **fields), edited("a", BETTER, 1), accepted("a", 2)]


def a_chain(length: int) -> list[Event]:
    talk = {"parent": "ask", "conversation": "talk", "user": "u"}
    chain = [answer(f"r{attempt}", attempt, text=f"Draft {attempt}.", **talk) for attempt in range(length)]
    return [*chain, accepted(f"r{length - 1}", 30)]


def test_every_record_leads_back_to_its_events(tmp_path: Path) -> None:
    found = made(tmp_path, [*an_edit(), *a_chain(3), rated("a", -1, 3)])
    kinds = dict(take(tmp_path, []).read("events").select("key", "kind").iter_rows())
    named = {
        (row["rule"], tuple(sorted(kinds[key] for key in row["event_ids"])))
        for frame in found.values()
        for row in frame.iter_rows(named=True)
    }
    assert named == {
        ("edit_pair", ("accepted", "edited", "response")),
        ("edit_demonstration", ("accepted", "edited", "response")),
        ("regeneration_ranking", ("accepted", "response", "response", "response")),
        ("regeneration_pair", ("accepted", "response", "response")),
        ("regeneration_pair", ("accepted", "response", "response", "response")),  # the first was asked for anew twice
        ("rating_label", ("rated", "response")),
        ("failure_case", ("rated", "response")),
    }
    versions = {rule.name: rule.version for rule in RULES}
    pairs = found["pairs"]
    assert all(version == versions[rule] for rule, version in pairs.select("rule", "rule_version").iter_rows())
    assert set(pairs.filter(rule="edit_pair")["user"]) == {user_hash("user-a", SALT)}


@pytest.mark.parametrize("who", ["answer", "feedback"])
def test_who_may_not_train_never_reaches_a_record(tmp_path: Path, who: str) -> None:
    allowed = who == "feedback"
    acts = [answer("a", may_train=allowed), edited("a", BETTER, 1, may_train=not allowed), accepted("a", 2)]
    assert all(frame.is_empty() for frame in made(tmp_path, acts).values())


def test_a_rule_switched_off_is_rebuilt_without(tmp_path: Path) -> None:
    assert len(made(tmp_path, an_edit())["pairs"]) == 1
    again = made(tmp_path, [], records={"rules_off": ["edit_pair"]})
    assert again["pairs"].is_empty()
    assert len(again["demonstrations"]) == 1


def test_a_signal_switched_off_takes_its_records_with_it(tmp_path: Path) -> None:
    assert len(made(tmp_path, a_chain(3))["rankings"]) == 1
    assert made(tmp_path, [], signals={"off": ["regeneration"]})["rankings"].is_empty()


def a_frame(kind: str, count: int) -> pl.DataFrame:
    sides = {
        "pairs": {"chosen": ["good"] * count, "rejected": ["bad"] * count},
        "demonstrations": {"completion": ["good"] * count, "other": ["bad"] * count},
        "rankings": {"responses": [["good", "bad", "bad"]] * count, "ranks": [[1, 2, 2]] * count},
        "labels": {"response": ["x"] * count, "desirable": [row % 4 == 0 for row in range(count)]},
    }[kind]
    return pl.DataFrame({"id": [f"r{row}" for row in range(count)], **sides})


@pytest.mark.parametrize(
    ("kind", "good"),
    [
        ("pairs", pl.col("chosen") == "good"),
        ("demonstrations", pl.col("completion") == "good"),
        ("rankings", pl.col("ranks") == [1, 2, 2]),
    ],
)
def test_the_control_decides_every_direction_by_chance(kind: str, good: pl.Expr) -> None:
    found = shuffled(kind, a_frame(kind, 2000), seed=1)
    assert 0.45 < found.select(good).to_series().mean() < 0.55  # pyright: ignore[reportOperatorIssue]
    other = shuffled(kind, a_frame(kind, 2000).sample(fraction=1, shuffle=True, seed=3), seed=1)
    assert other.sort("id").equals(found.sort("id"))


def test_the_control_turns_a_ranking_round_and_leaves_equals_equal() -> None:
    found = shuffled("rankings", a_frame("rankings", 50), seed=1)
    assert {tuple(ranks) for ranks in found["ranks"].to_list()} == {(1, 2, 2), (2, 1, 1)}


def test_the_control_decides_every_opinion_by_chance() -> None:
    before = a_frame("labels", 2000)
    after = shuffled("labels", before, seed=1)
    assert 0.45 < after["desirable"].mean() < 0.55  # pyright: ignore[reportOperatorIssue]
    both = pl.DataFrame({"b": before["desirable"].cast(pl.Int8), "a": after["desirable"].cast(pl.Int8)})
    assert abs(both.corr()["a"][0]) < 0.1


def test_a_record_of_the_control_says_so_and_cases_stay_as_they_are(tmp_path: Path) -> None:
    acts = [*an_edit(), *a_chain(3), rated("a", -1, 3)]
    plain, found = (made(tmp_path, acts, records={"control": control}) for control in ("none", "shuffled"))
    trained = {rule for kind, frame in found.items() for rule in frame["rule"] if kind != "failure_cases"}
    assert trained
    assert all(rule.endswith(" shuffled") for rule in trained)
    assert found["failure_cases"].equals(plain["failure_cases"])
    assert len(found["failure_cases"]) == 1
