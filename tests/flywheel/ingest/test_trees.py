"""Message trees stay trees: siblings and edited prompts are rows of their own, and what is read of them."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from flywheel import records
from flywheel.capture.events import Message, Response
from flywheel.ingest import Taken, ingest
from flywheel.lake import Lake
from flywheel.settings import Source
from flywheel.signals import catch_up
from tests.flywheel.ingest.logs import conserved
from tests.product import LATER, accepted, answer, read, take

DAY = 24 * 60
TALK = {"conversation": "talk", "user": "u"}


def regenerations(home: Path, **rules: Any) -> dict[str, tuple[float, str]]:
    """Of each answer that was sent back: how often, and for which one in the end."""
    lake, settings = Lake(home), read(home, **rules)
    catch_up(lake, settings)
    signals = lake.read("signals").filter(kind="regeneration")
    return {answer: (value, other) for answer, value, other in signals.select("answer", "value", "other").iter_rows()}


def branches(home: Path, responses: Sequence[Response]) -> int:
    take(home, responses)
    return _again(home).branches


def _again(home: Path) -> Taken:
    """The same logs, as they are told to who ingests them all at once."""
    return ingest(Lake(home / "again"), [Source(name="product", path=f"{home}/logs/*.jsonl")], now=LATER)


def test_a_regeneration_and_an_edited_prompt_stay_rows_of_their_own(tmp_path: Path) -> None:
    root = answer("a", parent="ask", request="where is it", text="There.", **TALK)
    again = answer("b", 1, parent="ask", request="where is it", text="Here.", **TALK)
    edited = answer("c", 2, parent="ask-edited", request="where is my order", text="In the post.", **TALK)
    below = answer("d", 3, parent="thanks", prompt=_under(edited, "thanks"), text="You are welcome.", **TALK)
    lake = take(tmp_path, [below, again, edited, root])
    stored = lake.read("events").sort("id")
    assert stored.select("id", "parent", "text").rows() == [
        ("a", "ask", "There."),
        ("b", "ask", "Here."),
        ("c", "ask-edited", "In the post."),
        ("d", "thanks", "You are welcome."),
    ]
    assert [len(json.loads(prompt)) for prompt in stored["prompt"]] == [1, 1, 1, 3]
    assert stored.n_unique(["conversation", "user"]) == 1
    assert not stored["id_conflict"].any()
    assert regenerations(tmp_path) == {"a": (1.0, "b")}
    exchanges = lake.read("exchanges").sort("answer").select("answer", "parent", "attempt", "conversation")
    assert exchanges.rows() == [
        ("a", "ask", 1, "talk"),
        ("b", "ask", 2, "talk"),
        ("c", "ask-edited", 1, "talk"),
        ("d", "thanks", 1, "talk"),
    ]
    assert _again(tmp_path).branches == 1
    conserved(tmp_path)


def _under(response: Response, then: str) -> list[Message]:
    return [*response.prompt, Message(role="assistant", content=response.text), Message(role="user", content=then)]


def test_two_branches_of_one_conversation_may_say_the_same(tmp_path: Path) -> None:
    """Equal texts under two parents are two answers; under one parent they are one answer that came twice."""
    same = [
        answer(name, at, parent=parent, text="Yes.", **TALK) for at, (name, parent) in enumerate(["ap", "bp", "cq"])
    ]
    assert branches(tmp_path, same) == 0
    assert len(Lake(tmp_path).read("events")) == 3
    assert regenerations(tmp_path) == {"a": (1.0, "b")}


@pytest.mark.parametrize("users", [["u", "v", "w"], ["u", "u", "u"], [None, None, None]])
def test_independent_samples_of_one_prompt_are_branches_and_no_regeneration(
    users: list[str | None], tmp_path: Path
) -> None:
    samples = [
        answer(name, at, parent="ask", text=f"Sample {name}.", conversation=f"episode-{name}", user=user)
        for at, (name, user) in enumerate(zip("abc", users, strict=True))
    ]
    assert branches(tmp_path, samples) == 1
    assert regenerations(tmp_path) == {}


def test_without_a_conversation_samples_for_several_people_are_no_regeneration_and_one_persons_are(
    tmp_path: Path,
) -> None:
    nobodys = [answer(name, parent="x", text=name, conversation=None, user=None) for name in "ab"]
    several = [answer(name, parent="y", text=name, conversation=None, user=name) for name in "cd"]
    one = [answer(name, at, parent="z", text=name, conversation=None, user="u") for at, name in enumerate("ef")]
    assert branches(tmp_path, [*nobodys, *several, *one]) == 3
    assert regenerations(tmp_path) == {"e": (1.0, "f")}


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        ([0, 1, 2], {"a": (2.0, "c"), "b": (1.0, "c")}),
        ([0, 24, 48], {"a": (2.0, "c"), "b": (1.0, "c")}),
        ([0, 1, 25.1], {"a": (1.0, "b")}),
        ([0, 24.1, 25], {"b": (1.0, "c")}),
        ([0, 25, 50], {}),
    ],
)
def test_an_answer_after_an_idle_gap_is_no_regeneration(
    hours: list[float], expected: dict[str, Any], named: bool, tmp_path: Path
) -> None:
    talk = TALK if named else {"conversation": None, "user": "u"}
    chain = [answer(name, 60 * hour, parent="ask", **talk) for name, hour in zip("abc", hours, strict=True)]
    take(tmp_path, [*chain, answer("end", 30 * DAY)])
    assert regenerations(tmp_path) == expected


def test_how_long_a_gap_is_idle_is_a_rule(tmp_path: Path) -> None:
    take(tmp_path, [answer(name, 60 * hour, parent="ask", **TALK) for name, hour in (("a", 0), ("b", 5))])
    assert regenerations(tmp_path) == {"a": (1.0, "b")}
    assert regenerations(tmp_path, signals={"idle_hours": 4}) == {}


def test_two_sittings_over_one_message_are_two_chains_and_each_of_them_weighs_one(tmp_path: Path) -> None:
    chain = [
        answer(name, 60 * hour, parent="ask", text=f"Draft {name}.", **TALK)
        for name, hour in zip("abcd", (0, 1, 72, 73), strict=True)
    ]
    take(tmp_path, [*chain, accepted("b", 70), accepted("d", 74 * 60), answer("end", 30 * DAY)])
    assert regenerations(tmp_path) == {"a": (1.0, "b"), "c": (1.0, "d")}
    lake, settings = Lake(tmp_path), read(tmp_path)
    records.catch_up(lake, settings)
    pairs = lake.read("pairs").sort("chosen")
    assert pairs.select("chosen", "rejected", "weight").rows() == [
        ("Draft b.", "Draft a.", 1.0),
        ("Draft d.", "Draft c.", 1.0),
    ]


def test_siblings_that_arrive_late_and_out_of_order_give_the_same_tree(tmp_path: Path) -> None:
    chain = [answer(name, at, parent="ask", text=name, **TALK) for at, name in enumerate("abc")]
    for event in (chain[2], chain[0], chain[1]):
        take(tmp_path, [event])
        found = regenerations(tmp_path)
    assert found == {"a": (2.0, "c"), "b": (1.0, "c")}
    moved = dataclasses.replace(chain[0], at=chain[0].at.replace("2026", "2025"))  # its later reading speaks
    take(tmp_path, [moved])
    assert regenerations(tmp_path) == found
