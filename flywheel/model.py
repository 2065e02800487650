"""Load a checkpoint and answer with it: the one place that generates, for the gate and for the playground's product.

Imports torch and transformers, so only stages in a process of their own import it. Sampling is seeded per prompt: the
same prompt and seed get the same answer in whatever batch they stand, and two models are compared on the same draws.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer, LogitsProcessor, LogitsProcessorList

Messages = list[dict[str, str]]


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How answers are sampled; part of an answer's identity."""

    temperature: float = 1.0
    max_new_tokens: int = 64
    seed: int = 0

    def name(self) -> str:
        return f"t{self.temperature:g}-n{self.max_new_tokens}-s{self.seed}"


transformers.logging.disable_progress_bar()


def device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def load_tokenizer(folder: Path) -> Any:
    return AutoTokenizer.from_pretrained(folder, padding_side="left")


def load_model(folder: Path) -> Any:
    """Weights from safetensors only; nothing in the folder is run."""
    model = AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True, trust_remote_code=False)
    return model.to(device())  # pyright: ignore[reportArgumentType]


def plain(tokenizer: Any, messages: Messages) -> Messages:
    """The messages with a space inside every special token that somebody typed, so that it stays text."""
    special = [token for token in tokenizer.all_special_tokens if len(token) > 1]

    def typed(text: str) -> str:
        for token in special:
            text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    return [{**message, "content": typed(message["content"])} for message in messages]


def answer(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Messages],
    decoding: Decoding,
    *,
    batch: int = 128,
    salts: Sequence[str] | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> list[str]:
    """One answer to each prompt; `salts` give repeated prompts draws of their own."""
    typed = [plain(tokenizer, prompt) for prompt in prompts]
    rendered = [tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False) for prompt in typed]
    salts = salts or [""] * len(prompts)
    by_length = sorted(range(len(prompts)), key=lambda index: len(rendered[index]))
    answers = [""] * len(prompts)
    for start in range(0, len(by_length), batch):
        chosen = by_length[start : start + batch]
        seeds = [_seed(rendered[index], salts[index], decoding.seed) for index in chosen]
        texts = _answer_batch(model, tokenizer, [rendered[index] for index in chosen], seeds, decoding)
        for index, text in zip(chosen, texts, strict=True):
            answers[index] = text
        progress(min(start + batch, len(prompts)), len(prompts))
    return answers


@torch.inference_mode()
def _answer_batch(model: Any, tokenizer: Any, rendered: list[str], seeds: list[int], decoding: Decoding) -> list[str]:
    encoded = tokenizer(rendered, return_tensors="pt", padding=True, add_special_tokens=False).to(model.device)
    encoded.pop("token_type_ids", None)
    draws = [SeededDraws(seeds, decoding.temperature)] if decoding.temperature > 0 else []
    tokens = model.generate(
        **encoded,
        do_sample=False,
        max_new_tokens=decoding.max_new_tokens,
        logits_processor=LogitsProcessorList(draws),
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    answered = tokens[:, encoded["input_ids"].shape[1] :]
    return [text.strip() for text in tokenizer.batch_decode(answered, skip_special_tokens=True)]


class SeededDraws(LogitsProcessor):
    """Sampling as an argmax: logits over temperature plus Gumbel noise that belongs to the row, not to the batch."""

    def __init__(self, seeds: Sequence[int], temperature: float) -> None:
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.temperature = temperature

    def __call__(self, input_ids: Any, scores: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        uniform = torch.stack([torch.rand(scores.shape[-1], generator=each) for each in self.generators])
        noise = -torch.log((-torch.log(uniform.clamp_min(1e-20))).clamp_min(1e-20))
        return scores.float() / self.temperature + noise.to(scores.device)


def _seed(rendered: str, salt: str, seed: int) -> int:
    identity = json.dumps([rendered, salt, seed]).encode()
    return int.from_bytes(hashlib.sha256(identity).digest()[:7], "big")
