"""Batches that drop what has ended say what `generate()` says, row by row, and nothing depends on the neighbours."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    LogitsProcessorList,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3NextConfig,
    Qwen3NextForCausalLM,
)

from flywheel.decoding import SeededDraws
from flywheel.model import Answer, Decoding, answer, answers, load_model, load_tokenizer, rendered, seed_of
from tests import tiny

PROMPTS = [[*json.loads(tiny.prompt(n)), {"role": "user", "content": "word " * (7 * n % 23)}] for n in range(12)]
SIZES: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "tie_word_embeddings": False,
    "initializer_range": 0.2,
}
RECURRENT: dict[str, Any] = {
    "layer_types": ["linear_attention", "full_attention"],
    "linear_num_value_heads": 2,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
    "head_dim": 16,
    "num_experts": 2,
    "num_experts_per_tok": 1,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 32,
}
KINDS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "llama": (LlamaForCausalLM, LlamaConfig, {}),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config, {}),
    "sliding window": (MistralForCausalLM, MistralConfig, {"sliding_window": 16}),
    "recurrent layers": (Qwen3NextForCausalLM, Qwen3NextConfig, RECURRENT),
}


def lively(kind: str, folder: Path, **generation: Any) -> Path:
    """A random model whose answers end early or late: the token that ends them is likely, and prompts matter."""
    built, config, more = KINDS[kind]
    tokenizer = load_tokenizer(tiny.build(folder))
    torch.manual_seed(1)
    named = {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    made = built(config(vocab_size=len(tokenizer), **SIZES, **more, **named))
    with torch.no_grad():
        made.lm_head.weight[tokenizer.eos_token_id] *= 1.6
    made.generation_config.update(**generation)
    made.save_pretrained(folder)
    return folder


def in_order(folder: Path, how: Decoding, batch: int) -> list[str]:
    """The peer: `generate()` in static batches in the order of arrival."""
    it, tokenizer = load_model(folder), load_tokenizer(folder)
    texts: list[str] = []
    asked = rendered(tokenizer, PROMPTS)
    for start in range(0, len(asked), batch):
        some = asked[start : start + batch]
        encoded = tokenizer(some, return_tensors="pt", padding=True, add_special_tokens=False)
        draws = [SeededDraws([seed_of(text, "", how.seed) for text in some], how.temperature)]
        said = it.generate(
            input_ids=encoded["input_ids"],
            attention_mask=encoded["attention_mask"],
            do_sample=False,
            max_new_tokens=how.max_new_tokens,
            logits_processor=LogitsProcessorList(draws if how.temperature else []),
        )
        said = said[:, encoded["input_ids"].shape[1] :]
        texts += [text.strip() for text in tokenizer.batch_decode(said, skip_special_tokens=True)]
    return texts


def all_answers(folder: Path, how: Decoding, prompts: Sequence[Any] = PROMPTS, batch: int = 8) -> list[Answer]:
    found: dict[int, Answer] = {}
    for some in answers(load_model(folder), load_tokenizer(folder), prompts, how, batch=batch):
        found |= some
    return [found[number] for number in range(len(prompts))]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("kind", KINDS)
def test_it_says_what_generate_says(kind: str, temperature: float, tmp_path: Path) -> None:
    folder, how = lively(kind, tmp_path), Decoding(temperature=temperature, max_new_tokens=24)
    found = all_answers(folder, how)
    assert [one.text for one in found] == in_order(folder, how, 5)
    assert len({one.tokens_out for one in found}) > 1  # else nothing was dropped while others went on


def test_the_folder_s_own_penalty_is_obeyed_as_generate_does(tmp_path: Path) -> None:
    folder, how = lively("llama", tmp_path, repetition_penalty=1.8), Decoding(temperature=0, max_new_tokens=24)
    found = [one.text for one in all_answers(folder, how)]
    assert found == in_order(folder, how, 5)
    assert found != [one.text for one in all_answers(lively("llama", tmp_path / "other"), how)]


@pytest.mark.parametrize(("kind", "cut"), [("llama", True), ("sliding window", True), ("recurrent layers", False)])
def test_rows_leave_the_batch_where_the_cache_can_be_cut_and_stay_where_it_cannot(
    kind: str, cut: bool, tmp_path: Path
) -> None:
    it, sizes = load_model(lively(kind, tmp_path)), list[int]()
    it.register_forward_pre_hook(lambda _, __, given: sizes.append(len(given["input_ids"])), with_kwargs=True)
    [found] = answers(it, load_tokenizer(tmp_path), PROMPTS, Decoding(temperature=0, max_new_tokens=24))
    assert sizes[0] == len(PROMPTS)
    assert (sizes[-1] < len(PROMPTS)) is cut
    assert len(sizes) == max(one.tokens_out for one in found.values())


def test_a_batch_s_time_is_divided_among_its_answers_and_none_is_lost(tmp_path: Path) -> None:
    folder = lively("llama", tmp_path)
    began = time.perf_counter()
    found = all_answers(folder, Decoding(temperature=0, max_new_tokens=24))
    assert 0 < sum(one.seconds for one in found) <= time.perf_counter() - began
    longest, shortest = max(found, key=lambda one: one.tokens_out), min(found, key=lambda one: one.tokens_out)
    assert longest.seconds > shortest.seconds > 0


def test_tokens_are_counted_as_the_tokenizer_counts_them(tmp_path: Path) -> None:
    folder = lively("llama", tmp_path)
    tokenizer = load_tokenizer(folder)
    found = all_answers(folder, Decoding(temperature=0, max_new_tokens=24))
    asked = [len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in rendered(tokenizer, PROMPTS)]
    assert [one.tokens_in for one in found] == asked
    assert all(1 <= one.tokens_out <= 24 for one in found)


def test_every_end_that_the_folder_names_ends_an_answer(tmp_path: Path) -> None:
    folder = tiny.build(tmp_path)
    it, tokenizer = load_model(folder), load_tokenizer(folder)
    first = all_answers(folder, Decoding(temperature=0, max_new_tokens=3))[0]
    said = tokenizer(first.text, add_special_tokens=False)["input_ids"] or [4]
    it.generation_config.eos_token_id = [tokenizer.eos_token_id, 4, *said]
    [found] = answers(it, tokenizer, PROMPTS[:1], Decoding(temperature=0, max_new_tokens=3))
    assert found[0].tokens_out == 1


def test_nothing_asked_is_nothing_answered(tiny_model: Path) -> None:
    assert answer(load_model(tiny_model), load_tokenizer(tiny_model), [], Decoding()) == []
