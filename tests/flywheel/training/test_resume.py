"""A training killed at any moment and run again ends in the same bits as one that nobody disturbed."""

import json
import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flywheel.errors import Transient
from flywheel.lake import Lake
from flywheel.process import Job, prepare, result
from flywheel.settings import Recipe, Step
from flywheel.training import recipe
from flywheel.training.delivery import deliver
from tests import tiny
from tests.mlflow_server import restarting
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


# ---- asked to stop --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_saves_and_goes_on_from_there(
    tmp_path: Path, forgetful: Path, host: Zygote, sent: signal.Signals
) -> None:
    rows = ROWS["dpo"]
    whole, job = (asked(tmp_path / name, forgetful, rows, save_minutes=60) for name in ("whole", "stopped"))
    undisturbed = host.train(whole)
    stopped = host.train(job, at=undisturbed.told["moments"] // 2, sent=sent)
    assert stopped.told["error"] == ("Transient: the training was stopped; run it again to go on where it was saved.")
    ended = host.train(job)
    [(_, numbers)] = [told for told in ended.told["reports"] if told[0].startswith("taken up")]
    assert numbers["step"] > 0
    assert not any("preflight" in message for message, _ in ended.told["reports"])  # it was told before
    assert ended.told["result"]["preflight"]["phases"][0]["steps"] == 10
    assert left(ended, Path(job["out"])) == left(undisturbed, Path(whole["out"]))


def test_asked_to_stop_before_it_has_begun_it_ends_at_once(tmp_path: Path, tiny_model: Path) -> None:
    command = prepare("training", tmp_path / "job", asked(tmp_path, tiny_model, PAIRS))
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("loading torch")
        process.send_signal(signal.SIGINT)
        assert "Traceback" not in process.stderr.read()
    assert process.returncode == 2
    with pytest.raises(Transient, match="run it again to go on"):
        result(tmp_path / "job")


# ---- memory ---------------------------------------------------------------------------------------------------------


AHEAD = 2
"""Steps of preflight."""


def small(job: Job) -> None:
    """In the child: a GPU that holds two rows of a batch in its fourth step; more before that, and in preflight."""
    import torch
    from transformers import LlamaModel  # TRL gives the model above it a forward of its own

    forward, calls = LlamaModel.forward, iter(range(10_000))

    def held(self: Any, input_ids: Any = None, **more: Any) -> Any:
        if self.training and torch.is_grad_enabled() and next(calls) >= AHEAD + 3 and len(input_ids) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return forward(self, input_ids, **more)

    stand_in: Any = held
    LlamaModel.forward = stand_in


def test_out_of_memory_it_takes_less_at_a_time_and_as_much_in_a_step(
    tmp_path: Path, tiny_model: Path, host: Zygote
) -> None:
    whole, job = (asked(tmp_path / name, tiny_model, DEMONSTRATIONS) for name in ("whole", "small"))
    undisturbed, ended = host.train(whole), host.train(job, before=f"{__name__}:small")
    words = [message for message, _ in ended.told["reports"]]
    assert "out of memory in sft: 2 records at a time instead of 4, as many in a step" in words
    assert "taken up where it was saved, in sft" in words
    assert ended.told["result"]["cut"] == {"sft": 2}
    assert undisturbed.told["result"]["cut"] == {}
    curves = [
        [(point["step"], point["loss"]) for point in told["result"]["history"]]
        for told in (undisturbed.told, ended.told)
    ]
    assert [step for step, _ in curves[1]] == [step for step, _ in curves[0]]
    assert [loss for _, loss in curves[1]] == pytest.approx([loss for _, loss in curves[0]], rel=1e-4)


def full(job: Job) -> None:
    """In the child: a GPU that holds nothing any more once preflight is over."""
    import torch
    from transformers import LlamaModel  # TRL gives the model above it a forward of its own

    forward, calls = LlamaModel.forward, iter(range(10_000))

    def held(self: Any, *some: Any, **more: Any) -> Any:
        if next(calls) >= AHEAD:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return forward(self, *some, **more)

    stand_in: Any = held
    LlamaModel.forward = stand_in


def test_a_model_that_does_not_fit_at_all_is_said(tmp_path: Path, tiny_model: Path, host: Zygote) -> None:
    ended = host.train(asked(tmp_path, tiny_model, DEMONSTRATIONS), before=f"{__name__}:full")
    assert "does not hold the model and 1 record at a time" in ended.told["error"]
    halvings = [message for message, _ in ended.told["reports"] if message.startswith("out of memory")]
    assert len(halvings) == 2


# ---- at length ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
def test_twenty_kills_each_taken_up_once(tmp_path: Path, forgetful: Path, host: Zygote, rows: pl.DataFrame) -> None:
    whole = asked(tmp_path / "whole", forgetful, rows)
    undisturbed = host.train(whole, before=f"{__name__}:sparse")
    kept, draw = left(undisturbed, Path(whole["out"])), random.Random(1)
    for number in range(20):
        job = asked(tmp_path / str(number), forgetful, rows)
        at = draw.randint(1, undisturbed.told["moments"] - 1)
        assert host.train(job, at=at, before=f"{__name__}:sparse").status == -signal.SIGKILL
        assert left(host.train(job, before=f"{__name__}:sparse"), Path(job["out"])) == kept, f"killed at {at}"


@pytest.mark.slow
def test_twenty_trainings_while_mlflow_is_killed_and_restarted(tmp_path: Path, tiny_model: Path, host: Zygote) -> None:
    with restarting(tmp_path) as server:
        jobs = [asked(tmp_path / str(number), tiny_model, DEMONSTRATIONS) for number in range(20)]
        homes = [Path(job["home"]) for job in jobs]
        for number, job in enumerate(jobs):
            if number % 7 == 0:
                server.start()
            tracking = {"tracking_uri": server.url, "experiment": f"w{number}", "run_name": "cycle-1"}
            started = host.start({**job, "mlflow": tracking})
            if number % 7 == 4:
                server.kill()
            assert host.end(started).status == 0
        server.start()
        server.wait()
        assert [deliver(home) for home in homes] == [0] * 20
        for number in range(20):
            curves = server.curves(f"w{number}", "sft/loss")
            assert curves == {"FINISHED": list(range(1, 11))}
