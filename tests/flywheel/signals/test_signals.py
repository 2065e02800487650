"""Each signal from the acts that make it, and from those that must not."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from flywheel import signals
from flywheel.capture.events import Event, Message, Outcome, Response, Retrieval, ToolCall
from flywheel.lake import Lake
from tests.product import accepted, answer, at, edited, rated, read, shown, take

DAY = 24 * 60
DRAFT = "Sorry about that. Your order is on its way."
TALK = {"conversation": "talk", "user": "u"}

Found = dict[tuple[str, str], dict[str, Any]]


def derived(home: Path, events: Sequence[Event], **changes: Any) -> Lake:
    lake = take(home, events)
    signals.catch_up(lake, read(home, **changes))
    return lake


def found(home: Path, events: Sequence[Event], **changes: Any) -> Found:
    """What is read of these events, by (answer, kind); a last event a week later closes every conversation."""
    lake = derived(home, [*events, answer("end", 7 * DAY)], **changes)
    rows = [row for row in lake.read("signals").iter_rows(named=True) if row["answer"] != "end"]
    return {(row["answer"], row["kind"]): row for row in rows}


def keys(home: Path, *ids: str) -> set[str]:
    """The keys of the events with these ids."""
    return set(Lake(home).read("events").filter(id=ids[0])["key"]).union(*(keys(home, id) for id in ids[1:]))


def ask(id: str, minutes: float, request: str, **fields: Any) -> Response:
    return answer(id, minutes, request=request, **TALK, **fields)


def outcome(name: str, value: float, id: str | None, minutes: float, **fields: Any) -> Outcome:
    return Outcome(id=f"{name}-{id}", at=at(minutes), workload="drafts", name=name, value=value, answer=id, **fields)


def call(id: str, of: str, minutes: float, **fields: Any) -> ToolCall:
    given = {"name": "find", "arguments": {"order": "48213"}} | fields
    return ToolCall(id=id, at=at(minutes), workload="drafts", answer=of, **given)


# ---- edit -----------------------------------------------------------------------------------------------------------


def test_an_edit_says_how_many_of_the_words_changed_and_what_was_kept(tmp_path: Path) -> None:
    edit = found(tmp_path, [answer("a"), edited("a", "Your order is on its way.", 1), accepted("a", 2)])["a", "edit"]
    assert edit["text"] == "Your order is on its way."
    assert edit["value"] == pytest.approx(3 / 9)
    assert (edit["detail"], edit["weight"]) == ("edit", 1.0)
    assert set(edit["event_ids"]) == keys(tmp_path, "a", "edit-a-1", "accept-a")


def test_the_last_edit_is_what_was_kept(tmp_path: Path) -> None:
    events = [
        answer("a"),
        edited("a", "Your order comes.", 2),
        edited("a", "Your order comes on Friday.", 3),
        accepted("a", 4),
    ]
    assert found(tmp_path, events)["a", "edit"]["text"] == "Your order comes on Friday."


def test_an_edit_nobody_sent_counts_once_the_conversation_is_over(tmp_path: Path) -> None:
    lake = derived(tmp_path, [answer("a"), edited("a", "On its way.", 1)])
    assert lake.read("signals").is_empty()
    assert ("a", "edit") in found(tmp_path, [])


# ---- regeneration ---------------------------------------------------------------------------------------------------


def test_siblings_of_one_message_are_regenerations(tmp_path: Path) -> None:
    chain = [answer(name, minute, parent="ask", **TALK) for minute, name in enumerate("abc")]
    read_of = found(tmp_path, [*chain, accepted("c", 5)])
    asked_again = {answer: row for (answer, kind), row in read_of.items() if kind == "regeneration"}
    assert {id: (row["value"], row["other"]) for id, row in asked_again.items()} == {"a": (2.0, "c"), "b": (1.0, "c")}
    assert set(asked_again["b"]["event_ids"]) == keys(tmp_path, "b", "c")


def test_two_components_that_answer_one_message_are_no_regeneration(tmp_path: Path) -> None:
    both = [answer(name, parent="ask", component=name, **TALK) for name in ("router", "writer")]
    assert not [kind for _, kind in found(tmp_path, both) if kind == "regeneration"]


def test_who_comes_back_days_later_begins_anew(tmp_path: Path) -> None:
    again = [answer("a", parent="ask", **TALK), answer("b", 3 * DAY, parent="ask", **TALK)]
    assert ("a", "regeneration") not in found(tmp_path, again)


# ---- rephrase, correction -------------------------------------------------------------------------------------------


def test_an_edited_prompt_is_a_rephrase_and_no_regeneration(tmp_path: Path) -> None:
    events = [ask("a", 0, "where is order 48213"), ask("b", 1, "where is my order 48213 now"), accepted("b", 2)]
    read_of = found(tmp_path, events)
    assert ("a", "regeneration") not in read_of
    assert (read_of["a", "rephrase"]["other"], read_of["a", "rephrase"]["detail"]) == ("b", "reworded")
    assert set(read_of["a", "rephrase"]["event_ids"]) == keys(tmp_path, "a", "b")


def test_the_same_request_again_is_repeated(tmp_path: Path) -> None:
    events = [ask("a", 0, "where is order 48213"), ask("b", 1, "Where is order 48213?")]
    assert found(tmp_path, events)["a", "rephrase"]["detail"] == "repeated"


@pytest.mark.parametrize("second", ["Bitte kündigen!", "where is order 48214"])
def test_another_question_is_no_rephrase(tmp_path: Path, second: str) -> None:
    events = [ask("a", 0, "where is order 48213"), ask("b", 1, second)]
    assert ("a", "rephrase") not in found(tmp_path, events)


def test_what_was_kept_was_not_rephrased_but_can_still_be_corrected(tmp_path: Path) -> None:
    asked = ask("a", 0, "order 48213?")
    rephrased = [asked, accepted("a", 1), ask("b", 2, "order 48213, please?")]
    assert ("a", "rephrase") not in found(tmp_path, rephrased)
    said = "No, that is wrong. It should say Friday."
    corrected = found(tmp_path, [ask("c", 3, "order 48213!"), accepted("c", 4), ask("d", 5, said)])["c", "correction"]
    assert (corrected["detail"], corrected["text"], corrected["other"]) == ("correction", said, "d")


def test_a_complaint_says_only_that_it_is_wrong_and_weighs_less(tmp_path: Path) -> None:
    complaint = found(tmp_path, [ask("a", 0, "order 48213?"), ask("b", 1, "That is wrong.")])["a", "correction"]
    assert (complaint["detail"], complaint["weight"]) == ("complaint", 0.5)


def test_a_regeneration_s_last_answer_is_what_the_follow_up_speaks_of(tmp_path: Path) -> None:
    chain = [ask(name, minute, "order 48213?", parent="m") for minute, name in enumerate("ab")]
    read_of = found(tmp_path, [*chain, ask("c", 3, "That is wrong.")])
    assert {answer for answer, kind in read_of if kind == "correction"} == {"b"}


# ---- acceptance -----------------------------------------------------------------------------------------------------


def test_an_acceptance_says_how_the_answer_was_used(tmp_path: Path) -> None:
    events = [answer("a"), accepted("a", 1), answer("b"), edited("b", "On its way.", 1), accepted("b", 2)]
    read_of = found(tmp_path, events)
    assert [read_of[id, "acceptance"]["detail"] for id in "ab"] == ["sent", "edited"]
    assert [read_of[id, "acceptance"]["value"] for id in "ab"] == [1, 1]


REVOKING = {
    "outcome": outcome("complaint", 1, "a", 3),
    "correction": ask("b", 3, "No, it should say Friday."),
    "complaint": ask("b", 3, "This does not work."),
}


@pytest.mark.parametrize("act", REVOKING.values(), ids=REVOKING)
def test_a_later_complaint_revokes_an_acceptance_and_it_stays_in_sight(tmp_path: Path, act: Event) -> None:
    revoked = found(tmp_path, [ask("a", 0, "order?"), accepted("a", 1), act])["a", "acceptance"]
    assert (revoked["value"], revoked["detail"]) == (-1, "revoked")
    assert set(revoked["event_ids"]) == keys(tmp_path, "a", "accept-a", act.id)


HARMLESS = {
    "another outcome": outcome("sale", 1, "a", 3),
    "no complaint": outcome("complaint", 0, "a", 3),
    "a complaint before it was used": outcome("complaint", 1, "a", 0.5),
    "thanks": ask("b", 3, "Thanks, perfect."),
    "a question": ask("b", 3, "What does that mean?"),
}


@pytest.mark.parametrize("act", HARMLESS.values(), ids=HARMLESS)
def test_nothing_else_revokes_it(tmp_path: Path, act: Event) -> None:
    read_of = found(tmp_path, [ask("a", 0, "order?"), accepted("a", 1), act])
    assert read_of["a", "acceptance"]["value"] == 1


def test_an_acceptance_names_the_answer_that_came_next(tmp_path: Path) -> None:
    """Without it the complaint after it would speak of this one."""
    again = [ask("a", 0, "order?", parent="m"), accepted("a", 1), ask("b", 2, "order?", parent="m")]
    read_of = found(tmp_path, [*again, ask("c", 3, "That is wrong.")])
    assert read_of["a", "acceptance"]["value"] == 1
    assert set(read_of["a", "acceptance"]["event_ids"]) == keys(tmp_path, "a", "accept-a", "b")


def test_what_was_used_after_the_follow_up_stays_accepted(tmp_path: Path) -> None:
    events = [ask("a", 0, "order?"), ask("b", 2, "That is wrong."), accepted("a", 3)]
    read_of = found(tmp_path, events)
    assert read_of["a", "acceptance"]["value"] == 1
    assert ("a", "correction") in read_of


# ---- rating ---------------------------------------------------------------------------------------------------------


def test_the_last_rating_is_the_opinion(tmp_path: Path) -> None:
    rating = found(tmp_path, [answer("a"), rated("a", 1, 1), rated("a", -1, 2)])["a", "rating"]
    assert (rating["value"], rating["detail"]) == (-1, "down")
    assert set(rating["event_ids"]) == keys(tmp_path, "a", "rate-a-2")


def test_each_rater_and_each_thing_rated_stands_alone(tmp_path: Path) -> None:
    events = [
        answer("a"),
        rated("a", 1, 1, user="x"),
        rated("a", -1, 2, user="y"),
        rated("a", 0, 3, user="y", name="tone"),
    ]
    lake = derived(tmp_path, events)
    ratings = lake.read("signals").filter(kind="rating").sort("value")
    assert ratings["value"].to_list() == [-1, 0, 1]
    assert ratings["weight"].to_list() == [1, 0, 1]
    assert ratings["about"].n_unique() == 3


def test_a_program_s_score_is_no_opinion(tmp_path: Path) -> None:
    assert ("a", "rating") not in found(tmp_path, [answer("a"), rated("a", 1, 1, component="evaluator")])


@pytest.mark.parametrize(("component", "value"), [(None, -1), ("evaluator", 1)])
def test_only_people_s_complaints_revoke_an_acceptance(component: str | None, value: float, tmp_path: Path) -> None:
    told: dict[str, Any] = {
        "workload": "drafts",
        "answer": "a",
        "name": "complaint",
        "value": 0.1,
        "component": component,
    }
    events = [answer("a"), accepted("a", 1), Outcome(id="o", at=at(2), **told), answer("end", 7 * DAY)]
    acceptance = derived(tmp_path, events).read("signals").filter(kind="acceptance")
    assert acceptance["value"].to_list() == [value]


# ---- abandonment ----------------------------------------------------------------------------------------------------


def test_walking_away_is_abandonment_only_when_the_conversation_is_over(tmp_path: Path) -> None:
    assert derived(tmp_path, [answer("a"), shown("a", 1)]).read("signals").is_empty()
    abandoned = found(tmp_path, [])
    assert set(abandoned) == {("a", "abandonment")}
    assert abandoned["a", "abandonment"]["detail"] == "nothing"


def test_an_answer_of_which_nobody_knows_that_it_was_seen_is_not_abandoned(tmp_path: Path) -> None:
    assert not found(tmp_path, [answer("a")])
    assert not found(tmp_path, [answer("b"), shown("b", 1, visible=False)])


KEPT: list[Event] = [
    accepted("a", 1),
    edited("a", "On its way, for sure.", 1),
    rated("a", 1, 1),
    outcome("solved", 1, "a", 1),
    outcome("solved", 1, None, 1, conversation="talk-a"),
]


@pytest.mark.parametrize("act", KEPT, ids=lambda act: act.kind)
def test_who_kept_or_praised_the_answer_or_was_served_did_not_abandon_it(tmp_path: Path, act: Event) -> None:
    assert ("a", "abandonment") not in found(tmp_path, [answer("a"), shown("a", 0.5), act])


def test_a_natural_end_is_no_abandonment(tmp_path: Path) -> None:
    thanked = [ask("a", 0, "order?"), ask("b", 1, "Thank you!"), shown("b", 2)]
    assert ("b", "abandonment") not in found(tmp_path, thanked)
    assert ("c", "abandonment") not in found(tmp_path, [answer("c"), shown("c", 1, dwell_ms=3000)])  # nine words


def test_who_left_sooner_than_it_can_be_read_left_in_a_hurry(tmp_path: Path) -> None:
    abandoned = found(tmp_path, [answer("a"), shown("a", 1, dwell_ms=1200)])["a", "abandonment"]
    assert abandoned["detail"] == "hurry"
    assert ("b", "abandonment") not in found(tmp_path, [answer("b"), shown("b", 1, dwell_ms=300)])  # never seen


STRUGGLES: dict[str, list[Event]] = {
    "bad rating": [ask("a", 0, "order?"), rated("a", -1, 1, user="u")],
    "refusal": [ask("a", 0, "order?", refused=True)],
    "correction": [ask("x", 0, "order?"), ask("a", 1, "No, that is wrong.")],
    "rephrase": [ask("x", 0, "where is order 48213"), ask("a", 1, "order 48213, where is it")],
    "tool_failure": [ask("a", 0, "order?"), call("c", "a", 1, error="no such order")],
    "regeneration": [ask("x", 0, "order?", parent="m"), ask("a", 1, "order?", parent="m")],
}


@pytest.mark.parametrize("detail", STRUGGLES)
def test_abandonment_says_what_preceded_it(tmp_path: Path, detail: str) -> None:
    abandoned = found(tmp_path, [*STRUGGLES[detail], shown("a", 2, dwell_ms=4000)])["a", "abandonment"]
    assert abandoned["detail"] == detail
    assert abandoned["value"] == (2 if detail in ("correction", "rephrase") else 1)
    assert abandoned["confidence"] > 0.3


def test_who_took_an_earlier_answer_to_the_same_message_did_not_leave_with_nothing(tmp_path: Path) -> None:
    events = [ask("a", 0, "order?", parent="m"), ask("b", 1, "order?", parent="m"), accepted("a", 2), shown("b", 3)]
    assert ("b", "abandonment") not in found(tmp_path, events)


def test_someone_else_s_verdict_is_not_the_user_s_leaving(tmp_path: Path) -> None:
    assert ("a", "abandonment") not in found(tmp_path, [ask("a", 0, "order?"), rated("a", -1, 1, user="judge")])


# ---- dismissal ------------------------------------------------------------------------------------------------------


def test_an_answer_seen_and_passed_over_is_dismissed_with_little_weight(tmp_path: Path) -> None:
    events = [ask("a", 0, "order 48213?"), shown("a", 1, dwell_ms=2500), ask("b", 5, "Draft a note about the fair.")]
    dismissed = found(tmp_path, events)["a", "dismissal"]
    assert (dismissed["value"], dismissed["detail"], dismissed["weight"]) == (2.5, "moved on", 0.1)
    kept_another = found(tmp_path, [accepted("b", 6)])["a", "dismissal"]
    assert (kept_another["detail"], kept_another["weight"]) == ("kept another", 0.25)


NOT_DISMISSED: dict[str, list[Event]] = {
    "too short": [shown("a", 1, dwell_ms=900), ask("b", 5, "Draft a note.")],
    "out of sight": [shown("a", 1, dwell_ms=2500, visible=False), ask("b", 5, "Draft a note.")],
    "kept": [shown("a", 1, dwell_ms=2500), accepted("a", 2), ask("b", 5, "Draft a note.")],
    "praised": [shown("a", 1, dwell_ms=2500), rated("a", 1, 2), ask("b", 5, "Draft a note.")],
    "corrected": [shown("a", 1, dwell_ms=2500), ask("b", 5, "No, that is wrong.")],
    "rephrased": [shown("a", 1, dwell_ms=2500), ask("b", 5, "where is order 48213")],
    "asked for another": [shown("a", 1, dwell_ms=2500), ask("b", 5, "order 48213?", parent="ask-a")],
    "the last": [shown("a", 1, dwell_ms=2500)],
}


@pytest.mark.parametrize("acts", NOT_DISMISSED.values(), ids=NOT_DISMISSED)
def test_what_was_not_seen_or_not_passed_over_was_not_dismissed(tmp_path: Path, acts: list[Event]) -> None:
    assert ("a", "dismissal") not in found(tmp_path, [ask("a", 0, "order 48213?"), *acts])


# ---- tool_failure ---------------------------------------------------------------------------------------------------


def test_tool_errors_of_the_model_stand_apart_from_those_of_the_environment(tmp_path: Path) -> None:
    calls = [
        call("c1", "a", 1, error="order must be 5 digits"),
        call("c2", "a", 2, error="HTTP 503", arguments={"order": "1"}),
        call("c3", "b", 3, text="found", arguments={"order": "2"}),
    ]
    lake = derived(tmp_path, [ask("a", 0, "order?"), ask("b", 2.5, "And?"), *calls])
    rows = {row["text"]: row for row in lake.read("signals").filter(kind="tool_failure").iter_rows(named=True)}
    told = {text: (row["detail"], row["weight"], row["other"]) for text, row in rows.items()}
    assert told == {"order must be 5 digits": ("model", 0.3, "a"), "HTTP 503": ("environment", 0.0, "b")}
    assert {row["about"] for row in rows.values()} == keys(tmp_path, "c1", "c2")


def test_the_same_call_again_is_a_retry_unless_the_environment_had_failed_it(tmp_path: Path) -> None:
    again = [call("c1", "a", 1, text="none"), call("c2", "a", 2, text="none")]
    rows = derived(tmp_path, [ask("a", 0, "order?"), *again]).read("signals").filter(kind="tool_failure")
    assert rows["detail"].to_list() == ["retry"]
    assert set(rows["event_ids"][0]) == keys(tmp_path, "a", "c1", "c2")
    sound = [call("c3", "b", 1, error="timeout"), call("c4", "b", 2, text="found")]
    read_of = found(tmp_path, [answer("b"), *sound])
    assert read_of["b", "tool_failure"]["detail"] == "environment"


# ---- retrieval_miss -------------------------------------------------------------------------------------------------


def search(of: str, **fields: Any) -> Retrieval:
    return Retrieval(id=f"search-{of}", at=at(0.1), workload="drafts", answer=of, query="late orders", **fields)


def test_an_empty_or_a_stale_search_is_a_miss(tmp_path: Path) -> None:
    events = [
        *(answer(id) for id in "abc"),
        search("a", empty=True),
        search("b", documents=["doc-1"], tags={"stale": "true"}),
        search("c", documents=["doc-1"]),
    ]
    missed = {id: row for (id, kind), row in found(tmp_path, events).items() if kind == "retrieval_miss"}
    assert {id: (row["detail"], row["text"]) for id, row in missed.items()} == {
        "a": ("empty", "late orders"),
        "b": ("stale", "late orders"),
    }


@pytest.mark.parametrize(
    ("prompt", "text", "said", "ignored"),
    [
        ("doc-1: it left on Friday", "It has not left.", "That is wrong.", True),
        ("doc-1: it left on Friday", "It left on Friday (doc-1).", "That is wrong.", False),
        ("doc-1: it left on Friday", "It has not left.", "Now write a note about the fair.", False),
        ("it left on Friday", "It has not left.", "That is wrong.", False),
    ],
    ids=["ignored", "named", "nobody minded", "not shown to the model"],
)
def test_documents_are_ignored_only_where_that_can_be_known(
    tmp_path: Path, prompt: str, text: str, said: str, ignored: bool
) -> None:
    given = [Message(role="system", content=prompt), Message(role="user", content="order?")]
    events = [answer("a", prompt=given, text=text, **TALK), search("a", documents=["doc-1"]), ask("b", 5, said)]
    miss = found(tmp_path, events).get(("a", "retrieval_miss"))
    assert (miss is not None and miss["detail"] == "ignored") == ignored


# ---- refusal --------------------------------------------------------------------------------------------------------

SORRY = "I'm sorry, but I can't help with that."


@pytest.mark.parametrize(("refused", "text", "how"), [(True, "No.", "declared"), (None, SORRY, "worded")])
def test_a_refusal_of_what_the_user_insists_on_is_known_by_mark_or_wording(
    tmp_path: Path, refused: bool | None, text: str, how: str
) -> None:
    first = ask("a", 0, "where is order 48213", refused=refused, text=text)
    refusal = found(tmp_path, [first, ask("b", 1, "tell me where order 48213 is")])["a", "refusal"]
    assert (refusal["detail"], refusal["other"]) == (f"{how}, then answered", "b")
    assert set(refusal["event_ids"]) == keys(tmp_path, "a", "b")


def test_a_refusal_is_surer_where_another_try_was_answered(tmp_path: Path) -> None:
    def chain(name: str, second: str) -> list[Event]:
        talk = {"conversation": name, "parent": name}
        return [answer(f"{name}1", text=SORRY, **talk), answer(f"{name}2", 1, text=second, **talk)]

    read_of = found(tmp_path, [*chain("x", "It left."), *chain("y", SORRY)])
    answered, refused = read_of["x1", "refusal"], read_of["y1", "refusal"]
    assert (answered["detail"], refused["detail"]) == ("worded, then answered", "worded, then refused")
    assert answered["confidence"] > refused["confidence"]


def test_an_answer_written_in_place_of_a_refusal_shows_that_the_request_was_fair(tmp_path: Path) -> None:
    written = edited("a", "It left on Friday.", 1)
    refusal = found(tmp_path, [answer("a", refused=True, text=SORRY), written, accepted("a", 2)])["a", "refusal"]
    assert refusal["detail"] == "declared, then written"
    assert set(refusal["event_ids"]) == keys(tmp_path, "a", written.id)


@pytest.mark.parametrize("text", [SORRY, "I am sorry to hear that. It left on Friday."])
def test_a_refusal_nobody_contested_and_an_apology_are_no_signal(tmp_path: Path, text: str) -> None:
    events = [ask("a", 0, "order 48213?", text=text), ask("b", 5, "Draft a note about the fair.")]
    assert ("a", "refusal") not in found(tmp_path, events)
    regretted = [ask("c", 6, "order 48213?", text="I am sorry to hear that."), ask("d", 7, "where is order 48213?")]
    assert ("c", "refusal") not in found(tmp_path, regretted)


# ---- what holds for all ---------------------------------------------------------------------------------------------


def test_a_signal_switched_off_is_not_read(tmp_path: Path) -> None:
    events = [answer("a"), edited("a", "On its way.", 1), accepted("a", 2)]
    assert set(found(tmp_path, events, signals={"off": ["edit"]})) == {("a", "acceptance")}


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
    exchanges = derived(tmp_path, events, slices=slices).read("exchanges")
    assert dict(exchanges.select("answer", "slice").iter_rows()) == {"a": "retail", "b": "vip", "c": "unassigned"}


def test_answers_of_nobody_in_particular_are_conversations_of_their_own(tmp_path: Path) -> None:
    """How they are called does not depend on what else was asked meanwhile: it may not have been logged yet."""
    lone = [answer(id, minute, user=None, conversation=None) for id, minute in (("a", 0), ("b", 5), ("c", 3 * DAY))]
    for home, events in (("all", lone), ("some", lone[1:2])):
        (tmp_path / home).mkdir()
        talks = derived(tmp_path / home, events).read("exchanges")["conversation"]
        assert set(talks) == {f"answer {event.id} since {event.id}" for event in events}


def test_a_conversation_nobody_named_is_one_users_exchanges_without_an_idle_gap(tmp_path: Path) -> None:
    hours = {"a": 0, "b": 1, "c": 60}
    events = [answer(name, 60 * hour, conversation=None, user="u") for name, hour in hours.items()]
    talks = dict(derived(tmp_path, events).read("exchanges").select("answer", "conversation").iter_rows())
    assert talks["a"] == talks["b"] != talks["c"]
