"""The base model: a checkpoint like any other, cached by what decides it."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from flywheel import checkpoint
from flywheel.playground.base import base, old_answers
from flywheel.playground.world import Base, read


def quiet(message: str, **numbers: float) -> None:
    """Nobody listens."""


@pytest.fixture
def copy(base_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(base_model, tmp_path / "base"))


def test_it_is_a_checkpoint_with_a_fingerprint(base_model: Path) -> None:
    assert checkpoint.locate(str(base_model)) == base_model
    assert not [path.name for path in base_model.iterdir() if path.suffix in (".bin", ".pt", ".pkl")]


def test_the_same_settings_are_not_trained_twice(small: dict[str, Any], copy: Path) -> None:
    made = base(read(small), copy, quiet)
    assert made == {"path": str(copy), "fingerprint": checkpoint.fingerprint(copy), "cached": True}


def test_another_setting_of_the_base_is_another_model(small: dict[str, Any], copy: Path) -> None:
    before = checkpoint.fingerprint(copy)
    made = base(read({**small, "base": {**small["base"], "seed": 1}}), copy, quiet)
    assert not made["cached"]
    assert made["fingerprint"] == checkpoint.fingerprint(copy) != before


def test_another_seed_of_the_world_starts_from_the_same_base(small: dict[str, Any], copy: Path) -> None:
    assert base(read({**small, "seed": 99, "users": 5}), copy, quiet)["cached"]


def test_a_damaged_model_is_trained_again_to_the_same_weights(small: dict[str, Any], copy: Path) -> None:
    before = checkpoint.fingerprint(copy)
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\1\2\3\4")
    made = base(read(small), copy, quiet)
    assert not made["cached"]
    assert made["fingerprint"] == before


def test_the_turn_ends_inside_what_is_learned(base_model: Path) -> None:
    from flywheel.model import load_tokenizer

    tokenizer = load_tokenizer(base_model)
    talk = [{"role": "user", "content": "Order 48213"}, {"role": "assistant", "content": "It has not come."}]
    told = tokenizer.apply_chat_template(talk, return_assistant_tokens_mask=True, return_dict=True)
    learned = [token for token, mask in zip(told["input_ids"], told["assistant_masks"], strict=True) if mask]
    assert tokenizer.decode(learned) == "It has not come.<|end|>"
    opened = tokenizer.apply_chat_template(talk[:1], add_generation_prompt=True, tokenize=False)
    assert tokenizer.apply_chat_template(talk, tokenize=False).startswith(opened)


def test_old_answers_do_not_know_the_segments() -> None:
    """Each part is as frequent in one segment as in another: what a segment wants is left for the wheel to find."""
    named: dict[str, list[bool]] = {}
    for prompt, text in old_answers(Base(examples=8000)):
        if prompt[0]["content"].startswith("reply-drafts"):
            named.setdefault(prompt[0]["content"], []).append("Dear" in text)
    shares = [sum(each) / len(each) for each in named.values()]
    assert len(shares) == 4
    assert max(shares) - min(shares) < 0.08
