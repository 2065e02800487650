"""Generation where a GPU is: the ways that are open there say what batches say. Skipped, with a word, elsewhere."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from flywheel.gate.engines import Questions, by_batches, by_continuous, engines
from flywheel.gate.vllm import by_vllm
from tests import tiny

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA on this machine")]


def questions(temperature: float) -> Questions:
    return Questions(
        items=[f"i{n}" for n in range(40)],
        prompts=[json.loads(tiny.prompt(n)) for n in range(40)],
        decoding={"temperature": temperature, "max_new_tokens": 16, "seed": 0},
        going_on=lambda: True,
        sending=lambda number, text: None,
    )


def texts(found: Any) -> dict[int, str]:
    return {number: answer.text for some in found for number, answer in some.items()}


def test_continuous_batching_is_used_where_nothing_is_drawn_and_says_the_same(tiny_model: Path) -> None:
    assert "continuous batching" in [name for name, _ in engines(tiny_model, 0.0)]
    assert "continuous batching" not in [name for name, _ in engines(tiny_model, 1.0)]
    ours, theirs = (texts(way(tiny_model, questions(0.0))) for way in (by_batches, by_continuous))
    same = sum(ours[number] == theirs[number] for number in ours)
    assert same >= 0.9 * len(ours)  # kernels differ in the last bits, and a near tie may fall the other way


def test_draws_on_a_gpu_belong_to_the_item(tiny_model: Path) -> None:
    asked = questions(1.0)
    alone = asked._replace(items=asked.items[7:8], prompts=asked.prompts[7:8])
    assert texts(by_batches(tiny_model, asked))[7] == texts(by_batches(tiny_model, alone))[0]


@pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed")
def test_vllm_answers_everything(tiny_model: Path) -> None:
    assert texts(by_vllm(tiny_model, questions(0.0))).keys() == set(range(40))
