"""The other ways to ask: continuous batching run for real on this machine, vLLM through a stand-in for its server."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from flywheel.checkpoint import endpoint_folder
from flywheel.errors import Terminal
from flywheel.gate import vllm
from flywheel.gate.engines import PORTION, Questions, Unusable, by_batches, by_continuous, engines, portions
from flywheel.gate.vllm import by_vllm
from flywheel.settings import Endpoint
from tests import tiny

# What stands in for vLLM: a module of its name whose server says, in capitals, what it was asked and with which seed.
SERVER = """
import argparse, json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
read = argparse.ArgumentParser()
for name in ("model", "served-model-name", "host", "port", "generation-config", "override-generation-config"):
    read.add_argument("--" + name)
given = read.parse_args()
assert os.environ["VLLM_NO_USAGE_STATS"] == "1"
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        said = {**body, "messages": body["messages"][-1]["content"].upper(), "given": vars(given), "pid": os.getpid()}
        told = {"choices": [{"message": {"content": json.dumps(said)}}]}
        told["usage"] = {"prompt_tokens": 4, "completion_tokens": 2}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(told).encode())
    def log_message(self, *_):
        pass
ThreadingHTTPServer((given.host, int(given.port)), Handler).serve_forever()
"""


def questions(count: int, *, temperature: float = 0.0, budget: int = 10**9) -> Questions:
    left = iter(range(budget))
    return Questions(
        items=[f"i{n}" for n in range(count)],
        prompts=[json.loads(tiny.prompt(n)) for n in range(count)],
        decoding={"temperature": temperature, "max_new_tokens": 8, "seed": 0},
        going_on=lambda: next(left, None) is not None,
        sending=lambda number, text: None,
    )


@pytest.fixture
def pretended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package `vllm` that only the server's own process sees."""
    place = tmp_path / "site" / "vllm" / "entrypoints" / "openai"
    place.mkdir(parents=True)
    (place / "api_server.py").write_text(SERVER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    return place / "api_server.py"


def everything(found: Any) -> dict[int, Any]:
    return {number: answer for some in found for number, answer in some.items()}


def test_an_endpoint_is_only_ever_asked(tmp_path: Path) -> None:
    folder = endpoint_folder(tmp_path, Endpoint(url="http://127.0.0.1:1/v1", model="m"))
    assert [name for name, _ in engines(folder, 0.0)] == ["asking the endpoint"]
    with pytest.raises(Terminal, match=r"behind an endpoint and has no weights to load; saw `m at http"):
        next(by_batches(folder, questions(1)))


def test_without_a_gpu_batches_answer(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert [name for name, _ in engines(tiny_model, 0.0)] == ["batches"]


@pytest.mark.slow  # on a processor its kernels are slow and its cache is large
def test_continuous_batching_says_what_the_batches_say(tiny_model: Path) -> None:
    ours, theirs = (everything(way(tiny_model, questions(20))) for way in (by_batches, by_continuous))
    assert {n: one.text for n, one in theirs.items()} == {n: one.text for n, one in ours.items()}
    assert {n: one[1:3] for n, one in theirs.items()} == {n: one[1:3] for n, one in ours.items()}
    assert all(one.seconds > 0 for one in theirs.values())


def test_what_continuous_batching_cannot_do_is_unusable(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = "transformers.generation.continuous_batching.continuous_api.ContinuousMixin.init_continuous_batching"
    monkeypatch.setattr(place, lambda *_, **__: 1 / 0)
    with pytest.raises(Unusable, match="ZeroDivisionError"):
        everything(by_continuous(tiny_model, questions(3)))


def test_vllm_is_started_asked_and_stopped(tiny_model: Path, pretended: Path) -> None:
    found = everything(by_vllm(tiny_model, questions(5, temperature=0.7)))
    told = [json.loads(found[n].text) for n in range(5)]
    assert [one["messages"] for one in told] == [json.loads(tiny.prompt(n))[0]["content"].upper() for n in range(5)]
    assert len({one["seed"] for one in told}) == 5
    assert {(one["temperature"], one["max_tokens"], one["model"]) for one in told} == {(0.7, 8, "asked")}
    assert told[0]["given"]["host"] == "127.0.0.1"
    assert told[0]["given"]["model"] == str(tiny_model)
    assert {found[n][1:3] for n in range(5)} == {(4, 2)}
    with pytest.raises(ProcessLookupError):
        os.kill(told[0]["pid"], 0)


def test_vllm_stops_with_the_budget(tiny_model: Path, pretended: Path) -> None:
    assert len(everything(by_vllm(tiny_model, questions(50, budget=10)))) == 10


def test_a_server_that_does_not_come_up_is_unusable(tiny_model: Path, pretended: Path) -> None:
    pretended.write_text("raise SystemExit(3)")
    with pytest.raises(Unusable, match="its server ended with status 3"):
        everything(by_vllm(tiny_model, questions(1)))


def test_the_folder_s_penalty_goes_to_vllm_and_its_sampling_does_not(tmp_path: Path) -> None:
    (tmp_path / "generation_config.json").write_text('{"repetition_penalty": 1.1, "top_k": 20}')
    assert vllm._penalty(tmp_path) == {"repetition_penalty": 1.1}
    assert vllm._penalty(tmp_path / "none") == {}


def test_a_portion_s_time_is_divided_by_tokens() -> None:
    found = list(portions((n, "x", 1 + n % 3) for n in range(PORTION + 2)))
    assert [len(portion) for portion in found] == [PORTION, 2]
    first = {n: share for n, _, share in found[0]}
    assert first[1] == pytest.approx(2 * first[0])
    assert first[2] == pytest.approx(3 * first[0])
