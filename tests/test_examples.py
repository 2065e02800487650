"""The examples really log: what they write is in the contract and becomes events."""

import importlib.util
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from flywheel.capture.writer import Writer
from flywheel.ingest import ingest
from flywheel.lake import Lake
from flywheel.settings import Source

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
CONTRACT = Draft202012Validator(json.loads((ROOT / "docs" / "events.schema.json").read_text()))
UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH")


def check(home: Path) -> list[dict[str, Any]]:
    """The records logged below `home`, after they passed the contract and became events, one each."""
    logs = sorted((home / "logs").glob("*.jsonl"))
    records = [json.loads(line) for path in logs for line in path.open(encoding="utf-8")]
    assert [error.message for record in records for error in CONTRACT.iter_errors(record)] == []
    lake = Lake(home)
    taken = ingest(lake, [Source(name="example", path="{home}/logs/*.jsonl")], now=datetime.now(UTC))
    assert lake.read("quarantine")["reason"].to_list() == []
    assert taken.events == taken.accepted == taken.records == len(records) > 0
    return records


@pytest.fixture(scope="session")
def log_js(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`log.ts`, type-checked strictly and compiled by the real compiler, from npm."""
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("typescript")
    install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "typescript@5", "@types/node@20"]
    installed = subprocess.run(install, cwd=folder, check=False, capture_output=True, text=True)
    if installed.returncode and any(reason in installed.stderr for reason in UNREACHABLE):
        pytest.skip("npm cannot be reached, and TypeScript is only there")
    assert installed.returncode == 0, installed.stderr
    options = {"target": "es2022", "lib": ["esnext"], "module": "nodenext", "outDir": ".", "rootDir": str(EXAMPLES)}
    checks = {"strict": True, "noUncheckedIndexedAccess": True, "types": ["node"], "typeRoots": ["node_modules/@types"]}
    settings = {"compilerOptions": options | checks, "files": [str(EXAMPLES / "log.ts")]}
    (folder / "tsconfig.json").write_text(json.dumps(settings))
    tsc = ["node_modules/.bin/tsc", "-p", "."]
    compiled = subprocess.run(tsc, cwd=folder, check=False, capture_output=True, text=True)
    assert compiled.returncode == 0, compiled.stdout
    return folder / "log.js"


def test_typescript_logs_every_kind(log_js: Path, tmp_path: Path) -> None:
    subprocess.run(["node", log_js, tmp_path / "logs"], check=True)
    records = check(tmp_path)
    assert {record["kind"] for record in records} == set(CONTRACT.schema["$defs"]) - {"message"}
    assert records[0]["prompt"][0]["content"] == "Wo bleibt meine Bestellung 12345?\nZoë 🙂"


def test_typescript_closes_a_torn_line(log_js: Path, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    subprocess.run(["node", log_js, logs], check=True)
    (path,) = logs.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    subprocess.run(["node", log_js, logs], check=True)
    first, *_ = after = [path.read_bytes() for path in sorted(logs.iterdir())]
    assert first.startswith(whole[:-20] + b"\n") or len(after) == 2  # two files: midnight passed between the two runs


@pytest.mark.parametrize("value", ["NaN", "'\\ud800'"])
def test_typescript_refuses_what_is_not_json(log_js: Path, value: str, tmp_path: Path) -> None:
    fact = f"{{kind: 'outcome', name: {value}, value: {value}}}"
    write = f"new (require({json.dumps(str(log_js))}).Log)('logs', 'w').write({fact})"
    refused = subprocess.run(["node", "-e", write], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "RangeError: field name" in refused.stderr
    assert list((tmp_path / "logs").iterdir()) == []


class Completions:
    """The network's edge: answers as an OpenAI-style server does."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def create(self, **request: Any) -> Any:
        self.asked.append(request)
        message = SimpleNamespace(content=f"Hello, answer {len(self.asked)}", refusal=None)
        return SimpleNamespace(
            id=f"chatcmpl-{len(self.asked)}",
            model=f"{request['model']}-2026-01",
            system_fingerprint="fp_1",
            choices=[SimpleNamespace(message=message)],
            usage=SimpleNamespace(prompt_tokens=11, completion_tokens=4),
        )


def test_the_python_wrapper_logs_an_exchange(tmp_path: Path) -> None:
    wrapper = load("python_wrapper")
    completions = Completions()
    client = SimpleNamespace(chat=SimpleNamespace(completions=completions))
    arms = {"small": 0.5, "large": 0.5}
    logged = wrapper.LoggedClient(client, Writer(tmp_path / "logs"), workload="reply-drafts", arms=arms)
    messages = [{"role": "user", "content": "Where is order 12345?"}]

    first = logged.answer(messages, user="3f9a", conversation="c1", tags={"language": "en"}, temperature=0.7)
    again = logged.answer(messages, user="3f9a", conversation="c1", parent=first.parent)
    logged.shown(again, dwell_ms=1200.0)
    logged.edited(again, "Hello Ana")
    logged.accepted(again, how="sent")
    logged.rated(again, -1, comment="too long")

    records = check(tmp_path)
    assert [record["kind"] for record in records] == ["response", "response", "shown", "edited", "accepted", "rated"]
    assert completions.asked[0] == {"model": records[0]["arm"], "messages": messages, "temperature": 0.7}
    assert records[0]["parent"] == records[1]["parent"]
    assert records[0]["id"] != records[1]["id"]
    assert records[0]["arm"] == records[1]["arm"]
    assert [record["answer"] for record in records[2:]] == [again.id] * 4
    assert records[0]["propensity"] == 0.5


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
