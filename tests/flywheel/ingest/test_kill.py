"""An ingest killed anywhere ends, after another run, in the tables of one that was not."""

import random
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from flywheel.ingest import Taken, ingest
from flywheel.lake import Lake
from flywheel.settings import Source
from tests.flywheel.ingest.apart import SMALL, accounted, dying, ended, ingesting, spread, started, state
from tests.flywheel.ingest.logs import NOW, SOURCES, log, rated, take

# ---- at every step of the commit ------------------------------------------------------------------------------------

DECIDE, LAKE, DELTA = "flywheel.ingest.batch:Batch", "flywheel.lake", "deltalake:DeltaTable"
STEPS = [
    (f"{DECIDE}._write", 1, "after"),
    (f"{DECIDE}._stored", 1, "before"),
    (f"{DECIDE}._mend", 1, "after"),
    (f"{DECIDE}._quarantine", 1, "before"),
    (f"{DECIDE}._files", 1, "before"),
    ("pathlib:Path.rename", 1, "before"),  # decided, but not final
    (f"{LAKE}:Lake.adopt", 1, "before"),  # events
    (f"{LAKE}.files:os.link", 1, "before"),
    (f"{LAKE}.files:os.link", 1, "after"),
    (f"{LAKE}.files:os.link", 2, "after"),
    (f"{DELTA}.create_write_transaction", 1, "before"),
    (f"{DELTA}.create_write_transaction", 1, "after"),
    (f"{LAKE}:Lake.flag", 1, "before"),  # the conflict's other row
    (f"{LAKE}:Lake.flag", 1, "after"),
    (f"{DELTA}.create", 1, "before"),  # quarantine, for the first time
    (f"{DELTA}.create", 1, "after"),
    (f"{DELTA}.create_write_transaction", 2, "before"),
    (f"{DELTA}.create_write_transaction", 2, "after"),
    (f"{LAKE}:Lake.append", 1, "before"),  # ingest_files
    (f"{LAKE}:Lake.append", 1, "after"),
    ("pathlib:Path.rename", 2, "after"),  # forgotten, but not cleared away
    ("os:unlink", 2, "after"),
]
BEFORE = {"x": rated("a", 1) + rated("b"), "y": rated("e")}
THEN = {
    "x": rated("a", -1) + b"bad\n" + rated("c") + rated("b") + rated("ahead", at="2026-02-02T00:00:01Z"),
    "y": b"as bad\n" + rated("f") + rated("c") + rated("e", -1),
}
AFTER = {"x": rated("d") + b"worse\n", "y": rated("f")}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("before")
    log(home, BEFORE)
    take(home)
    log(home, THEN, append=True)
    return home


@pytest.fixture(scope="module")
def unharmed(before: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("unharmed") / "home"
    shutil.copytree(before, home)
    take(home)
    log(home, AFTER, append=True)
    take(home)
    return state(home)


@pytest.mark.parametrize(("step", "nth", "when"), STEPS)
def test_killed_at_a_step_it_changes_nothing_in_the_end(
    step: str, nth: int, when: str, before: Path, unharmed: dict[str, Any], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(before, home)
    assert ended(dying, home, SOURCES, step, nth, when) == -signal.SIGKILL

    log(home, AFTER, append=True)  # the product goes on while nobody ingests
    assert take(home).records >= 3
    assert take(home) == Taken()
    assert state(home) == unharmed
    accounted(home)
    assert [path for path in (home / "ingest").rglob("*") if path.is_file()] == []  # no unmasked bytes lie about


# ---- at any moment --------------------------------------------------------------------------------------------------


class Log(NamedTuple):
    sources: list[Source]
    state: dict[str, Any]
    seconds: float


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """A log, what it comes to, and how long that takes in a process of its own."""
    folder = tmp_path_factory.mktemp("whole")
    sources = spread(folder / "logs", records=500)
    process = started(ingesting, folder / "home", sources)
    began = time.monotonic()
    process.join()
    seconds = time.monotonic() - began
    assert process.exitcode == 0
    accounted(folder / "home")
    return Log(sources, state(folder / "home"), seconds)


@pytest.mark.parametrize("moments", [12, pytest.param(200, marks=pytest.mark.slow)])
def test_killed_at_any_moment_it_changes_nothing_in_the_end(
    moments: int, whole: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name, value in SMALL:
        monkeypatch.setattr(module, name, value)
    assert len(whole.state["quarantine"]) > 5
    kills = 0
    with ThreadPoolExecutor(2) as pool:
        for group in range(moments):  # enough, should half of them come too late
            seeds = range(group * 4, group * 4 + 4)
            kills += sum(pool.map(lambda seed: _harmed(tmp_path / str(seed), whole, seed), seeds))
            if kills >= moments:
                break
    assert kills >= moments


def _harmed(home: Path, whole: Log, seed: int) -> int:
    """Kill an ingest, and sometimes those that take it up; how many were killed, when all ended as it must."""
    chance = random.Random(seed)
    kills = int(_killed(home, whole, chance))
    while chance.random() < 0.3:
        kills += _killed(home, whole, chance)
    ingest(Lake(home), whole.sources, now=NOW)
    assert state(home) == whole.state
    accounted(home)
    shutil.rmtree(home)
    return kills


def _killed(home: Path, whole: Log, chance: random.Random) -> bool:
    process = started(ingesting, home, whole.sources)
    process.join(chance.uniform(0, whole.seconds))
    process.kill()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0
