"""One training over two processes: the same command under accelerate, on CPUs that speak through gloo."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from flywheel.lake import Lake
from flywheel.process import prepare, result
from flywheel.settings import Recipe, Step
from flywheel.training import recipe
from tests import tiny

ROWS = pl.concat([
    tiny.dataset_rows("demonstration", "train", range(64)),
    tiny.dataset_rows("pair", "train", range(64, 128)),
    tiny.dataset_rows("pair", "development", range(128, 152)),
])  # fmt: skip
RECIPE = Recipe(sft=Step(learning_rate=2e-3, epochs=2), dpo=Step(learning_rate=1e-4), max_length=200, min_records=10)


def launched(folder: Path, processes: int) -> list[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    many = ["--cpu", "--num_processes", str(processes), "--num_machines", "1", "--mixed_precision", "no"]
    here = ["--dynamo_backend", "no", "--main_process_ip", "127.0.0.1", "--main_process_port", str(port)]
    module = ["-m", "flywheel.training", str(folder)]
    return [sys.executable, "-m", "accelerate.commands.launch", *many, *here, *module]


@pytest.mark.slow
def test_two_processes_make_one_checkpoint(tmp_path: Path, tiny_model: Path) -> None:
    Lake(tmp_path).append("dataset_rows", ROWS, "batch")
    out = tmp_path / "checkpoints" / "c"
    job = recipe.job(home=tmp_path, workload="w", cycle=1, dataset="d", start=tiny_model, recipe=RECIPE, out=out)
    prepare("training", tmp_path / "job", job)
    ended = subprocess.run(
        launched(tmp_path / "job", 2),
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    done = result(tmp_path / "job")
    assert [path.name for path in out.parent.iterdir()] == ["c"]
    curve = [point for point in done["history"] if "loss" in point]
    assert [sum(point["phase"] == phase for point in curve) for phase in ("sft", "dpo")] == [8, 4]
    assert curve[7]["loss"] < 0.9 * curve[0]["loss"]
    assert ended.stderr.count("preflight: two steps") == 1
    assert done["metrics"]["development/pairs"] == 24
    assert json.loads((out / "training.json").read_text())["counts"]["pairs"] == 64
