"""Does the model prefer what the user sent to what they were given? 1 yes, 0 no, by its own probabilities.

Of each item whose logged answer the user changed: the mean log-probability of a token of the sent text (its end
included), against that of the logged answer. An item that was sent as it was says nothing and has no row. The child's
side loads torch; the parent's side does not. A model behind an endpoint shows no probabilities.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from flywheel.gate.scorers.rows import Hole, Row, Score
from flywheel.gate.scorers.sent import words
from flywheel.process import Job, Report, Result

LOGITS = 2**28
"""Probabilities that are held at once: a gigabyte in single precision."""
BATCH = 32


def changed(items: pl.DataFrame, logged: dict[str, str]) -> pl.DataFrame:
    """The items this scorer speaks of, with the logged answer's text; `logged` is by the id of the answer."""
    told = items.with_columns(logged=pl.col("answer").replace_strict(logged, default=None, return_dtype=pl.String))
    edited = [
        text is not None and words(text) != words(sent) for text, sent in told.select("logged", "reference").iter_rows()
    ]
    return told.filter(pl.Series(edited, dtype=pl.Boolean))


def job(model: Path, items: list[Row]) -> Job:
    """What the child is asked."""
    asked = [
        {"item": row["item"], "prompt": row["prompt"], "texts": [row["reference"], row["logged"]]} for row in items
    ]
    return {"work": "preference", "model": str(model), "items": asked}


def found(result: Result) -> dict[str, Score | Hole]:
    """What the child told, item by item."""
    return {item: _preferred(*told) for item, told in result["told"].items()}


def _preferred(sent: float | str, logged: float | str) -> Score | Hole:
    """A reason in place of a number is a hole."""
    if isinstance(sent, str) or isinstance(logged, str):
        return Hole(f"sent: {sent}; as logged: {logged}")
    return Score(0.5 + 0.5 * ((sent > logged) - (sent < logged)), f"{sent:.3f} sent, {logged:.3f} as logged")


def work(asked: Job, report: Report) -> Result:
    """The child's side: of each text the mean log-probability of its tokens, or why there is none."""
    import json

    from flywheel.model import load_model, load_tokenizer, plain  # loads torch

    model, tokenizer = load_model(Path(asked["model"])), load_tokenizer(Path(asked["model"]))
    pairs = []
    for item in asked["items"]:
        prompt = plain(tokenizer, json.loads(item["prompt"]))
        opened = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False)
        before = tokenizer(opened, add_special_tokens=False)["input_ids"]
        for text in item["texts"]:
            [typed] = plain(tokenizer, [{"role": "assistant", "content": text}])
            after = tokenizer(typed["content"], add_special_tokens=False)["input_ids"]
            pairs.append((before, [*after, tokenizer.eos_token_id]))
    told = _likelihoods(model, tokenizer.pad_token_id or 0, pairs, report)
    return {"told": {item["item"]: told[2 * at : 2 * at + 2] for at, item in enumerate(asked["items"])}}


def _likelihoods(
    model: Any, pad: int, pairs: Sequence[tuple[list[int], list[int]]], report: Report
) -> list[float | str]:
    """Of each (prompt, text) in tokens: the text's mean log-probability, or why there is none."""
    import torch

    model.eval()
    most = getattr(model.config, "max_position_embeddings", None) or 10**9
    told: list[float | str] = [f"{len(a) + len(b)} tokens, the model reads {most}" for a, b in pairs]
    left = sorted(
        (at for at, (a, b) in enumerate(pairs) if len(a) + len(b) <= most), key=lambda at: sum(map(len, pairs[at]))
    )
    while left:
        keep = max(len(pairs[at][1]) for at in left[:BATCH])
        size = max(1, min(BATCH, LOGITS // ((keep + 1) * model.config.vocab_size)))
        chosen, left = left[:size], left[size:]
        with torch.inference_mode():
            for at, value in zip(chosen, _batch(model, pad, [pairs[at] for at in chosen]), strict=True):
                told[at] = value if value == value else "the model's probability is no number"
        report("texts read", done=len(pairs) - len(left), of=len(pairs))
    return told


def _batch(model: Any, pad: int, pairs: Sequence[tuple[list[int], list[int]]]) -> list[float]:
    """Padded on the left, so that only the logits of the texts are made."""
    import torch

    width, keep = max(len(a) + len(b) for a, b in pairs), max(len(b) for _, b in pairs)
    rows = [[pad] * (width - len(a) - len(b)) + a + b for a, b in pairs]
    mask = [[0] * (width - len(a) - len(b)) + [1] * (len(a) + len(b)) for a, b in pairs]
    tokens, seen = (torch.tensor(each, device=model.device) for each in (rows, mask))
    positions = (seen.cumsum(-1) - 1).clamp_min(0)
    logits = model(input_ids=tokens, attention_mask=seen, position_ids=positions, logits_to_keep=keep + 1).logits
    chances = logits[:, :-1].float().log_softmax(-1)
    each = chances.gather(-1, tokens[:, -keep:].unsqueeze(-1)).squeeze(-1)
    return [float(row[keep - len(b) :].mean()) for row, (_, b) in zip(each, pairs, strict=True)]
