"""The one seam to scale out: one function over many slices, here in a few threads.

DuckDB, Polars and rapidfuzz work outside of Python's lock, so threads are enough on one machine. What a slice is
belongs to the stage that cuts it; a slice knows no other.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Progress = Callable[[int, int], None]
"""Told after each slice: how many are done, of how many."""
AT_ONCE = 2
"""Slices in hand at a time: each uses several cores for a while and one for the rest, and memory holds them all."""


def silent(done: int, of: int) -> None:
    """Nobody listens."""


def mapped(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """What the work makes of each item, in order; an item is drawn only when there is room for it."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        under_way: deque[Future[Result]] = deque()
        for item in items:
            under_way.append(pool.submit(work, item))
            if len(under_way) == AT_ONCE:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
