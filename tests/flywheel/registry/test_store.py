"""The registry on a real SQLite MLflow: registered once whatever happens, the alias obeyed whoever moves it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from safetensors.numpy import save_file

from flywheel.checkpoint import endpoint_folder, fingerprint
from flywheel.errors import BadInput, BrokenInvariant, Terminal
from flywheel.registry import Registry, Version
from flywheel.settings import Endpoint

ENSURE = """
import sys
from pathlib import Path
from flywheel.registry import Registry
home, base = map(Path, sys.argv[1:])
registry = Registry(home)
registry.versions("replies")
print("open", flush=True)
sys.stdin.readline()
print(registry.ensure_champion("replies", base).version)
"""

# One process dies at every step: each step has a workload of its own and a fork that is killed there.
KILLED = """
import os, shutil, signal, sys
from pathlib import Path
import mlflow
from flywheel.registry import Registry

home, winner = map(Path, sys.argv[1:3])

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def half_a_copy(client):
    def copy(model_id, folder):
        target = Path(client.get_logged_model(model_id).artifact_location.removeprefix("file://"))
        target.mkdir(parents=True)
        (target / "model.safetensors").write_bytes((Path(folder) / "model.safetensors").read_bytes()[:50])
        die()
    return copy

def then_die(step):
    def both(*args, **options):
        step(*args, **options)
        die()
    return both

for place in sys.argv[3:]:
    if os.fork() == 0:
        registry = Registry(home)
        client, (when, step) = registry._client, place.split(":")
        deadly = half_a_copy(client) if when == "half" else then_die(getattr(client, step))
        setattr(client, step, deadly)
        registry.register(place.replace(":", "-").replace("_", "-"), winner, {"dataset": "d1"})
        os._exit(0)
    _, status = os.wait()
    assert os.WTERMSIG(status) == signal.SIGKILL, place
"""
STEPS = [
    "after:create_experiment",
    "after:create_logged_model",
    "half:log_model_artifacts",
    "after:log_model_artifacts",
    "after:finalize_logged_model",
    "after:create_registered_model",
    "after:create_model_version",
    "after:set_registered_model_alias",
]


def checkpoint(folder: Path, value: float) -> Path:
    """A folder with real safetensors; another value is another model."""
    folder.mkdir(parents=True)
    save_file({"weight": np.full(64, value, dtype=np.float32)}, folder / "model.safetensors")
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "tokenizer.json").write_text("{}")
    return folder


def start(script: str, *arguments: Path | str, cwd: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=cwd, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def ended(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert "INFO" not in err
    return out.strip()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="module")
def registry(folder: Path) -> Registry:
    """A home that two processes set up at the same time; both open, they make sure of the champion together."""
    base = checkpoint(folder / "home" / "base", 0.0)
    (folder / "cwd").mkdir()
    both = [start(ENSURE, folder / "home", base, cwd=folder / "cwd") for _ in range(2)]
    assert [each.stdout.readline() for each in both if each.stdout] == ["open\n", "open\n"]
    for each in both:
        each.stdin.write("go\n")  # pyright: ignore[reportOptionalMemberAccess]
        each.stdin.flush()  # pyright: ignore[reportOptionalMemberAccess]
    assert [ended(each) for each in both] == ["1", "1"]
    return Registry(folder / "home")


@pytest.fixture
def winner(tmp_path: Path, registry: Registry, request: pytest.FixtureRequest) -> Version:
    """A version of a workload that only this test uses, beside its champion zero."""
    workload = request.node.name.replace("_", "-")
    registry.ensure_champion(workload, checkpoint(tmp_path / "base", 0.0))
    return registry.register(workload, checkpoint(tmp_path / "winner", 1.0), {"dataset": "d1", "gain": "+0.05"})


@pytest.fixture(scope="module")
def client(registry: Registry) -> MlflowClient:
    return MlflowClient(registry.tracking_uri, registry_uri=registry.tracking_uri)


def test_the_base_is_registered_once_by_two_processes_at_once(registry: Registry) -> None:
    (only,) = registry.versions("replies")
    assert only == registry.champion("replies")
    assert (only.version, only.aliases) == ("1", ("champion",))
    assert only.tags["promoted_by"] == "flywheel"
    assert only.path.is_relative_to(registry.home)


def test_nothing_is_written_outside_home(folder: Path, winner: Version) -> None:
    assert winner.version == "2"
    assert list((folder / "cwd").iterdir()) == []
    assert sorted(path.name for path in folder.iterdir()) == ["cwd", "home"]


def test_a_champion_is_never_replaced_by_the_base(registry: Registry, winner: Version, tmp_path: Path) -> None:
    registry.promote(winner.workload, winner.version, "flywheel", "better")
    again = registry.ensure_champion(winner.workload, tmp_path / "base")
    assert again.fingerprint == winner.fingerprint
    assert len(registry.versions(winner.workload)) == 2


def test_a_winner_is_a_challenger_with_its_lineage(registry: Registry, client: MlflowClient, winner: Version) -> None:
    assert (winner.version, winner.aliases) == ("2", ("challenger",))
    assert dict(winner.tags) == {"dataset": "d1", "gain": "+0.05", "fingerprint": winner.fingerprint}
    assert fingerprint(registry.path(winner)) == winner.fingerprint
    stored = client.get_model_version(winner.workload, "2")
    assert stored.source.startswith("models:/m-")
    assert "on dataset d1" in stored.description
    assert [each.fingerprint for each in registry.versions(winner.workload)][1] == winner.fingerprint


def test_the_same_weights_are_the_same_version(registry: Registry, winner: Version, tmp_path: Path) -> None:
    copied = checkpoint(tmp_path / "copy", 1.0)
    assert registry.register(winner.workload, copied, {"dataset": "d2"}) == winner
    other = registry.register(winner.workload, checkpoint(tmp_path / "other", 2.0), {"dataset": "d2"})
    assert (other.version, other.aliases) == ("3", ("challenger",))
    assert registry.register(winner.workload, copied, {}).aliases == ()


def test_metrics_and_version_hang_on_the_run(registry: Registry, client: MlflowClient, tmp_path: Path) -> None:
    run = client.create_run(registry.experiment("runs")).info.run_id
    folder = checkpoint(tmp_path / "winner", 1.0)
    with pytest.raises(ValueError, match="pass run_id"):
        registry.register("runs", folder, {}, {"gain": 0.05})
    made = registry.register("runs", folder, {}, {"gain": 0.05}, run_id=run)
    assert made.run_id == run
    assert client.get_run(run).data.metrics == {"gain": 0.05}
    (logged,) = client.search_logged_models([registry.experiment("runs")])
    assert (logged.source_run_id, [each.key for each in logged.metrics]) == (run, ["gain"])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_killed_at_any_step_and_run_again_there_is_exactly_one_version(
    registry: Registry, client: MlflowClient, folder: Path, tmp_path: Path
) -> None:
    source = checkpoint(tmp_path / "winner", 1.0)
    ended(start(KILLED, registry.home, source, *STEPS, cwd=folder / "cwd"))
    for step in STEPS:
        workload = step.replace(":", "-").replace("_", "-")
        made = registry.register(workload, source, {"dataset": "d1"})
        assert registry.versions(workload) == [made], step
        assert (made.version, made.aliases) == ("1", ("challenger",)), step
        assert fingerprint(made.path) == fingerprint(source), step
        logged = client.search_logged_models([registry.experiment(workload)])
        assert [str(each.status) for each in logged] == ["READY"], step


def test_promotion_moves_the_alias_and_says_why(registry: Registry, winner: Version) -> None:
    now = registry.promote(winner.workload, winner.version, "anna", "reads better")
    assert registry.champion(winner.workload) == now
    assert now.aliases == ("champion",)
    assert (now.tags["promoted_by"], now.tags["reason"]) == ("anna", "reads better")
    assert [each.version for each in registry.former_champions(winner.workload)] == ["1"]
    back = registry.promote(winner.workload, "1", "anna", "it felt off")
    assert registry.champion(winner.workload) == back
    assert [each.version for each in registry.former_champions(winner.workload)] == ["2"]
    assert registry.register(winner.workload, winner.path, {}).aliases == ()


def test_an_alias_moved_by_someone_else_is_seen(registry: Registry, client: MlflowClient, winner: Version) -> None:
    client.set_registered_model_alias(winner.workload, "champion", winner.version)
    seen = registry.champion(winner.workload)
    assert seen is not None
    assert (seen.version, set(seen.aliases)) == ("2", {"champion", "challenger"})
    client.delete_registered_model_alias(winner.workload, "champion")
    assert registry.champion(winner.workload) is None


def test_two_homes_in_one_process_do_not_mix(registry: Registry, winner: Version, tmp_path: Path) -> None:
    other = Registry(tmp_path / "elsewhere")
    assert other.champion(winner.workload) is None
    made = other.register(winner.workload, winner.path, {})
    assert made.path.is_relative_to(tmp_path / "elsewhere")
    third = registry.register(winner.workload, checkpoint(tmp_path / "third", 3.0), {})
    assert (third.version, len(other.versions(winner.workload))) == ("3", 1)


def test_no_champion_where_nothing_was_registered(registry: Registry) -> None:
    assert registry.champion("unheard-of") is None
    assert registry.versions("unheard-of") == []


def test_an_unknown_version_cannot_be_promoted(registry: Registry) -> None:
    with pytest.raises(BadInput, match="saw `7`; allowed: 1"):
        registry.promote("replies", "7", "anna", "typo")


def test_weights_changed_on_disk_are_not_served(registry: Registry, winner: Version) -> None:
    save_file({"weight": np.zeros(3, dtype=np.float32)}, winner.path / "model.safetensors")
    with pytest.raises(BrokenInvariant, match="is not what was registered"):
        registry.path(winner)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "training_args.bin").write_bytes(b"pickle"),
        lambda folder: (folder / "optimizer.pt").write_bytes(b"pickle"),
        lambda folder: (folder / "modeling.py").write_text("run me"),
        lambda folder: (checkpoint(folder / "deeper", 1.0) / "model.pkl").write_bytes(b"pickle"),
        lambda folder: (folder / "linked").symlink_to(folder.parent, target_is_directory=True),
        lambda folder: (folder / "model.safetensors").unlink(),
    ],
    ids=["training_args.bin", "optimizer.pt", "modeling.py", "deeper pickle", "linked folder", "no weights"],
)
def test_only_weights_and_text_are_registered(
    registry: Registry, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    folder = checkpoint(tmp_path / "odd", 1.0)
    spoil(folder)
    with pytest.raises(Terminal):
        registry.register("odd", folder, {})
    assert registry.versions("odd") == []


def test_an_endpoint_is_champion_zero_and_a_trained_model_takes_over(tmp_path: Path, registry: Registry) -> None:
    hosted = endpoint_folder(tmp_path, Endpoint(url="http://127.0.0.1:1/v1", model="hosted"))
    zero = registry.ensure_champion("hosted", hosted)
    assert registry.path(zero).joinpath("endpoint.json").read_bytes() == (hosted / "endpoint.json").read_bytes()
    assert zero.fingerprint == fingerprint(hosted)
    winner = registry.register("hosted", checkpoint(tmp_path / "winner", 1.0), {"dataset": "d1"})
    registry.promote("hosted", winner.version, "someone", "it won")
    assert [each.version for each in registry.former_champions("hosted")] == [zero.version]
    assert registry.ensure_champion("hosted", hosted).version == winner.version


def test_a_folder_that_would_be_two_models_is_not_registered(tmp_path: Path, registry: Registry) -> None:
    both = endpoint_folder(tmp_path, Endpoint(url="http://127.0.0.1:1/v1", model="hosted"))
    save_file({"weight": np.zeros(4, dtype=np.float32)}, both / "model.safetensors")
    with pytest.raises(Terminal, match=r"would be two models; saw `.*model\.safetensors"):
        registry.ensure_champion("two-models", both)
