"""The model the product starts with: a small Llama and its tokenizer, trained from nothing on old requests and answers.

Imports torch and transformers, so it runs in a process of its own. The old answers have each optional part at random,
whoever asked: there is something to learn from people. Cached by content: the texts and every knob decide it.
"""

import hashlib
import json
import math
import random
import shutil
from pathlib import Path
from typing import Any

import torch  # noqa: TID253
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast  # noqa: TID253

from flywheel.checkpoint import fingerprint
from flywheel.model import device
from flywheel.playground.talk import MEANING, WELCOME, objection, of_part, question, thanks
from flywheel.playground.texts import WRITINGS, Request, by_chance, compose, some_request
from flywheel.playground.world import SEGMENTS, Base, Playground, draws
from flywheel.process import Report, Result

VOCABULARY = 900
SPECIAL = ("<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>")
# The end of the turn stands inside the generation block: a model that is not trained on it never learns to stop.
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' }}"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] + '<|end|>' }}{% endgeneration %}"
    "{% else %}{{ message['content'] + '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
NOTE = "playground.json"

Example = tuple[list[dict[str, str]], str]


def base(world: Playground, out: Path, report: Report) -> Result:
    """Train the base model into `out`, unless it lies there already."""
    examples = old_answers(world.base)
    decided_by = _digest(world.base, examples)
    if _complete(out, decided_by):
        return {"path": str(out), "fingerprint": fingerprint(out), "cached": True}
    half = out.with_name(out.name + ".half")
    shutil.rmtree(half, ignore_errors=True)
    tokenizer = make_tokenizer(examples)
    model = train(world.base, tokenizer, examples, report)
    model.save_pretrained(half)
    tokenizer.save_pretrained(half)
    note = {"decided_by": decided_by, "fingerprint": fingerprint(half)}
    (half / NOTE).write_text(json.dumps(note))
    shutil.rmtree(out, ignore_errors=True)
    half.replace(out)
    return {"path": str(out), "fingerprint": note["fingerprint"], "cached": False}


def old_answers(knobs: Base) -> list[Example]:
    """Requests of every workload and segment with answers put together by chance, and what some people said next."""
    chance, later = draws("old answers", knobs.seed), draws("old talks", knobs.seed)
    workloads = list(WRITINGS)
    examples = []
    for number in range(knobs.examples):
        request = some_request(workloads[number % len(workloads)], chance.choice(SEGMENTS), chance)
        first = by_chance(request, chance)
        examples.append((request.prompt(), compose(request, first)))
        if later.random() < knobs.talks:
            examples.append(_second(request, first, later))
    return examples


def _second(request: Request, first: frozenset[str], chance: random.Random) -> Example:
    """What somebody wrote after an answer, and the next one: what was missing is put in, what was too much goes."""
    part = chance.choice([part.name for part in request.writing.parts])
    corrected = of_part(request, first, part, chance)
    said, answer = chance.choices(
        [
            (corrected.text, compose(request, corrected.parts or ())),
            (objection(chance).text, compose(request, by_chance(request, chance))),
            (question(request, chance).text, request.fill(MEANING)),
            (thanks(chance).text, WELCOME),
        ],
        [6, 2, 1, 1],
    )[0]
    return [*request.prompt(), {"role": "user", "content": said}], answer


def make_tokenizer(examples: list[Example]) -> PreTrainedTokenizerFast:
    """Byte-level BPE of the texts. A name and each half of an order number are one token: easy to copy."""
    tokens = Tokenizer(models.BPE())
    tokens.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(r"\d{3}|\d{2}"), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokens.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [text for prompt, answer in examples for text in (*(message["content"] for message in prompt), answer)]
    tokens.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokens, pad_token="<|pad|>", eos_token="<|end|>", additional_special_tokens=list(SPECIAL[2:])
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def train(knobs: Base, tokenizer: Any, examples: list[Example], report: Report) -> LlamaForCausalLM:
    """Next-token loss on the answers only, AdamW with a short warm-up and a cosine."""
    torch.manual_seed(knobs.seed)
    model = LlamaForCausalLM(_config(knobs, tokenizer))
    model.to(device()).train()  # pyright: ignore[reportArgumentType]
    rows = [_row(tokenizer, prompt, answer) for prompt, answer in examples]
    chance = draws("order", knobs.seed)
    batches = [batch for _ in range(knobs.epochs) for batch in _batches(rows, knobs.batch, chance)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=knobs.learning_rate, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _height(step, len(batches)))
    for step, batch in enumerate(batches, 1):
        loss = _loss(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 50 == 0 or step == len(batches):
            report("training the base model", done=step, of=len(batches), loss=loss.item())
    return model.eval()


def _config(knobs: Base, tokenizer: Any) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=knobs.hidden,
        intermediate_size=knobs.hidden * 11 // 4,
        num_hidden_layers=knobs.layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _row(tokenizer: Any, prompt: list[dict[str, str]], answer: str) -> tuple[list[int], int]:
    """The tokens of prompt and answer, and where the answer begins."""
    asked = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False)
    begins = len(tokenizer(asked)["input_ids"])
    return tokenizer(asked + answer + tokenizer.eos_token)["input_ids"], begins


def _batches(rows: list[tuple[list[int], int]], size: int, chance: random.Random) -> list[list[tuple[list[int], int]]]:
    """All rows once, in random order. Rows of like length kept together would save a third and learn far worse."""
    mixed = chance.sample(rows, len(rows))
    return [mixed[start : start + size] for start in range(0, len(mixed), size)]


def _loss(model: LlamaForCausalLM, batch: list[tuple[list[int], int]]) -> torch.Tensor:
    width = max(len(tokens) for tokens, _ in batch)
    pad = model.config.pad_token_id
    inputs = torch.tensor([tokens + [pad] * (width - len(tokens)) for tokens, _ in batch])
    learned = [[-100] * begins + tokens[begins:] + [-100] * (width - len(tokens)) for tokens, begins in batch]
    attention = torch.tensor([[1] * len(tokens) + [0] * (width - len(tokens)) for tokens, _ in batch])
    inputs, attention, labels = (each.to(model.device) for each in (inputs, attention, torch.tensor(learned)))
    return model(input_ids=inputs, attention_mask=attention, labels=labels).loss


def _height(step: int, steps: int) -> float:
    """The learning rate as a share of its peak."""
    return min((step + 1) / 20, 0.5 * (1 + math.cos(math.pi * step / steps)))


def _digest(knobs: Base, examples: list[Example]) -> str:
    deciding = [knobs.model_dump(), VOCABULARY, SPECIAL, TEMPLATE, examples]
    return hashlib.sha256(json.dumps(deciding).encode()).hexdigest()


def _complete(out: Path, decided_by: str) -> bool:
    try:
        note = json.loads((out / NOTE).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return False
    return note == {"decided_by": decided_by, "fingerprint": fingerprint(out)}
