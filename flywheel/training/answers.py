"""How long a model's answers are while it trains: greedy answers to a few development prompts, counted in tokens.

The model is the one that trains, in place; nothing of it is changed. What follows from the lengths belongs in `rules`.
"""

import json
from typing import Any

from flywheel.model import decoded, stop_tokens
from flywheel.training.rows import Row, Rows
from flywheel.training.rules import growth
from flywheel.training.trainer import Coder

MOST = 16
"""Prompts that are asked: it is done after every epoch."""
LEAST = 8
"""With fewer there is nothing to tell."""
ROOM = 2
"""An answer is followed to this many times the longest that people chose."""


class Answers:
    """To the first development prompts; none where they are too few to tell anything."""

    def __init__(self, rows: Rows, coder: Coder) -> None:
        self.tokenizer = coder.tokenizer
        asked = _first([*rows.development_pairs, *rows.development_demonstrations])
        said = [coder.said(row, "chosen" if "chosen" in row else "completion") for row in asked]
        self.prompts = [one.tokens[: one.learned.index(True)] for one in said]
        self.chosen = [sum(one.learned) for one in said]
        self.enough = len(self.prompts) >= LEAST

    def lengths(self, model: Any) -> list[int]:
        """Of each answer, in tokens; one that does not end counts as far as it was followed."""
        training = model.training
        model.eval()
        most, padding = ROOM * max(self.chosen), self.tokenizer.pad_token_id
        stops = stop_tokens(model, self.tokenizer)
        said = decoded(model, self.prompts, stops=stops, padding=padding, most=most, processors=[]).said
        model.train(training)
        return [len(answer) for answer in said]

    def told(self, now: list[int], start: list[int]) -> dict[str, Any]:
        """By the names they have in the curve: what is allowed is the longer of what was and what people chose."""
        allowed = [max(was, chosen) for was, chosen in zip(start, self.chosen, strict=True)]
        ratio, low = growth(now, allowed)
        mean = sum(now) / len(now)
        return {"answers": len(now), "answers/tokens": mean, "answers/growth": ratio, "answers/growth_low": low}


def _first(rows: list[Row]) -> list[Row]:
    """One row of each prompt, as many as are asked."""
    by_prompt = {json.dumps(row["prompt"]): row for row in reversed(rows)}
    return list(reversed(by_prompt.values()))[:MOST]
