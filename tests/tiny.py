"""A random Llama and a byte-level tokenizer, made in a second, and toy rows it can learn; needs no network."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

END = "<|end|>"
TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana")
TOPICS = ("the invoice", "a parcel", "my order", "the refund", "a delay")


def build(folder: Path, *, template: str = TEMPLATE, seed: int = 0) -> Path:
    """A checkpoint folder that knows nothing; `seed` gives another one."""
    made = tokenizer(template)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(made),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=made.eos_token_id,
        pad_token_id=made.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    made.save_pretrained(folder)
    return folder


def prompt(index: int) -> str:
    """The JSON text of a conversation, another for each index."""
    request = f"{NAMES[index % len(NAMES)]} asks about {TOPICS[index // len(NAMES) % len(TOPICS)]} {index}"
    return json.dumps([{"role": "user", "content": request}])


def dataset_rows(kind: str, split: str, indexes: Iterable[int], **changed: Any) -> pl.DataFrame:
    """Rows of the dataset `d` of the workload `w`: people greet by name, the model only says no."""
    return pl.DataFrame(
        [
            {
                "workload": "w",
                "dataset": "d",
                "record": f"{kind}-{split}-{index:04}",
                "kind": kind,
                "split": split,
                "user": f"u{index % 7}",
                "conversation": f"c{index}",
                "slice": "unassigned",
                "prompt": prompt(index),
                "chosen": f"Hello {NAMES[index % len(NAMES)]}, yes of course.",
                "rejected": "No." if kind == "pair" else None,
                "trajectory": False,
                "weight": 1.0,
                "rule": "toy",
                "event_ids": [f"e{index}"],
                **changed,
            }
            for index in indexes
        ],
        schema_overrides={"rejected": pl.String},
    )


def tokenizer(template: str) -> PreTrainedTokenizerFast:
    """Bytes, a few words, and the special tokens of `TEMPLATE`."""
    byte_level = Tokenizer(models.BPE())
    byte_level.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    byte_level.decoder = decoders.ByteLevel()
    special = ["<|pad|>", END, "<|system|>", "<|user|>", "<|assistant|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    byte_level.train_from_iterator([*NAMES, *TOPICS, "asks about Hello, yes of course. No."] * 4, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=byte_level,
        pad_token="<|pad|>",
        eos_token=END,
        additional_special_tokens=special[2:],
        chat_template=template,
        model_max_length=512,
    )
