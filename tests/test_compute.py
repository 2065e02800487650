"""Slices in a few threads: results in order, nothing drawn before there is room, an error is the caller's."""

from collections.abc import Iterator

import pytest

from flywheel.compute import AT_ONCE, mapped


def test_results_come_in_order_and_items_are_drawn_when_there_is_room() -> None:
    drawn = []

    def items() -> Iterator[int]:
        for number in range(20):
            drawn.append(number)
            yield number

    ahead = []
    for taken, result in enumerate(mapped(lambda number: number * number, items())):
        assert result == taken * taken
        ahead.append(len(drawn) - taken)
    assert max(ahead) <= AT_ONCE
    assert len(ahead) == 20


def test_an_error_in_one_slice_ends_the_work() -> None:
    def work(number: int) -> int:
        if number == 3:
            raise ValueError(f"slice {number}")
        return number

    with pytest.raises(ValueError, match="slice 3"):
        list(mapped(work, range(10)))
