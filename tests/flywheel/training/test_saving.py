"""Durable checkpoints that are damaged, unfinished or somebody else's are always seen; the one before them is used."""

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from flywheel.training.saving import KEPT, MANIFEST, Saves, linked, problem

FILES = {
    "model.safetensors": 4096,
    "optimizer.pt": 8192,
    "rng_state.pth": 512,
    "trainer_state.json": 700,
    "offers/sft-1/model.safetensors": 4096,
    "offers/sft-1/config.json": 300,
}


def written(folder: Path, seed: int = 0) -> Path:
    """What a trainer leaves, as bytes."""
    draw = random.Random(seed)
    for name, size in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw.randbytes(size))
    return folder


class Told(list[str]):
    """What was reported."""

    def __call__(self, message: str, **numbers: float) -> None:
        self.append(message)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def saves(tmp_path: Path, told: Told) -> Saves:
    """Two checkpoints of the run `r`."""
    found = Saves(tmp_path / "saved", "r", told)
    for seed in range(2):
        found.keep(written(tmp_path / "half", seed))
    return found


def test_the_two_newest_are_kept_and_the_newest_is_used(tmp_path: Path, saves: Saves, told: Told) -> None:
    for seed in range(2, 5):
        saves.keep(written(tmp_path / "half", seed))
    assert sorted(path.name for path in saves.folder.iterdir()) == ["000004", "000005"]
    assert len(list(saves.folder.iterdir())) == KEPT
    newest = saves.latest()
    assert newest == saves.folder / "000005"
    assert (newest / "optimizer.pt").read_bytes() == (written(tmp_path / "same", 4) / "optimizer.pt").read_bytes()
    assert told == []


def test_every_file_is_on_the_disk_before_the_name_is(
    tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, str]] = []
    sync, rename = os.fsync, Path.rename

    def synced(handle: int) -> None:
        done.append(("sync", str(Path(f"/proc/self/fd/{handle}").readlink().relative_to(tmp_path))))
        sync(handle)

    def renamed(path: Path, target: Path) -> Path:
        done.append(("rename", str(target.relative_to(tmp_path))))
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    Saves(tmp_path / "saved", "r", told).keep(written(tmp_path / "half"))
    names = [f"half/{name}" for name in FILES]
    folders = ["half/offers/sft-1", "half/offers", "half"]
    assert sorted(done[: len(FILES)]) == sorted(("sync", name) for name in names)
    assert done[len(FILES)] == ("sync", f"half/{MANIFEST}")
    assert sorted(done[len(FILES) + 1 : -2]) == sorted(("sync", name) for name in folders)
    assert done[-2:] == [("rename", "saved/000001"), ("sync", "saved")]


# ---- damage ---------------------------------------------------------------------------------------------------------


def flipped(path: Path, draw: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def cut(path: Path, draw: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: draw.randrange(path.stat().st_size)])


def zeroed(path: Path, draw: random.Random) -> None:
    """A page that never reached the disk."""
    content = path.read_bytes()
    begin = draw.randrange(len(content) - 1)
    path.write_bytes(content[:begin] + b"\0" * (len(content) - begin))


def longer(path: Path, draw: random.Random) -> None:
    path.write_bytes(path.read_bytes() + draw.randbytes(1 + draw.randrange(9)))


def missing(path: Path, draw: random.Random) -> None:
    path.unlink()


def exchanged(path: Path, draw: random.Random) -> None:
    """With the same file of the checkpoint before it."""
    if path.name == MANIFEST:
        return flipped(path, draw)
    before = path.parents[len(path.parts) - path.parts.index("saved") - 2] / "000001"
    path.unlink()
    shutil.copy(before / Path(*path.parts[path.parts.index("saved") + 2 :]), path)
    return None


def added(path: Path, draw: random.Random) -> None:
    """A pickle that the trainer would load."""
    (path.parent / "pytorch_model.bin").write_bytes(draw.randbytes(9))


DAMAGE: tuple[Callable[[Path, random.Random], None], ...] = (flipped, cut, zeroed, longer, missing, exchanged, added)


@pytest.mark.parametrize("seed", range(105))
def test_damage_is_seen_and_the_one_before_is_used(saves: Saves, told: Told, seed: int) -> None:
    draw = random.Random(seed)
    name = draw.choice([*FILES, MANIFEST])
    DAMAGE[seed % len(DAMAGE)](saves.folder / "000002" / name, draw)
    assert saves.latest() == saves.folder / "000001"
    [word] = told
    assert word.startswith("the saved state 000002 cannot be used (")
    assert sorted(path.name for path in saves.folder.iterdir()) == ["000001", "refused-000002"]


def test_where_none_is_left_it_says_that_it_begins_anew(saves: Saves, told: Told) -> None:
    for name in ("000001", "000002"):
        (saves.folder / name / "optimizer.pt").unlink()
    assert saves.latest() is None
    assert told[-1] == "no saved state of this training can be used: it begins anew"
    assert len(told) == 3


def test_a_run_that_saved_nothing_begins_without_a_word(tmp_path: Path, told: Told) -> None:
    assert Saves(tmp_path / "saved", "r", told).latest() is None
    assert told == []


def test_a_checkpoint_of_another_run_is_refused(saves: Saves, told: Told) -> None:
    other = Saves(saves.folder, "other", told)
    assert other.latest() is None
    assert "it belongs to another run, r" in told[0]


def test_the_next_number_is_free_after_damage(tmp_path: Path, saves: Saves) -> None:
    (saves.folder / "000002" / MANIFEST).unlink()
    saves.latest()
    saves.keep(written(tmp_path / "half", 7))
    (saves.folder / "000002" / "optimizer.pt").unlink()
    assert saves.latest() == saves.folder / "000001"


def test_offers_are_linked_not_copied_and_hashed_once(tmp_path: Path, told: Told) -> None:
    saves, offer = Saves(tmp_path / "saved", "r", told), written(tmp_path / "sft-1")
    for seed in range(2):
        linked(offer / "offers" / "sft-1", written(tmp_path / "half", seed) / "offers" / "linked")
        saves.keep(tmp_path / "half")
    same = "offers/linked/model.safetensors"
    assert (saves.folder / "000001" / same).stat().st_ino == (saves.folder / "000002" / same).stat().st_ino
    assert saves.latest() == saves.folder / "000002"
    assert problem(saves.folder / "000001", "r") is None
    seals = json.loads((saves.folder / "000001" / MANIFEST).read_text())["files"]
    assert seals[same] == [seals[same][0], 4096]
