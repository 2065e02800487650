"""What a checkpoint is called and where it lies: folders of weights, and endpoints that stand for a model."""

import json
from pathlib import Path
from typing import Any

import pytest

from flywheel import settings
from flywheel.checkpoint import (
    champion_zero,
    control_tokens,
    endpoint,
    endpoint_folder,
    fingerprint,
    harmless,
    is_endpoint,
    require_weights,
    starting_point,
)
from flywheel.errors import BadInput, Terminal
from flywheel.settings import Endpoint

HOSTED = Endpoint(url="https://api.example.com/v1", model="hosted-1", system="be brief")


def read(home: Path, **workload: Any) -> settings.Settings:
    base = home / "base"
    base.mkdir(exist_ok=True)
    (base / "config.json").write_text("{}")
    named = {"base_model": str(base), "endpoints": {"api": HOSTED.model_dump()}, **workload}
    written = {"home": home, "start": "2026-01-05", "sources": [], "workloads": {"replies": named}}
    return settings.parse(written)


def test_the_folder_of_an_endpoint_holds_what_was_written_and_nothing_else(tmp_path: Path) -> None:
    folder = endpoint_folder(tmp_path, HOSTED)
    assert endpoint(folder) == HOSTED
    assert [path.name for path in folder.iterdir()] == ["endpoint.json"]
    assert is_endpoint(folder)
    assert folder.name == fingerprint(folder)
    assert endpoint_folder(tmp_path, HOSTED) == folder


@pytest.mark.parametrize("changed", [{"url": "https://other/v1"}, {"model": "hosted-2"}, {"system": ""}])
def test_what_decides_its_answers_makes_another_model(tmp_path: Path, changed: dict[str, str]) -> None:
    other = endpoint_folder(tmp_path, HOSTED.model_copy(update=changed))
    assert fingerprint(other) != fingerprint(endpoint_folder(tmp_path, HOSTED))


@pytest.mark.parametrize("changed", [{"price_in": 3.0}, {"timeout_seconds": 5.0}, {"key": "OTHER_KEY"}])
def test_what_it_costs_and_how_it_is_reached_does_not(tmp_path: Path, changed: dict[str, Any]) -> None:
    before = fingerprint(endpoint_folder(tmp_path, HOSTED))
    folder = endpoint_folder(tmp_path, HOSTED.model_copy(update=changed))
    assert (fingerprint(folder), folder.name) == (before, before)
    assert endpoint(folder) == HOSTED.model_copy(update=changed)


def test_champion_zero_is_the_named_endpoint_else_the_base_model(tmp_path: Path) -> None:
    assert champion_zero(read(tmp_path), "replies") == tmp_path / "base"
    assert endpoint(champion_zero(read(tmp_path, champion_zero="api"), "replies")) == HOSTED
    with pytest.raises(BadInput, match=r"saw `apo`; allowed: api"):
        champion_zero(read(tmp_path, champion_zero="apo"), "replies")


def test_an_endpoint_cannot_be_trained_or_loaded_and_says_so(tmp_path: Path) -> None:
    hosted, base, own = endpoint_folder(tmp_path, HOSTED), tmp_path / "base", tmp_path / "own"
    start, word = starting_point(hosted, base)
    assert (start, "hosted-1 behind an endpoint" in word) == (base, True)
    assert starting_point(own, base) == (own, "")
    with pytest.raises(Terminal, match="has no weights to load"):
        require_weights(hosted)
    require_weights(own)


@pytest.mark.parametrize("text", ["", "[]", '{"url": "http://x"}', json.dumps({**HOSTED.model_dump(), "run": "me"})])
def test_a_file_that_names_no_endpoint_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "endpoint.json").write_text(text)
    with pytest.raises(Terminal, match="names no endpoint") as raised:
        fingerprint(tmp_path)
    assert "restore that file" in str(raised.value)


TOKENS = [
    {"id": 0, "content": "<|end|>", "special": True},
    {"id": 1, "content": "<|user|>", "special": True},
    {"id": 2, "content": "<tool_call>", "special": False},
]


def test_control_tokens_are_those_its_tokenizer_calls_special(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps({"added_tokens": TOKENS}))
    control = control_tokens(str(tmp_path))
    assert control == ["<|end|>", "<|user|>"]
    assert harmless("a<|end|><|user|>b <tool_call> <|end |>", control) == "a< |end|>< |user|>b <tool_call> <|end |>"
    assert harmless("<s>", ["s"]) == "<s>", "a letter is no command"


@pytest.mark.parametrize("base", ["{folder}", "nobody/has-this", "not a hub name"])
def test_without_its_tokenizer_nobody_can_say_what_a_control_token_is(tmp_path: Path, base: str) -> None:
    assert control_tokens(base.format(folder=tmp_path)) is None
