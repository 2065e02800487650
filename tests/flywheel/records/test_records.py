"""Each rule from the signals that make it, with its provenance; and promise 4: a rule switched off, a `no` to
training.
"""

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
from tests.product import accepted, answer, edited, rated, read, take

DAY = 24 * 60
DRAFT = "Sorry about that. Your order is on its way."
BETTER = "Your order is on its way."


def made(home: Path, events: Sequence[Event], **changes: Any) -> dict[str, pl.DataFrame]:
    lake = take(home, [*events, answer("end", 7 * DAY)])
    settings = read(home, **changes)
    signals.derive_days(lake, settings, signals.stale_days(lake, settings))
    return records.derive_days(lake, settings, records.stale_days(lake, settings))


def an_edit(**fields: Any) -> list[Event]:
    return [answer("a", **fields), edited("a", BETTER, 1), accepted("a", 2)]


def a_chain(length: int) -> list[Event]:
    talk = {"parent": "ask", "conversation": "talk", "user": "u"}
    chain = [answer(f"r{attempt}", attempt, text=f"Draft {attempt}.", **talk) for attempt in range(length)]
    return [*chain, accepted(f"r{length - 1}", 30)]


def test_an_edit_is_a_pair_and_a_demonstration(tmp_path: Path) -> None:
    found = made(tmp_path, an_edit())
    pair, demonstration = found["pairs"].row(0, named=True), found["demonstrations"].row(0, named=True)
    assert (pair["chosen"], pair["rejected"]) == (BETTER, DRAFT)
    assert demonstration["completion"] == BETTER
    assert (pair["rule"], pair["rule_version"], pair["user"]) == ("edit_pair", 1, user_hash("user-a", SALT))


def test_a_small_edit_demonstrates_but_is_no_pair(tmp_path: Path) -> None:
    small = [answer("a"), edited("a", DRAFT.replace("on its way", "on the way"), 1), accepted("a", 2)]
    found = made(tmp_path, small)
    assert (len(found["pairs"]), len(found["demonstrations"])) == (0, 1)


def test_another_text_altogether_teaches_nothing(tmp_path: Path) -> None:
    rewrite = [answer("a"), edited("a", "Bzzz!", 1), accepted("a", 2)]
    assert all(frame.is_empty() for frame in made(tmp_path, rewrite).values())


@pytest.mark.parametrize("length", [2, 3, 5])
def test_a_chain_weighs_one_however_long(tmp_path: Path, length: int) -> None:
    found = made(tmp_path, a_chain(length))
    pairs = found["pairs"]
    assert set(pairs["chosen"]) == {f"Draft {length - 1}."}
    assert set(pairs["rejected"]) == {f"Draft {attempt}." for attempt in range(length - 1)}
    assert pairs["weight"].sum() == pytest.approx(1)
    ranking = found["rankings"].row(0, named=True)["responses"]
    assert ranking == [f"Draft {attempt}." for attempt in [length - 1, *range(length - 1)]]


def test_a_chain_without_a_kept_answer_says_nothing(tmp_path: Path) -> None:
    found = made(tmp_path, a_chain(3)[:-1])
    assert found["pairs"].is_empty()
    assert found["rankings"].is_empty()


@pytest.mark.parametrize(("value", "desirable"), [(1, True), (-1, False), (-0.5, False)])
def test_a_rating_is_a_label(tmp_path: Path, value: float, desirable: bool) -> None:
    label = made(tmp_path, [answer("a"), rated("a", value, 1)])["labels"].row(0, named=True)
    assert (label["response"], label["desirable"], label["weight"]) == (DRAFT, desirable, abs(value))


def test_a_zero_is_no_verdict(tmp_path: Path) -> None:
    assert made(tmp_path, [answer("a"), rated("a", 0, 1)])["labels"].is_empty()


def test_every_record_leads_back_to_its_events(tmp_path: Path) -> None:
    found = made(tmp_path, [*an_edit(), *a_chain(3), rated("a", 1, 3)])
    events = take(tmp_path, []).read("events")
    kinds = dict(events.select("key", "kind").iter_rows())
    for frame in found.values():
        for row in frame.iter_rows(named=True):
            assert set(row["event_ids"]) <= set(kinds)
    assert sorted(kinds[key] for key in found["demonstrations"]["event_ids"][0]) == [
        "accepted",
        "edited",
        "rated",
        "response",
    ]


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
    assert take(tmp_path, []).read("pairs").is_empty()


def a_frame(kind: str, count: int) -> pl.DataFrame:
    sides = {
        "pairs": {"chosen": ["good"] * count, "rejected": ["bad"] * count},
        "demonstrations": {"completion": ["good"] * count, "other": ["bad"] * count},
        "rankings": {"responses": [["good", "bad"]] * count},
        "labels": {"response": ["x"] * count, "desirable": [row % 4 == 0 for row in range(count)]},
    }[kind]
    return pl.DataFrame({"id": [f"r{row}" for row in range(count)], **sides})


@pytest.mark.parametrize(
    ("kind", "says"), [("pairs", "chosen"), ("demonstrations", "completion"), ("rankings", "responses")]
)
def test_the_control_decides_every_direction_by_chance(kind: str, says: str) -> None:
    found = shuffled(kind, a_frame(kind, 2000), seed=1)
    first = found[says].list.first() if kind == "rankings" else found[says]
    assert 0.45 < (first == "good").mean() < 0.55
    other = shuffled(kind, a_frame(kind, 2000).sample(fraction=1, shuffle=True, seed=3), seed=1)
    assert other.sort("id").equals(found.sort("id"))


def test_the_control_deals_opinions_out_again() -> None:
    before = a_frame("labels", 2000)
    after = shuffled("labels", before, seed=1)
    assert after["desirable"].sum() == before["desirable"].sum()
    assert (
        abs(
            pl.DataFrame({"b": before["desirable"].cast(pl.Int8), "a": after["desirable"].cast(pl.Int8)}).corr()["a"][0]
        )
        < 0.1
    )


def test_a_record_of_the_control_says_so(tmp_path: Path) -> None:
    found = made(tmp_path, [*an_edit(), *a_chain(3), rated("a", 1, 3)], records={"control": "shuffled"})
    rules = {rule for frame in found.values() for rule in frame["rule"]}
    assert rules
    assert all(rule.endswith(" shuffled") for rule in rules)
