"""Faults that no score makes good, and what is normal and must pass."""

from collections.abc import Callable

import pytest

from flywheel.gate.sanity import circles, faults

PEOPLE = [f"hello customer {n} your order number {n} is on its way" for n in range(100)]
CHAMPION = [f"dear customer {n} the order {n} was sent out to you today" for n in range(100)]


def spoiled(change: Callable[[str], str], share: float) -> list[str]:
    return [change(text) if n < share * len(PEOPLE) else text for n, text in enumerate(PEOPLE)]


def loop(text: str) -> str:
    return " ".join(text.split()[:5] * 2)


@pytest.mark.parametrize(
    ("candidate", "word"),
    [
        (spoiled(lambda text: "  \n", 0.05), "empty"),
        (spoiled(lambda text: "", 1), "empty"),
        (spoiled(loop, 0.10), "going in circles"),
        (["hello customer your order is on its way to you"] * 100, "only 1 of 100"),
        (spoiled(lambda text: "it is on its way dear customer we wish you well", 0.4), "differ from each other"),
        ([f"{text} and further more we would also like to say" for text in PEOPLE], "merely longer"),
        ([" ".join(text.split()[:6]) for text in PEOPLE], "merely shorter"),
    ],
)
def test_each_fault_is_named_with_its_numbers(candidate: list[str], word: str) -> None:
    found = faults(candidate, CHAMPION, PEOPLE)
    assert any(word in each for each in found), found
    assert all("champion" in each for each in found)


@pytest.mark.parametrize(
    "candidate",
    [PEOPLE, CHAMPION, spoiled(lambda text: "", 0.01), spoiled(loop, 0.02)],
    ids=["as people write", "as the champion", "one empty", "two loops"],
)
def test_what_is_normal_passes(candidate: list[str]) -> None:
    assert faults(candidate, CHAMPION, PEOPLE) == []


def test_becoming_as_short_or_long_as_people_is_no_fault() -> None:
    long, short = [f"{text} {text}" for text in PEOPLE], [" ".join(text.split()[:3]) for text in PEOPLE]
    assert faults(PEOPLE, long, PEOPLE) == []
    assert faults(PEOPLE, short, PEOPLE) == []


def test_a_champion_with_the_same_fault_does_not_excuse_a_constant_answer() -> None:
    constant = ["your order is on its way to you right now"] * 100
    assert any("only 1 of 100" in each for each in faults(constant, constant, PEOPLE))


def test_where_people_always_send_the_same_so_may_the_model() -> None:
    yes = ["yes"] * 30
    assert faults(yes, CHAMPION[:30], yes) == []


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_handful_of_items_with_one_unlucky_draw_is_no_fault(n: int) -> None:
    candidate = ["hello customer your order is on its way dear"] * min(2, n) + PEOPLE[2:n]
    people = PEOPLE[: max(1, n - 1)] + PEOPLE[:1] if n > 1 else PEOPLE[:1]
    assert not any("circles" in each or "empty" in each for each in faults(candidate, PEOPLE[:n], people))


def test_no_answers_have_no_faults() -> None:
    assert faults([], [], []) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("we are sorry for that we are sorry for that we are sorry for that", True),
        ("no no no no no no no no", True),
        ("no no no no", False),
        ("your order is on its way and your invoice is in the box", False),
        ("", False),
    ],
)
def test_going_in_circles(text: str, expected: bool) -> None:
    assert circles(text) is expected
