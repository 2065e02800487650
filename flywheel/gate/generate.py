"""Answers of one model to the eval items, in a process of its own; scoring them is `flywheel.gate.scorers`."""

import json
from pathlib import Path

from flywheel.checkpoint import fingerprint
from flywheel.model import Decoding, answer, load_model, load_tokenizer
from flywheel.process import Job, Report, Result


def generate(job: Job, report: Report) -> Result:
    """One answer to each item; an item's draws are its own, and the same for every model."""
    folder = Path(job["model"])
    items = [item["item"] for item in job["items"]]
    answers = answer(
        load_model(folder),
        load_tokenizer(folder),
        [json.loads(item["prompt"]) for item in job["items"]],
        Decoding(**job["decoding"]),
        salts=items,
        progress=lambda done, of: report("answers", done=done, of=of),
    )
    return {"fingerprint": fingerprint(folder), "answers": dict(zip(items, answers, strict=True))}
