"""vLLM as a process of its own: its OpenAI server on loopback, started for one job, asked, and stopped with it.

It is used where it is installed and a GPU is there; it is no dependency. Every request carries its item's own seed. The
folder's sampling defaults are not taken over, since no other way of asking knows them.
"""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flywheel.endpoint import LOOPBACK, Asking, Reply
from flywheel.errors import FlywheelError
from flywheel.gate.engines import Found, Questions, Unusable, portions
from flywheel.settings import Endpoint

PATIENCE = 900.0
"""Seconds until a large model has to be loaded."""
GRACE = 30.0
AT_ONCE = 256
"""Requests in the server's hands: it makes its own batches."""
NAME = "asked"
QUIET = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1"}


def by_vllm(folder: Path, asked: Questions) -> Iterator[Found]:
    """The answers in portions; `seconds` is the share of a portion's time by tokens."""
    from flywheel.model import Answer, load_tokenizer, plain, rendered, seed_of

    tokenizer, decoding = load_tokenizer(folder), asked.decoding
    texts = rendered(tokenizer, asked.prompts)
    seeds = [seed_of(text, item, decoding["seed"]) for text, item in zip(texts, asked.items, strict=True)]
    with serving(folder) as url:
        asking = Asking(
            endpoint=Endpoint(url=url, model=NAME, key="", timeout_seconds=PATIENCE),
            max_tokens=decoding["max_new_tokens"],
            temperature=decoding["temperature"],
            whose="vLLM",
            at_once=AT_ONCE,
        )
        prompts = (plain(tokenizer, prompt) for prompt in asked.drawn())
        try:
            replies = ((n, each) for n, each in asking.each(prompts, seeds=seeds) if isinstance(each, Reply))
            for portion in portions((number, reply, reply.tokens_out or 0) for number, reply in replies):
                yield {n: Answer(r.text.strip(), r.tokens_in or 0, r.tokens_out or 0, share) for n, r, share in portion}
        except FlywheelError as error:
            raise Unusable(str(error)) from error


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a server of this folder; it ends with the block, and with this process however that ends."""
    port = _free_port()
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder)]
    command += ["--served-model-name", NAME, "--host", "127.0.0.1", "--port", str(port), "--generation-config", "vllm"]
    if defaults := _penalty(folder):
        command += ["--override-generation-config", json.dumps(defaults)]
    with tempfile.TemporaryFile() as said:
        server = subprocess.Popen(
            command, stdout=said, stderr=said, env={**os.environ, **QUIET}, preexec_fn=_end_with_parent
        )
        try:
            _wait(server, f"http://127.0.0.1:{port}/health")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()
            try:
                server.wait(GRACE)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait(server: subprocess.Popen[bytes], health: str) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if server.poll() is not None:
            raise Unusable(f"its server ended with status {server.returncode}")
        try:
            with LOOPBACK.open(health, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise Unusable(f"its server was not ready after {PATIENCE:g} seconds")


def _penalty(folder: Path) -> dict[str, float]:
    """The one setting of the folder that every other way of asking obeys, even where nothing is drawn."""
    written = folder / "generation_config.json"
    told = json.loads(written.read_text()) if written.exists() else {}
    return {"repetition_penalty": told["repetition_penalty"]} if told.get("repetition_penalty") else {}


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _end_with_parent() -> None:
    """Linux ends the server when this process is killed; elsewhere only an orderly end does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
