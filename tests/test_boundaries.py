"""The walls of the architecture page: no arrow sideways, none upwards, and nothing heavy or foreign where it does not
belong.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LIBRARY = ROOT / "flywheel"
STAGES = ("capture", "ingest", "signals", "records", "datasets", "training", "gate", "registry", "health", "playground")
ABOVE = ("flywheel.cli", "flywheel.status")
# What every stage may stand on; the event types of capture are part of it.
GROUND = (
    "tables",
    "lake",
    "settings",
    "errors",
    "process",
    "checkpoint",
    "database",
    "endpoint",
    "decoding",
    "model",
    "compute",
    "gpu",
    "capture",
)
HEAVY = ("torch", "transformers", "trl", "mlflow")


def imports(path: Path) -> set[str]:
    """Every module this file imports, at whatever level."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


@pytest.mark.parametrize("stage", STAGES)
def test_stages_meet_in_tables_and_never_import_each_other(stage: str) -> None:
    others = {f"flywheel.{other}" for other in STAGES if other not in (stage, *GROUND)}
    found = {(path.name, name) for path in files(LIBRARY / stage) for name in imports(path)}
    sideways = {
        (path, name) for path, name in found for other in others if name == other or name.startswith(other + ".")
    }
    assert not sideways
    assert not {(path, name) for path, name in found if name.startswith(ABOVE)}


def test_the_ground_stands_on_nothing_of_ours_but_ground() -> None:
    allowed = {f"flywheel.{name}" for name in GROUND}
    ground = [LIBRARY / name for name in GROUND if name != "capture"]
    for path in [found for name in ground for found in (files(name) if name.is_dir() else [name.with_suffix(".py")])]:
        ours = {name for name in imports(path) if name.startswith("flywheel.") and name.count(".") == 1}
        assert ours <= allowed | {"flywheel.settings"}, path


@pytest.mark.parametrize("path", files(LIBRARY), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_library_knows_no_orchestrator(path: Path) -> None:
    assert not {name for name in imports(path) if name == "dagster" or name.startswith("dagster.")}


def test_only_the_report_reads_the_playground() -> None:
    outside = [path for path in files(LIBRARY) + files(ROOT / "assets") if "playground" not in path.parent.name]
    readers = {path.name for path in outside if any(name.startswith("flywheel.playground") for name in imports(path))}
    assert readers == {"looking.py"}


@pytest.mark.parametrize("path", files(ROOT / "assets"), ids=lambda path: path.name)
def test_dagster_modules_keep_their_annotations(path: Path) -> None:
    assert "__future__" not in path.read_text()


def test_the_code_location_loads_without_anything_heavy_and_without_the_playground() -> None:
    script = f"""
import sys, assets.definitions as it
it.definitions().get_repository_def().get_all_jobs()
loaded = {{name for name in sys.modules if name.split(".")[0] in {HEAVY} or name.startswith("flywheel.playground")}}
assert not loaded, sorted(loaded)[:5]
"""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-800:]


def test_the_library_loads_without_dagster() -> None:
    light = [path for path in files(LIBRARY) if path.name != "__main__.py"]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in light]
    heavy = (
        "flywheel.model",
        "flywheel.decoding",
        "flywheel.training",
        "flywheel.gate.generate",
        "flywheel.playground.base",
        "flywheel.playground.week",
    )
    script = f"""
import importlib, sys
sys.modules["dagster"] = None
for name in {[name for name in names if not name.startswith(heavy)]}:
    importlib.import_module(name)
"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-800:]


def test_ruff_says_it_at_the_line(tmp_path: Path) -> None:
    for folder, line, rule in [
        ("flywheel", "import dagster", "TID251"),
        ("flywheel", "from flywheel.playground import world", "TID251"),
        ("flywheel", "import torch", "TID253"),
        ("assets", "import flywheel.playground.truth", "TID251"),
        ("assets", "import mlflow", "TID253"),
    ]:
        probe = [
            "ruff",
            "check",
            "--output-format",
            "concise",
            "--stdin-filename",
            str(ROOT / folder / "probe.py"),
            "-",
        ]
        told = subprocess.run([sys.executable, "-m", *probe], input=line, capture_output=True, text=True, check=False)
        assert rule in told.stdout, (folder, line, told.stdout, told.stderr)
