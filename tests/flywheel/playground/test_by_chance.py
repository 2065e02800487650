"""The same people without a model: what they write next, what the product does besides, and the cues they leave."""

import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from flywheel.capture.events import Event, Outcome, Response, Retrieval, Shown, ToolCall
from flywheel.playground.by_chance import play_by_chance
from flywheel.playground.talk import NEWS, OBJECTIONS, QUESTIONS, THANKS
from flywheel.playground.world import SEGMENTS, read

Line = dict[str, Any]
BUSY = {"refuses": 0.05, "lookups": 0.5, "broken": 0.2, "misused": 0.2, "repeats": 0.2, "searches": 0.5, "empty": 0.3}


@pytest.fixture(scope="module")
def week() -> tuple[list[Event], list[Line]]:
    """One week of a lively product."""
    talk = {"question": 0.05, "thanks": 0.05, "topic": 0.05, "news": 0.3}
    habits = {"correct": 0.2, "object": 0.1}
    return play_by_chance(read({"seed": 5, "users": 80, "talk": talk, "unhappy": habits, "product": BUSY}), 1)


@pytest.fixture(scope="module")
def responses(week: tuple[list[Event], list[Line]]) -> dict[str, Response]:
    return {event.id: event for event in week[0] if isinstance(event, Response)}


@pytest.fixture(scope="module")
def truth(week: tuple[list[Event], list[Line]]) -> dict[str, Line]:
    return {line["answer"]: line for line in week[1]}


def test_the_same_seed_gives_the_same_week_and_another_week_shares_no_fact() -> None:
    world = read({"seed": 2, "users": 12})
    once, again, later = (play_by_chance(world, week) for week in (1, 1, 2))
    assert once == again
    assert len(once[0]) > 100
    assert not {event.id for event in once[0]} & {event.id for event in later[0]}


def test_nothing_heavy_is_loaded() -> None:
    script = (
        "import sys, flywheel.playground.by_chance; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_what_follows_stands_in_the_same_conversation_with_the_request_before_it(
    responses: dict[str, Response], truth: dict[str, Line]
) -> None:
    said = {answer: line["said"] for answer, line in truth.items() if line["said"] != "request"}
    assert set(said.values()) == {"correction", "objection", "question", "thanks"}
    for answer in said:
        first = f"a-{truth[answer]['need']}-0"
        after, before = responses[answer], responses[first]
        assert after.conversation == before.conversation
        assert after.parent != before.parent
        assert [message.role for message in after.prompt] == ["system", "user", "user"]
        assert after.prompt[1].content in {each.prompt[1].content for each in _of_need(responses, truth, answer)}


def _of_need(responses: dict[str, Response], truth: dict[str, Line], answer: str) -> list[Response]:
    return [responses[other] for other, line in truth.items() if line["need"] == truth[answer]["need"]]


def test_what_people_write_is_what_the_truth_says_it_is(responses: dict[str, Response], truth: dict[str, Line]) -> None:
    wrote: dict[str, set[str]] = {}
    for answer, line in truth.items():
        wrote.setdefault(line["said"], set()).add(responses[answer].prompt[-1].content)
    assert wrote["thanks"] <= set(THANKS)
    assert wrote["objection"] <= set(OBJECTIONS)
    assert wrote["question"]
    assert all(any(text.startswith(each.split("{")[0]) for each in QUESTIONS) for text in wrote["question"])
    assert not [text for texts in wrote.values() for text in texts if "{" in text or "}" in text]


def test_news_stand_in_no_prompt_and_no_answer_before_them(
    responses: dict[str, Response], truth: dict[str, Line]
) -> None:
    told = [(answer, line["news"]) for answer, line in truth.items() if line["news"]]
    assert len({each.split("{")[0] for each in NEWS}) == len(NEWS)
    assert len(told) > 5
    for answer, news in told:
        assert news in responses[answer].prompt[-1].content
        earlier = [each for each in _of_need(responses, truth, answer) if each.at < responses[answer].at]
        unheard = [each for each in earlier if truth[each.id]["news"] != news]
        assert unheard
        assert not [each for each in unheard if news in each.text + each.prompt[-1].content]


def test_a_new_topic_is_another_need_in_the_same_conversation(
    responses: dict[str, Response], truth: dict[str, Line]
) -> None:
    topics = [line for line in truth.values() if any(act["act"] == "topic" for act in line["acts"])]
    assert len(topics) > 5
    for line in topics:
        needs = {other["need"] for other in truth.values() if other["conversation"] == line["conversation"]}
        assert len(needs) > 1
    assert {line["conversation"] for line in truth.values()} == {each.conversation for each in responses.values()}


def test_who_writes_next_is_answered(truth: dict[str, Line]) -> None:
    answered = {(line["need"], line["attempt"]) for line in truth.values()}
    leads = {"regenerate", "rephrase", "correct", "object", "question", "thanks"}
    wrote = [line for line in truth.values() if leads & {act["act"] for act in line["acts"]}]
    assert len(wrote) > 100
    assert all((line["need"], line["attempt"] + 1) in answered for line in wrote)


def test_asides_have_no_satisfaction_and_are_no_first_answers(truth: dict[str, Line]) -> None:
    for line in truth.values():
        aside = line["said"] in ("thanks", "question")
        assert (line["satisfaction"] is None) == aside
        assert not (aside and line["attempt"] == 0)


def test_tools_fail_because_of_the_environment_or_the_model_as_the_truth_says(
    week: tuple[list[Event], list[Line]],
) -> None:
    calls = {event.id: event for event in week[0] if isinstance(event, ToolCall)}
    causes = {call["id"]: call["cause"] for line in week[1] for call in line["calls"]}
    assert set(calls) == set(causes)
    assert set(causes.values()) == {None, "environment", "model", "repeat"}
    fails = {id for id, cause in causes.items() if cause in ("environment", "model")}
    assert fails == {id for id, call in calls.items() if call.error}
    failed = len(fails) / len([id for id in causes if id.endswith("call-0")])
    assert abs(failed - 0.4) < 0.06


def test_searches_find_nothing_as_often_as_the_settings_say(week: tuple[list[Event], list[Line]]) -> None:
    searches = {event.answer: event for event in week[0] if isinstance(event, Retrieval)}
    told = {line["answer"]: line["search"] for line in week[1] if line["search"]}
    assert {answer: "empty" if event.empty else "found" for answer, event in searches.items()} == told
    assert abs(list(told.values()).count("empty") / len(told) - 0.3) < 0.06
    assert all(bool(event.documents) != event.empty for event in searches.values())


def test_refusals_please_nobody_and_are_not_all_marked(responses: dict[str, Response], truth: dict[str, Line]) -> None:
    refused = [answer for answer, line in truth.items() if line["refused"]]
    assert {truth[answer]["satisfaction"] for answer in refused} == {0.0}
    marks = Counter(responses[answer].refused for answer in refused)
    assert marks[True] > marks[None] > 0
    assert not [each for answer, each in responses.items() if each.refused and not truth[answer]["refused"]]


def test_the_cues_of_leaving_overlap(week: tuple[list[Event], list[Line]], truth: dict[str, Line]) -> None:
    """Readable, not given away: who was served mostly stays longer, and some of both do as the others."""
    shown = {event.answer: event for event in week[0] if isinstance(event, Shown)}
    left: dict[str, list[float]] = {"walk_away": [], "ignore": []}
    for answer, line in truth.items():
        if line["said"] == "request" and (deed := line["acts"][-1]["act"]) in left:
            left[deed].append(shown[answer].dwell_ms or 0.0)
    fast = {deed: sum(dwell < 3000 for dwell in dwells) / len(dwells) for deed, dwells in left.items()}
    assert fast["walk_away"] > 0.7 > 0.3 > fast["ignore"] > 0
    assert max(left["walk_away"]) > min(left["ignore"])
    long = {deed: sum(dwell > 12_000 for dwell in dwells) / len(dwells) for deed, dwells in left.items()}
    assert long["ignore"] > 0.5 > 0.05 > long["walk_away"]
    solved = Counter(truth[event.answer or ""]["acts"][-1]["act"] for event in week[0] if isinstance(event, Outcome))
    assert solved["ignore"] > 10 * solved["walk_away"]


def test_what_was_scrolled_past_was_not_on_screen_for_a_second(
    week: tuple[list[Event], list[Line]], truth: dict[str, Line]
) -> None:
    past = {answer for answer, line in truth.items() if line["acts"][0]["act"] == "scroll_past"}
    shown = [event for event in week[0] if isinstance(event, Shown) and event.answer in past]
    assert {event.visible for event in shown} == {True, False}
    assert all(event.dwell_ms is None or event.dwell_ms < 1000 for event in shown)
    assert len(SEGMENTS) == len({truth[event.answer]["segment"] for event in shown})
