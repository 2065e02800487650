"""What is trained in the benchmarks: models of random weights in a stated shape, rows of lognormal length."""

import random
from math import exp, log
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from flywheel.training.rows import Row
from tests import tiny

MEDIAN, P95, ANSWER = 300, 2000, 0.2
"""Of a conversation's tokens on a GPU; the share that is the answer."""


class Lengths(NamedTuple):
    """Of conversations, in tokens; lognormal."""

    median: int
    p95: int
    most: int

    def drawn(self, chance: random.Random) -> int:
        deviation = log(self.p95 / self.median) / 1.645
        return max(16, min(self.most, round(self.median * exp(chance.gauss(0, deviation)))))


def small(folder: Path, *, hidden: int, layers: int) -> Path:
    """A random Llama with the tests' tokenizer."""
    tiny.build(folder)
    torch.manual_seed(1)
    config = LlamaConfig.from_pretrained(folder)
    heads = {"num_attention_heads": hidden // 64, "num_key_value_heads": max(1, hidden // 128), "head_dim": 64}
    wide = {"hidden_size": hidden, "intermediate_size": hidden * 11 // 4, "num_hidden_layers": layers}
    config.update({**heads, **wide, "max_position_embeddings": 8192})
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


QWEN = {
    "0.5B": {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14},
    "1.5B": {"hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28, "num_attention_heads": 12},
}
"""The shapes of Qwen2.5; both have two key-value heads, 151,936 tokens and one table for both ends."""


def qwen(folder: Path, shape: str) -> Path:
    """Random weights in bfloat16, as hub models lie; the tests' tokenizer uses a few of its tokens only."""
    tiny.build(folder)
    ends = LlamaConfig.from_pretrained(folder)
    torch.manual_seed(1)
    named = {"vocab_size": 151936, "num_key_value_heads": 2, "tie_word_embeddings": True}
    config = Qwen2Config(**QWEN[shape], **named, eos_token_id=ends.eos_token_id, pad_token_id=ends.pad_token_id)
    Qwen2ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    return folder


def rows(kind: str, count: int, lengths: Lengths, seed: int = 1) -> list[Row]:
    """Demonstrations or pairs; a digit is a token, and the two sides of a pair are of the same length."""
    chance = random.Random(seed)
    return [_row(kind, lengths.drawn(chance), chance) for _ in range(count)]


def _row(kind: str, tokens: int, chance: random.Random) -> Row:
    answer = max(4, round(tokens * ANSWER))
    prompt = [{"role": "user", "content": _digits(tokens - answer, chance)}]
    told: dict[str, Any] = {"prompt": prompt, "weight": 1.0, "written": False}
    for side in ("completion",) if kind == "demonstrations" else ("chosen", "rejected"):
        told[side] = [{"role": "assistant", "content": _digits(answer, chance)}]
    return told


def _digits(count: int, chance: random.Random) -> str:
    return "".join(chance.choices("0123456789", k=count))
