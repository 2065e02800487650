"""A judge of our own: a local model, asked in a process of its own. Greedy, so that it says the same of the same.

The job lies in a folder that only its owner can read and that is gone afterwards: it holds what people wrote.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from flywheel.gate.scorers.judge import MAX_TOKENS, Ask, Messages
from flywheel.process import Job, Report, Result


class Reply(NamedTuple):
    """What it said; tokens of our own machine cost no budget."""

    text: str
    tokens_in: int | None = None
    tokens_out: int | None = None


def asking(model: Path, run: Callable[[str, Path, Job], Result]) -> Ask:
    """A function that gives the model's reply to each list of messages, in order."""

    def ask(asked: Sequence[Messages]) -> list[Reply]:
        with tempfile.TemporaryDirectory(prefix="flywheel-judge-") as made:
            told = run("gate", Path(made), {"work": "replies", "model": str(model), "prompts": list(asked)})
        return [Reply(text) for text in told["replies"]]

    return ask


def work(job: Job, report: Report) -> Result:
    """The child's side: one reply to each prompt."""
    from flywheel.model import Decoding, answer, load_model, load_tokenizer  # loads torch

    folder = Path(job["model"])
    replies = answer(
        load_model(folder),
        load_tokenizer(folder),
        job["prompts"],
        Decoding(temperature=0, max_new_tokens=MAX_TOKENS),
        batch=16,
        progress=lambda done, of: report("judged", done=done, of=of),
    )
    return {"replies": replies}
