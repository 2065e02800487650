"""The hidden preferences: their checks, what mends and what spoils a text, and how often chance meets them."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.playground.tastes import TASTES, mended, results, satisfaction, spoiled
from flywheel.playground.texts import WRITINGS, Request, by_chance, compose, correct, found, some_request
from flywheel.playground.world import SEGMENTS, draws

ANNA = Request(workload="reply-drafts", segment="retail", customer="Anna Berg", number="48213", trouble=0)
Made = tuple[Request, frozenset[str]]


@st.composite
def made(draw: Callable[..., object]) -> Made:
    """Some request, with some set of parts."""
    workload = draw(st.sampled_from(sorted(WRITINGS)))
    segment = draw(st.sampled_from(SEGMENTS))
    request = some_request(str(workload), str(segment), draws(draw(st.integers(0, 10_000))))
    parts = draw(st.sets(st.sampled_from([part.name for part in request.writing.parts])))
    return request, frozenset(parts)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("segment", "text", "met"),
    [
        ("retail", "Dear Anna Berg, Your order 48213 is on its way.", {"has name": True, "no apology": True}),
        ("retail", "We are sorry for all this. It is on its way.", {"has name": False, "no apology": False}),
        ("wholesale", "Your order 48213 is on its way.", {"has number": True, "short": True}),
        ("wholesale", "It is on its way." + " really" * 20, {"has number": False, "short": False}),
        ("travel", "Your order 48214 is due. Just reply if you need.", {"has next step": True, "has number": False}),
        ("bank", "It is on its way. We promise a better service.", {"has signature": False, "no promise": False}),
    ],
)  # fmt: skip
def test_preferences_are_read_off_the_text(segment: str, text: str, met: dict[str, bool]) -> None:
    request = Request(**{**vars(ANNA), "segment": segment})
    assert results(request, text) == met


@pytest.mark.parametrize(
    "text",
    [
        "Dear Anna Berg, Your order 48214 is on its way.",
        "Dear Anna Bergson, It is on its way.",
        "Dear Anna Berg, Your order 48213 is being replaced.",
        "",
    ],
)
def test_an_answer_that_is_wrong_in_substance_is_worth_nothing(text: str) -> None:
    assert satisfaction(ANNA, text) == 0
    assert satisfaction(ANNA, "Dear Anna Berg, Your order 48213 is on its way.") == 1


@given(made())
def test_a_text_tells_its_parts(case: Made) -> None:
    request, parts = case
    text = compose(request, parts)
    assert found(request, text) == parts
    assert correct(request, text)


@given(made())
def test_a_mended_text_pleases_and_what_pleases_stays_as_it_is(case: Made) -> None:
    request, parts = case
    text = compose(request, parts)
    assert satisfaction(request, mended(request, text)) == 1
    if satisfaction(request, text) == 1:
        assert mended(request, text) == text


@given(made())
def test_a_spoiled_text_meets_no_preference_about_parts(case: Made) -> None:
    request, parts = case
    met = results(request, spoiled(request, compose(request, parts)))
    assert not [name for name, holds in met.items() if holds and name != "short"]


def test_every_segment_has_two_preferences_and_no_two_segments_the_same() -> None:
    for by_segment in TASTES.values():
        assert set(by_segment) == set(SEGMENTS)
        assert len(set(by_segment.values())) == len(SEGMENTS)
        assert all(len(wishes) >= 2 for wishes in by_segment.values())


def test_chance_meets_all_preferences_in_about_half_of_the_answers() -> None:
    """Then a random direction of signals has nothing to teach: half of its texts please, as before."""
    chance = draws("calibration")
    for workload in WRITINGS:
        shares = [_all_met(workload, segment, chance) for segment in SEGMENTS]
        assert all(0.43 < share < 0.58 for share in shares), (workload, shares)
        assert 0.45 < sum(shares) / len(shares) < 0.55


def _all_met(workload: str, segment: str, chance: object) -> float:
    requests = [some_request(workload, segment, chance) for _ in range(2000)]  # pyright: ignore[reportArgumentType]
    texts = [compose(request, by_chance(request, chance)) for request in requests]  # pyright: ignore[reportArgumentType]
    return sum(satisfaction(*each) == 1 for each in zip(requests, texts, strict=True)) / len(requests)
