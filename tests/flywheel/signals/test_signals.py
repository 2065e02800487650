"""Each signal from the acts that make it, and from those that must not."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flywheel.capture.events import Event
from flywheel.signals import derive_days, stale_days
from tests.product import accepted, answer, edited, rated, read, shown, take

DAY = 24 * 60
DRAFT = "Sorry about that. Your order is on its way."


def signals(home: Path, events: Sequence[Event], **changes: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """What is read of these events, by (answer, kind); a last event a week later closes every conversation."""
    lake = take(home, [*events, answer("end", 7 * DAY)])
    settings = read(home, **changes)
    found = derive_days(lake, settings, stale_days(lake, settings)).signals
    return {(row["answer"], row["kind"]): row for row in found.iter_rows(named=True) if row["answer"] != "end"}


def test_an_edit_says_how_much_changed_and_what_was_kept(tmp_path: Path) -> None:
    found = signals(tmp_path, [answer("a"), edited("a", "Your order is on its way.", 1), accepted("a", 2)])
    edit = found["a", "edit"]
    assert edit["text"] == "Your order is on its way."
    assert edit["value"] == pytest.approx((len(DRAFT) - len("Your order is on its way.")) / len(DRAFT))
    assert ("a", "acceptance") in found
    assert len(edit["event_ids"]) == 3


def test_the_last_edit_is_what_was_kept(tmp_path: Path) -> None:
    acts = [
        answer("a"),
        edited("a", "Your order comes.", 2),
        edited("a", "Your order comes on Friday.", 3),
        accepted("a", 4),
    ]
    assert signals(tmp_path, acts)["a", "edit"]["text"] == "Your order comes on Friday."


def test_a_mended_typo_is_no_edit(tmp_path: Path) -> None:
    found = signals(tmp_path, [answer("a", text=DRAFT + "x" * 60), edited("a", DRAFT + "x" * 59, 1), accepted("a", 2)])
    assert set(found) == {("a", "acceptance")}


def test_an_edit_nobody_sent_counts_once_the_conversation_is_over(tmp_path: Path) -> None:
    lake = take(tmp_path, [answer("a"), edited("a", "On its way.", 1)])
    settings = read(tmp_path)
    assert derive_days(lake, settings, stale_days(lake, settings)).signals.is_empty()
    take(tmp_path, [answer("end", 7 * DAY)])
    assert "edit" in derive_days(lake, settings, stale_days(lake, settings)).signals["kind"].cast(pl.String).to_list()


def test_siblings_of_one_message_are_regenerations(tmp_path: Path) -> None:
    chain = [answer(name, minute, parent="ask", conversation="talk", user="u") for minute, name in enumerate("abc")]
    found = signals(tmp_path, [*chain, accepted("c", 5)])
    assert {
        answer: (row["value"], row["other"]) for (answer, kind), row in found.items() if kind == "regeneration"
    } == {
        "a": (2.0, "c"),
        "b": (1.0, "c"),
    }


def test_an_edited_prompt_is_a_rephrase_and_no_regeneration(tmp_path: Path) -> None:
    talk = {"conversation": "talk", "user": "u"}
    first = answer("a", parent="ask-1", request="where is order 48213", **talk)
    second = answer("b", 1, parent="ask-2", request="where is my order 48213 now", **talk)
    found = signals(tmp_path, [first, second, accepted("b", 2)])
    assert ("a", "rephrase") in found
    assert ("a", "regeneration") not in found
    assert found["a", "rephrase"]["other"] == "b"


def test_another_question_is_no_rephrase(tmp_path: Path) -> None:
    talk = {"conversation": "talk", "user": "u"}
    acts = [answer("a", request="where is order 48213", **talk), answer("b", 1, request="Bitte kündigen!", **talk)]
    assert ("a", "rephrase") not in signals(tmp_path, acts)


def test_what_was_kept_was_not_rephrased(tmp_path: Path) -> None:
    talk = {"conversation": "talk", "user": "u"}
    acts = [
        answer("a", request="order 48213?", **talk),
        accepted("a", 1),
        answer("b", 2, request="order 48214?", **talk),
    ]
    assert ("a", "rephrase") not in signals(tmp_path, acts)


def test_the_last_rating_is_the_opinion(tmp_path: Path) -> None:
    found = signals(tmp_path, [answer("a"), rated("a", 1, 1), rated("a", -1, 2)])
    assert found["a", "rating"]["value"] == -1


def test_walking_away_is_abandonment_only_when_the_conversation_is_over(tmp_path: Path) -> None:
    lake = take(tmp_path, [answer("a"), shown("a", 1)])
    settings = read(tmp_path)
    assert derive_days(lake, settings, stale_days(lake, settings)).signals.is_empty()
    assert set(signals(tmp_path, [])) == {("a", "abandonment")}


@pytest.mark.parametrize("act", [accepted("a", 1), rated("a", 1, 1)])
def test_who_kept_or_praised_the_answer_did_not_abandon_it(tmp_path: Path, act: Event) -> None:
    assert ("a", "abandonment") not in signals(tmp_path, [answer("a"), act])


def test_slices_follow_the_first_rule_that_matches_and_the_rest_is_counted(tmp_path: Path) -> None:
    slices = [
        {"name": "vip", "tags": {"segment": "retail", "tier": "gold"}},
        {"name": "retail", "tags": {"segment": "retail"}},
    ]
    events = [
        answer("a"),
        answer("b", tags={"segment": "retail", "tier": "gold"}),
        answer("c", tags={"segment": "bank"}),
    ]
    lake, settings = take(tmp_path, events), read(tmp_path, slices=slices)
    found = derive_days(lake, settings, stale_days(lake, settings)).exchanges
    assert dict(found.select("answer", "slice").iter_rows()) == {"a": "retail", "b": "vip", "c": "unassigned"}


def test_answers_of_nobody_in_particular_are_conversations_of_their_own(tmp_path: Path) -> None:
    """How they are called does not depend on what else was asked meanwhile: it may not have been logged yet."""
    lone = [answer(id, minute, user=None, conversation=None) for id, minute in (("a", 0), ("b", 5), ("c", 3 * DAY))]
    for home, events in (("all", lone), ("some", lone[1:2])):
        (tmp_path / home).mkdir()
        lake = take(tmp_path / home, events)
        settings = read(tmp_path / home)
        talks = derive_days(lake, settings, stale_days(lake, settings)).exchanges["conversation"]
        assert set(talks) == {f"answer {event.id} session 1" for event in events}


def test_a_conversation_nobody_named_is_one_users_exchanges_without_an_idle_gap(tmp_path: Path) -> None:
    hours = {"a": 0, "b": 1, "c": 60}
    lake = take(tmp_path, [answer(name, 60 * hour, conversation=None, user="u") for name, hour in hours.items()])
    settings = read(tmp_path)
    found = dict(
        derive_days(lake, settings, stale_days(lake, settings)).exchanges.select("answer", "conversation").iter_rows()
    )
    assert found["a"] == found["b"] != found["c"]
