"""A reward model's number for each answer: a sequence classifier with one label reads the prompt and the answer.

The child's side loads torch; the parent's side does not.
"""

import json
from pathlib import Path

from flywheel.errors import BadInput
from flywheel.gate.scorers.rows import Hole, Row, Score
from flywheel.process import Job, Report, Result

BATCH = 16


def job(model: Path, items: list[Row], texts: dict[str, str]) -> Job:
    """What the child is asked: only items with an answer."""
    asked = [{"item": row["item"], "prompt": row["prompt"], "text": texts[row["item"]]} for row in items]
    return {"work": "reward", "model": str(model), "items": asked}


def found(result: Result) -> dict[str, Score | Hole]:
    """What the child told, item by item."""
    return {item: Hole(told) if isinstance(told, str) else Score(told) for item, told in result["told"].items()}


def work(asked: Job, report: Report) -> Result:
    """The child's side: a number for each answer, or why there is none."""
    import torch
    from transformers import AutoModelForSequenceClassification

    from flywheel.model import device, load_tokenizer, plain

    folder = Path(asked["model"])
    tokenizer = load_tokenizer(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, use_safetensors=True, trust_remote_code=False)
    model = model.to(device()).eval()
    if model.config.num_labels != 1 or not tokenizer.chat_template:
        seen = f"{model.config.num_labels} labels, {'a' if tokenizer.chat_template else 'no'} chat template"
        allowed = "one label and a chat template, as TRL's reward trainer saves them"
        raise BadInput("this is no reward model", seen=seen, allowed=allowed, do="mend `model` of that scorer")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.config.pad_token_id = tokenizer.pad_token_id
    talks = [
        plain(tokenizer, [*json.loads(item["prompt"]), {"role": "assistant", "content": item["text"]}])
        for item in asked["items"]
    ]
    read = [tokenizer(tokenizer.apply_chat_template(talk, tokenize=False), add_special_tokens=False) for talk in talks]
    most = getattr(model.config, "max_position_embeddings", None) or 10**9
    told: dict[str, float | str] = {}
    order = sorted(range(len(read)), key=lambda at: len(read[at]["input_ids"]))
    for start in range(0, len(order), BATCH):
        chosen = [at for at in order[start : start + BATCH] if len(read[at]["input_ids"]) <= most]
        if chosen:
            batch = tokenizer.pad([read[at] for at in chosen], return_tensors="pt").to(model.device)
            batch.pop("token_type_ids", None)
            with torch.inference_mode():
                numbers = model(**batch).logits[:, 0].float().tolist()
            told |= {asked["items"][at]["item"]: number for at, number in zip(chosen, numbers, strict=True)}
        report("answers read", done=min(start + BATCH, len(order)), of=len(order))
    for at in order:
        told.setdefault(asked["items"][at]["item"], f"{len(read[at]['input_ids'])} tokens, the model reads {most}")
    return {"told": told}
