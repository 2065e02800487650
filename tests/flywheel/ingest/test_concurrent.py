"""Eight ingests at once, while the product writes and rotates its log, come to what one of them comes to."""

import gzip
import random
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from flywheel.capture.events import Event, Message, Rated, Response
from flywheel.capture.writer import Writer
from flywheel.ingest import Taken, ingest
from flywheel.lake import Lake
from flywheel.settings import Source
from tests.flywheel.ingest.apart import ANEW, accounted, polling, started
from tests.flywheel.ingest.logs import NOW, rows

SOURCES = [Source(name="app", path="{home}/logs/*.jsonl*")]
PROCESSES = 8
TURNS = 4  # of the product in a round, with as many ingests in between as there are


@pytest.fixture
def ingests() -> Iterator[list[Connection]]:
    """The ends of pipes to as many processes: one sends a home and gets it back when all of it was taken."""
    pairs = [ANEW.Pipe() for _ in range(PROCESSES)]
    processes = [started(polling, there, SOURCES) for _, there in pairs]
    for _, there in pairs:
        there.close()  # what waits for a process that died then hears of it
    yield [here for here, _ in pairs]
    for process in processes:
        process.kill()
        process.join()


@pytest.mark.parametrize("rounds", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_ingests_at_once_come_to_what_one_comes_to(rounds: int, ingests: list[Connection], tmp_path: Path) -> None:
    for number in range(rounds):
        home, chance = tmp_path / str(number), random.Random(number)
        for each in ingests:
            each.send(home)
        logged = _product(home, chance)
        (home / "finished").touch()
        assert [each.recv() for each in ingests] == [home] * PROCESSES

        alone = tmp_path / f"{number}-alone"
        Writer(alone / "logs").write_all(logged)
        ingest(Lake(alone), SOURCES, now=NOW)
        assert rows(home, "events") == rows(alone, "events")
        assert len(Lake(home).read("quarantine")) == 0
        accounted(home)
        assert ingest(Lake(home), SOURCES, now=NOW) == Taken()


def _product(home: Path, chance: random.Random) -> list[Event]:
    """Write and rotate; now and then wait until it is one's turn with the ingests. All that was logged."""
    writer, logged = Writer(home / "logs"), list[Event]()
    for _ in range(TURNS):
        for _ in range(4):
            events = [_event(chance, len(logged)) for _ in range(chance.randrange(1, 30))]
            events += chance.sample(logged, k=min(3, len(logged)))  # a product that tries again
            writer.write_all(events)
            logged += events
            if chance.random() < 0.3:
                _rotate(home / "logs", len(logged), compressed=chance.random() < 0.5)
        with Lake(home).writing():
            pass
    return logged


def _event(chance: random.Random, many: int) -> Event:
    """Ids come again with another content, and what belongs together comes in any order."""
    id = f"e{chance.randrange(many + 40)}"
    at = f"2026-01-{chance.randrange(5, 7):02}T09:30:{chance.randrange(60):02}Z"
    if chance.random() < 0.5:
        return Rated(id=id, at=at, workload="drafts", answer=f"e{chance.randrange(many + 40)}", value=1)
    asked = [Message(role="user", content=f"And {id}?")]
    return Response(id=id, at=at, workload="drafts", parent="p", prompt=asked, text="Yes.", model="m")


def _rotate(folder: Path, number: int, *, compressed: bool) -> None:
    for path in folder.glob("????-??-??.jsonl"):
        rotated = path.with_suffix(f".{number}.jsonl")
        path.rename(rotated)
        if compressed:
            half = rotated.with_suffix(".half")
            half.write_bytes(gzip.compress(rotated.read_bytes(), 1))
            half.rename(rotated.with_suffix(".jsonl.gz"))
            rotated.unlink()
