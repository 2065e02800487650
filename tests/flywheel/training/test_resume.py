"""A training killed at any moment and run again ends in the same bits as one that nobody disturbed."""

import json
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flywheel.lake import Lake
from flywheel.process import Job
from flywheel.settings import Recipe, Step
from flywheel.training import recipe
from tests import tiny
from tests.zygote import Ended, Zygote, zygote

DEMONSTRATIONS = tiny.dataset_rows("demonstration", "train", range(20))
PAIRS = tiny.dataset_rows("pair", "train", range(20, 40))
DEVELOPMENT = tiny.dataset_rows("pair", "development", range(192, 216))
STEP = Step(learning_rate=1e-3, epochs=2, batch=4)
RECIPE = Recipe(sft=STEP, dpo=STEP, max_length=200, min_records=10, save_minutes=0)
ROWS = {
    "sft": DEMONSTRATIONS,
    "dpo": pl.concat([PAIRS, DEVELOPMENT]),
    "sft, then dpo": pl.concat([DEMONSTRATIONS, PAIRS, DEVELOPMENT]),
}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    with zygote(tmp_path_factory.mktemp("zygote")) as it:
        yield it


def asked(home: Path, start: Path, rows: pl.DataFrame, **changed: Any) -> Job:
    Lake(home).append("dataset_rows", rows, "batch")
    wanted, out = RECIPE.model_copy(update=changed), home / "checkpoints" / "c"
    return recipe.job(home=home, workload="w", cycle=1, dataset="d", start=start, recipe=wanted, out=out)


def left(ended: Ended, out: Path) -> dict[str, Any]:
    """All that a training leaves and that does not speak of time: every byte of the model, the curve, the numbers."""
    assert ended.status == 0, ended.told
    weights = (out / "model.safetensors").read_bytes()
    told = {name: ended.told["result"][name] for name in ("fingerprint", "history", "metrics", "counts")}
    return {"weights": weights, **told}


def sparse(job: Job) -> None:
    """In the child: a log line speaks of several steps, so that a save falls between two of them."""
    import flywheel.training.trainer

    flywheel.training.trainer.POINTS = 3


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A start that trains with dropout, so that the random states matter."""
    folder = tiny.build(tmp_path_factory.mktemp("forgetful") / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"attention_dropout": 0.1}))
    return folder


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
def test_killed_five_times_it_ends_in_the_same_bits(
    tmp_path: Path, forgetful: Path, host: Zygote, rows: pl.DataFrame
) -> None:
    whole, job = (asked(tmp_path / name, forgetful, rows) for name in ("whole", "killed"))
    undisturbed = host.train(whole, before=f"{__name__}:sparse")
    kept, draw = left(undisturbed, Path(whole["out"])), random.Random(0)
    for _ in range(5):
        at = draw.randint(1, undisturbed.told["moments"] // 3)
        assert host.train(job, at=at, before=f"{__name__}:sparse").status == -signal.SIGKILL
    ended = host.train(job, before=f"{__name__}:sparse")
    assert left(ended, Path(job["out"])) == kept
    assert ended.told["reports"][1][0].startswith("taken up where it was saved")
    assert [path.name for path in Path(job["out"]).parent.iterdir()] == ["c"]
