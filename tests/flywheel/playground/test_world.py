"""The users, the calendar and the settings of the playground."""

from collections import Counter
from datetime import date, timedelta

import pytest

from flywheel.errors import BadInput
from flywheel.playground.world import SEGMENTS, draws, first_day, moments, population, read


def test_the_same_seed_is_the_same_population_and_another_seed_another() -> None:
    assert population(read({"seed": 5})) == population(read({"seed": 5}))
    assert not {user.id for user in population(read({"seed": 5}))} & {user.id for user in population(read({"seed": 6}))}


def test_the_shares_of_careless_and_hostile_users_are_kept() -> None:
    users = population(read({"users": 200, "careless": 0.05, "hostile": 0.04}))
    assert Counter(user.character for user in users) == {"careful": 182, "careless": 10, "hostile": 8}


def test_no_segment_holds_all_who_spoil() -> None:
    spoilers = [user.segment for user in population(read({"users": 200})) if user.character != "careful"]
    assert len(set(spoilers)) > 1


def test_segments_are_of_one_size() -> None:
    assert Counter(user.segment for user in population(read({"users": 200}))) == dict.fromkeys(SEGMENTS, 50)


def test_habits_differ_by_person_and_follow_the_settings() -> None:
    users = population(read({"users": 400, "unhappy": {"edit": 0.7, "regenerate": 0.3, "rephrase": 0.0}}))
    shares = [user.habits["edit"] / sum(user.habits.values()) for user in users]
    wanted = 0.7 / (0.7 + 0.3 + 0.10 + 0.08)
    assert abs(sum(shares) / len(shares) - wanted) < 0.03
    assert len(set(shares)) == len(users)
    assert {user.habits["rephrase"] for user in users} == {0.0}


def test_weeks_start_on_mondays_one_after_the_other() -> None:
    world = read({})
    assert first_day(world, 1) == date(2026, 1, 5)
    assert first_day(world, 3) - first_day(world, 1) == timedelta(days=14)
    assert first_day(world, 1).weekday() == 0


def test_people_ask_within_their_week_and_in_order() -> None:
    world = read({})
    asked = moments(world, 2, 300, draws("test"))
    assert asked == sorted(asked)
    assert {at.date() for at in asked} == {date(2026, 1, 12) + timedelta(days=day) for day in range(7)}
    assert all(8 <= at.hour < 18 and at.utcoffset() == timedelta(0) for at in asked)


@pytest.mark.parametrize(
    ("section", "field"), [({"userz": 3}, "userz"), ({"noise": 2}, "noise"), ({"base": {"layers": 0}}, "base.layers")]
)
def test_a_wrong_setting_is_one_sentence_that_names_the_field(section: dict[str, object], field: str) -> None:
    with pytest.raises(BadInput, match=rf"\[playground\], field {field}: "):
        read(section)
