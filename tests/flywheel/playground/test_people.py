"""What people do with an answer, and what it means."""

from collections import Counter
from typing import Any

import pytest

from flywheel.playground.people import Act, react
from flywheel.playground.tastes import mended, results, satisfaction, spoiled
from flywheel.playground.texts import Request, by_chance, compose, some_request
from flywheel.playground.world import Playground, User, draws, population
from flywheel.playground.world import read as read_world


def read(section: dict[str, Any]) -> Playground:
    """A world in which every answer is looked at."""
    return read_world({"leaving": {"unseen": 0.0}, **section})


def lived(
    world: Playground, character: str, n: int = 3000, *, last: bool = False
) -> list[tuple[Request, str, list[Act]]]:
    """Requests of the people of one character, the answers they got, and what they did."""
    users: list[User] = [user for user in population(world) if user.character == character]
    seen = []
    for number in range(n):
        user, chance = users[number % len(users)], draws("people", number)
        request = some_request("reply-drafts", user.segment, chance)
        text = compose(request, by_chance(request, chance))
        seen.append((request, text, react(world, user, request, text, last=last, chance=chance)))
    return seen


def main(acts: list[Act]) -> Act:
    """What they did, beside rating and complaining."""
    return next(act for act in acts if act.act not in ("rate", "complaint", "question", "thanks", "topic"))


def test_unhappy_people_follow_the_rates_of_the_settings() -> None:
    world = read({"noise": 0.0})
    unhappy = [main(acts).act for request, text, acts in lived(world, "careful") if satisfaction(request, text) < 1]
    counted = Counter(unhappy)
    for deed, share in world.unhappy.model_dump().items():
        assert abs(counted[deed] / len(unhappy) - share) < 0.05, deed


def test_happy_people_send_what_they_got_or_leave_it() -> None:
    world = read({"noise": 0.0, "ignore": 0.2})
    happy = [(text, main(acts)) for request, text, acts in lived(world, "careful") if satisfaction(request, text) == 1]
    assert {act.act for _, act in happy} == {"send", "ignore"}
    assert all(act.text == text for text, act in happy if act.act == "send")
    assert abs(sum(act.act == "ignore" for _, act in happy) / len(happy) - 0.2) < 0.04


def test_careful_people_rate_what_they_think() -> None:
    world = read({"noise": 0.0, "thumbs": 0.5})
    rated = [
        (satisfaction(request, text) == 1, act.value)
        for request, text, acts in lived(world, "careful")
        for act in acts
        if act.act == "rate"
    ]
    assert abs(len(rated) / 3000 - 0.5) < 0.05
    assert {value for good, value in rated if good} == {1.0}
    assert {value for good, value in rated if not good} == {-1.0}


def test_edits_mend_all_or_a_part_of_what_is_wrong() -> None:
    world = read({"noise": 0.0, "partial": 0.5})
    edits = [
        (request, text, main(acts).text) for request, text, acts in lived(world, "careful") if main(acts).act == "edit"
    ]
    better = [satisfaction(request, kept) - satisfaction(request, text) for request, text, kept in edits]
    whole = sum(kept == mended(request, text) for request, text, kept in edits)
    assert min(better) > 0
    assert 0.8 < whole / len(edits) < 1


def test_noise_is_how_often_a_careful_person_is_wrong_and_is_told_as_such() -> None:
    means = [main(acts).means for _, _, acts in lived(read({"noise": 0.2}), "careful")]
    assert abs(means.count("mistake") / len(means) - 0.2) < 0.06
    assert "mistake" not in {main(acts).means for _, _, acts in lived(read({"noise": 0.0}), "careful")}


def test_hostile_people_invert_ratings_and_spoil_what_was_good() -> None:
    seen = lived(read({"thumbs": 0.4}), "hostile")
    for request, text, acts in seen:
        good = satisfaction(request, text) == 1
        assert {act.means for act in acts} == {"hostile"}
        assert all(act.value == (-1.0 if good else 1.0) for act in acts if act.act == "rate")
        if main(acts).act == "edit":
            assert good
            assert main(acts).text == spoiled(request, text)
    assert {"edit", "send"} <= {main(acts).act for _, _, acts in seen}


def test_careless_people_act_whatever_the_answer() -> None:
    seen = lived(read({}), "careless")
    sent = {
        good: [main(acts).act == "send" for request, text, acts in seen if (satisfaction(request, text) == 1) == good]
        for good in (True, False)
    }
    assert abs(sum(sent[True]) / len(sent[True]) - sum(sent[False]) / len(sent[False])) < 0.07
    assert {act.means for _, _, acts in seen for act in acts} == {"careless"}


@pytest.mark.parametrize("character", ["careful", "careless", "hostile"])
def test_nobody_asks_again_after_the_last_answer(character: str) -> None:
    asked = {main(acts).act for _, _, acts in lived(read({}), character, last=True)}
    assert asked
    assert not asked & {"regenerate", "rephrase", "correct", "object"}


def test_only_what_was_sent_with_a_fault_is_complained_about() -> None:
    world = read({"complaint": 1.0})
    for request, _, acts in lived(world, "careful"):
        sent = main(acts).text
        faulty = bool(sent) and satisfaction(request, sent) < 1
        assert ("complaint" in {act.act for act in acts}) == faulty


def beside(acts: list[Act]) -> Act | None:
    """What they wrote about something else."""
    return next((act for act in acts if act.act in ("question", "thanks", "topic")), None)


def test_only_pleased_people_write_about_something_else_and_as_often_as_the_settings_say() -> None:
    rates = {"question": 0.1, "thanks": 0.2, "topic": 0.05}
    seen = lived(read({"noise": 0.0, "talk": rates}), "careful")
    happy = [acts for request, text, acts in seen if satisfaction(request, text) == 1]
    counted = Counter(act.act for acts in happy if (act := beside(acts)))
    for deed, rate in rates.items():
        assert abs(counted[deed] / len(happy) - rate) < 0.04, deed
    unhappy = [acts for request, text, acts in seen if satisfaction(request, text) < 1]
    assert {main(acts).act for acts in unhappy if beside(acts)} == {"dismiss"}


def test_who_sends_what_they_dislike_may_say_so_afterwards() -> None:
    seen = [acts for _, _, acts in lived(read({"noise": 0.0, "talk": {"regrets": 0.5}}), "careful")]
    sent = [[act.act for act in acts] for acts in seen if main(acts).act == "send" and main(acts).means == "nothing"]
    assert abs(sum("correct" in acts for acts in sent) / len(sent) - 0.5) < 0.15


def test_who_corrects_names_a_fault_and_the_answer_that_heeds_it_has_it_mended() -> None:
    corrected = [
        (request, text, main(acts).said)
        for request, text, acts in lived(read({"noise": 0.0, "talk": {"news": 0.0}}), "careful")
        if main(acts).act == "correct"
    ]
    assert len(corrected) > 30
    for request, text, said in corrected:
        assert said is not None
        assert said.parts is not None
        unmet = [name for name, holds in results(request, text).items() if not holds]
        mended_by_it = results(request, compose(request, said.parts))
        assert mended_by_it[unmet[0]], (said.text, unmet)


def test_who_objects_says_nothing_of_how_it_should_be() -> None:
    objections = [main(acts) for _, _, acts in lived(read({}), "careful") if main(acts).act == "object"]
    assert {act.said.reading for act in objections if act.said} == {"objection"}
    assert not [act for act in objections if act.said is None or act.said.parts is not None]


@pytest.mark.parametrize("character", ["careful", "careless", "hostile"])
def test_what_is_scrolled_past_means_nothing(character: str) -> None:
    seen = [acts for _, _, acts in lived(read_world({"leaving": {"unseen": 0.3}}), character)]
    past = [acts for acts in seen if acts[0].act == "scroll_past"]
    assert abs(len(past) / len(seen) - 0.3) < 0.04
    assert {act.means for acts in past for act in acts} == {"nothing"}
    assert {act.act for acts in past for act in acts} == {"scroll_past", "topic"}
