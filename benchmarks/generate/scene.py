"""What is asked in the benchmark: a model of random weights, prompts and answers of lognormal length.

A random model never ends its answers in a way one could state, so both contestants are given the same processor: it
ends the answer to each prompt, by the token that ends answers, after the length drawn for it, and never before.
"""

import random
from collections.abc import Mapping
from math import exp
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import LlamaConfig, LlamaForCausalLM, LogitsProcessor

from tests import tiny

PROMPT, ANSWER, SPREAD, MOST = 60, 50, 0.8, 400
"""Medians in tokens, the deviation of their logarithm, the longest answer."""


class Size(NamedTuple):
    """Of the model."""

    hidden: int
    layers: int


class Scene(NamedTuple):
    """Prompts as tokens, the length of each prompt's answer, and the model's folder."""

    folder: Path
    prompts: list[list[int]]
    lengths: list[int]


def scene(folder: Path, items: int, size: Size, seed: int = 1) -> Scene:
    """Drawn anew from the seed: the same items on every machine."""
    model = build(folder, size)
    chance = random.Random(seed)

    def length(median: int) -> int:
        return max(1, min(MOST, round(median * exp(chance.gauss(0, SPREAD)))))

    vocabulary = range(10, model.config.vocab_size)
    # The first tokens are the prompt's number, so that no two prompts are alike.
    prompts = [[10 + n % 200, 10 + n // 200, *chance.choices(vocabulary, k=length(PROMPT))] for n in range(items)]
    return Scene(folder, prompts, [length(ANSWER) for _ in range(items)])


def build(folder: Path, size: Size) -> Any:
    """A random Llama with the tests' tokenizer."""
    tiny.build(folder)
    torch.manual_seed(1)
    config = LlamaConfig.from_pretrained(folder)
    config.update(
        {
            "vocab_size": 8192,
            "hidden_size": size.hidden,
            "intermediate_size": size.hidden * 11 // 4,
            "num_hidden_layers": size.layers,
            "num_attention_heads": size.hidden // 64,
            "num_key_value_heads": max(1, size.hidden // 128),
            "head_dim": 64,
            "max_position_embeddings": 2048,
            "initializer_range": 0.1,
            "tie_word_embeddings": False,
        }
    )
    model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    return model


class Ends(LogitsProcessor):
    """Ends each row's answer at its length; a row knows its prompt by the tokens behind its padding."""

    def __init__(self, lengths: Mapping[tuple[int, int], int], padding: int, end: int, width: int) -> None:
        self.lengths, self.padding, self.end, self.width = lengths, padding, end, width

    def __call__(self, input_ids: Any, scores: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        said = input_ids.shape[1] - self.width + 1
        starts = (input_ids != self.padding).int().argmax(-1).tolist()
        rows = range(len(starts))
        wanted = [
            self.lengths[int(input_ids[row, at]), int(input_ids[row, at + 1])]
            for row, at in zip(rows, starts, strict=True)
        ]
        ends = torch.tensor([length <= said for length in wanted], device=scores.device)
        end = scores[:, self.end].masked_fill(~ends, -torch.inf).masked_fill(ends, torch.inf)
        return scores.index_copy(1, torch.tensor([self.end], device=scores.device), end[:, None])
