"""Asking a local model what follow-ups mean, in a process of its own: torch is loaded there and nowhere else.

Greedy, so that the same follow-up gets the same reading. The job lies in a folder that only its owner can read and
that is gone afterwards: it holds what people wrote.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from flywheel import process
from flywheel.checkpoint import locate
from flywheel.process import Job, Report, Result
from flywheel.settings import Classifier

MOST_TOKENS = 40


def asking(classifier: Classifier, home: Path) -> Callable[[Sequence[list[dict[str, str]]]], list[str]]:
    """A function that gives the model's reply to each list of messages, in order."""

    def ask(asked: Sequence[list[dict[str, str]]]) -> list[str]:
        folder = locate(classifier.model.format(home=home))
        with tempfile.TemporaryDirectory(prefix="flywheel-classify-") as made:
            return process.run("signals", Path(made), {"model": str(folder), "prompts": list(asked)})["replies"]

    return ask


def work(job: Job, report: Report) -> Result:
    """The child's side: one reply to each prompt."""
    from flywheel.model import Decoding, answer, load_model, load_tokenizer  # loads torch

    folder = Path(job["model"])
    decoding = Decoding(temperature=0, max_new_tokens=MOST_TOKENS)
    replies = answer(
        load_model(folder),
        load_tokenizer(folder),
        job["prompts"],
        decoding,
        batch=16,
        progress=lambda done, of: report("follow-ups read", done=done, of=of),
    )
    return {"replies": replies}
