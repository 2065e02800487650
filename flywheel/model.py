"""Load a checkpoint and answer with it: the one place that generates, for the gate and for the playground's product.

Imports torch and transformers, so only stages in a process of their own import it. Sampling is seeded per prompt: the
same prompt and seed get the same answer in whatever batch they stand, and two models are compared on the same draws.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer, LogitsProcessorList

from flywheel.checkpoint import harmless, require_weights
from flywheel.decoding import Dropping, SeededDraws

Messages = list[dict[str, str]]
BATCH = 128


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How answers are sampled; part of an answer's identity."""

    temperature: float = 1.0
    max_new_tokens: int = 64
    seed: int = 0


class Answer(NamedTuple):
    """What a model said, and what it took: tokens with the one that ends it, and its own share of the batch's time."""

    text: str
    tokens_in: int
    tokens_out: int
    seconds: float


transformers.logging.disable_progress_bar()


def device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def load_tokenizer(folder: Path) -> Any:
    require_weights(folder)
    return AutoTokenizer.from_pretrained(folder, padding_side="left")


def load_model(folder: Path) -> Any:
    """Weights from safetensors only; nothing in the folder is run."""
    require_weights(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True, trust_remote_code=False)
    return model.to(device())  # pyright: ignore[reportArgumentType]


def plain(tokenizer: Any, messages: Messages) -> Messages:
    """The messages with a space inside every special token that somebody typed, so that it stays text.

    Many tokenizers name only a few of theirs in `all_special_tokens`; those that mark a role are special all the same.
    """
    added = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    control = dict.fromkeys([*tokenizer.all_special_tokens, *added])
    return [{**message, "content": harmless(message["content"], control)} for message in messages]


def answer(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Messages],
    decoding: Decoding,
    *,
    batch: int = BATCH,
    salts: Sequence[str] | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> list[str]:
    """The text of one answer to each prompt; `salts` give repeated prompts draws of their own."""
    found: dict[int, Answer] = {}
    for some in answers(model, tokenizer, prompts, decoding, batch=batch, salts=salts):
        found |= some
        progress(len(found), len(prompts))
    return [found[index].text for index in range(len(prompts))]


def answers(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Messages],
    decoding: Decoding,
    *,
    batch: int = BATCH,
    salts: Sequence[str] | None = None,
) -> Iterator[dict[int, Answer]]:
    """One answer to each prompt by its number, batch by batch as they are ready; prompts of like length together."""
    asked = rendered(tokenizer, prompts)
    tokens = tokenizer(asked, add_special_tokens=False)["input_ids"] if asked else []
    salts = salts or [""] * len(prompts)
    by_length = sorted(range(len(asked)), key=lambda index: len(tokens[index]))
    for start in range(0, len(by_length), batch):
        chosen = by_length[start : start + batch]
        seeds = [seed_of(asked[index], salts[index], decoding.seed) for index in chosen]
        found = _answer_batch(model, tokenizer, [tokens[index] for index in chosen], seeds, decoding)
        yield dict(zip(chosen, found, strict=True))


def rendered(tokenizer: Any, prompts: Sequence[Messages]) -> list[str]:
    """Each prompt as the text the model reads, up to where its answer begins."""
    return [
        tokenizer.apply_chat_template(plain(tokenizer, prompt), add_generation_prompt=True, tokenize=False)
        for prompt in prompts
    ]


def _answer_batch(
    model: Any, tokenizer: Any, prompts: list[list[int]], seeds: list[int], decoding: Decoding
) -> list[Answer]:
    draws = [SeededDraws(seeds, decoding.temperature)] if decoding.temperature > 0 else []
    stops = stop_tokens(model, tokenizer)
    padding = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else stops[0]
    loop = decoded(model, prompts, stops=stops, padding=padding, most=decoding.max_new_tokens, processors=draws)
    texts = tokenizer.batch_decode(loop.said, skip_special_tokens=True)
    told = zip(texts, prompts, loop.said, loop.seconds, strict=True)
    return [Answer(text.strip(), len(prompt), len(said), seconds) for text, prompt, said, seconds in told]


def decoded(
    model: Any, prompts: list[list[int]], *, stops: list[int], padding: int, most: int, processors: Sequence[Any]
) -> Dropping:
    """One batch of prompts as tokens, after its loop: what each row said and what it took."""
    lengths = [len(prompt) for prompt in prompts]
    width, loop = max(lengths), Dropping(lengths, processors)
    model.generate(
        input_ids=torch.tensor([[padding] * (width - len(prompt)) + prompt for prompt in prompts]).to(model.device),
        attention_mask=torch.tensor([[0] * (width - each) + [1] * each for each in lengths]).to(model.device),
        do_sample=False,
        max_new_tokens=most,
        logits_processor=LogitsProcessorList(processors),
        pad_token_id=padding,
        eos_token_id=stops,
        custom_generate=loop,
    )
    return loop


def stop_tokens(model: Any, tokenizer: Any) -> list[int]:
    """What ends an answer: the tokenizer's own end, and what the folder's generation settings add to it."""
    more = model.generation_config.eos_token_id
    named = [tokenizer.eos_token_id, *(more if isinstance(more, list) else [more])]
    return sorted({token for token in named if token is not None})


def seed_of(rendered: str, salt: str, seed: int) -> int:
    identity = json.dumps([rendered, salt, seed]).encode()
    return int.from_bytes(hashlib.sha256(identity).digest()[:7], "big")
