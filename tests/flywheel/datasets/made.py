"""Logs for the tests of datasets, in which each user edits a draft and sends it."""

from pathlib import Path

from flywheel import records, signals
from flywheel.capture.events import Event
from flywheel.lake import Lake
from flywheel.settings import Gate, Workload
from tests.product import accepted, answer, edited, read, take

RULES = Workload(base_model="none", holdout=0.3, development=0.2, gate=Gate(min_users=2))


def edits(count: int, first: int = 0, *, user: str = "u{}", workload: str = "drafts") -> list[Event]:
    """Each of `count` users edits one draft and sends it."""
    acts: list[Event] = []
    for number in range(first, first + count):
        name = f"n{number}"
        acts += [answer(name, number, user=user.format(number), workload=workload)]
        acts += [edited(name, f"Order {number} is on its way.", number + 1, workload=workload)]
        acts += [accepted(name, number + 2, workload=workload)]
    return acts


def derived(home: Path, events: list[Event]) -> Lake:
    """The lake after these events too, derived."""
    lake, rules = take(home, events), read(home)
    for stage in (signals, records):
        stage.catch_up(lake, rules)
    return lake
