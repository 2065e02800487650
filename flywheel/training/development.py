"""What a model makes of the development rows, asked of it while it is in a trainer's hands.

The model is the one that trains, in place: no second one is loaded, and nothing of it is changed. What follows from the
numbers belongs in `choice`.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch

from flywheel.errors import TrainingFailed
from flywheel.settings import Recipe
from flywheel.training.choice import ENOUGH, Kind, Measured
from flywheel.training.masks import Said
from flywheel.training.phases import Phase
from flywheel.training.rows import Row, Rows
from flywheel.training.trainer import Coder


class Development:
    """The development rows of a training, as tokens, when they are `enough` to choose by.

    Labels measure a training on labels, and pairs any other, wherever there are any. Demonstrations measure a training
    of nothing else: DPO makes every text less probable, the chosen one too, so they would only ever speak against it.
    """

    def __init__(self, phases: Sequence[Phase], rows: Rows, coder: Coder, recipe: Recipe) -> None:
        self.kind: Kind = _kind(phases, rows)
        self.reward = "reward" in phases
        found: list[Row] = getattr(rows, f"development_{self.kind}")
        self.rows, self.enough = len(found), len(found) >= ENOUGH
        self.signs = [1 if row.get("label", True) else -1 for row in found]
        sides = ("chosen", "rejected") if self.kind == "pairs" else ("completion",)
        self.texts = [coder.said(row, side) for side in sides for row in found] if self.enough else []
        self.pad, self.batch, self.beta = coder.tokenizer.pad_token_id, recipe.dpo.batch, recipe.beta
        self.before: list[float] = []

    def start(self, model: Any) -> Measured:
        """Of the model that training starts from, against which the others are measured."""
        self.before = self._values(model)
        return self._against(self.before)

    def measured(self, model: Any) -> Measured:
        return self._against(self._values(model))

    def _against(self, values: list[float]) -> Measured:
        if self.kind == "demonstrations":
            return Measured.demonstrations(values)
        if self.reward:  # it says itself which is better; what it said before it learned means nothing
            return Measured.choices(self.kind, values, beta=1)
        gains = [now - before for now, before in zip(values, self.before, strict=True)]
        return Measured.choices(self.kind, gains, beta=self.beta)

    def _values(self, model: Any) -> list[float]:
        """Of a demonstration, a token's mean log-probability; of a pair, by how much the chosen side leads; of a label,
        the answer's log-probability, or less of it where the answer is undesirable.
        """
        found = self._told(model)
        if self.kind == "demonstrations":
            return [value / sum(text.learned) for value, text in zip(found, self.texts, strict=True)]
        if self.kind == "labels":
            return [sign * value for sign, value in zip(self.signs, found, strict=True)]
        return [chosen - rejected for chosen, rejected in zip(found[: self.rows], found[self.rows :], strict=True)]

    @torch.no_grad()
    def _told(self, model: Any) -> list[float]:
        """Of each answer as a whole its log-probability, or its reward; similar lengths share a batch."""
        training, values = model.training, [0.0] * len(self.texts)
        model.eval()
        by_length = sorted(range(len(self.texts)), key=lambda index: len(self.texts[index].tokens))
        for first in range(0, len(by_length), self.batch):
            chosen = by_length[first : first + self.batch]
            batch = self._batch([self.texts[index] for index in chosen], model.device)
            found = self._asked(model, batch)
            for index, value in zip(chosen, found.tolist(), strict=True):
                values[index] = value
        model.train(training)
        return _finite(values)

    def _asked(self, model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        if self.reward:
            return model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, 0]
        return model(**batch, fused_lm_head=True).log_probs.sum(dim=1)  # TRL's: never all logits at once

    def _batch(self, texts: list[Said], device: Any) -> dict[str, torch.Tensor]:
        shape = (len(texts), max(len(text.tokens) for text in texts))
        tokens, labels, seen = torch.full(shape, self.pad), torch.full(shape, -100), torch.zeros(shape).long()
        for row, text in enumerate(texts):
            length = len(text.tokens)
            tokens[row, :length], labels[row, :length] = torch.tensor(text.tokens), torch.tensor(text.labels)
            seen[row, :length] = 1
        return {"input_ids": tokens.to(device), "labels": labels.to(device), "attention_mask": seen.to(device)}


def _kind(phases: Sequence[Phase], rows: Rows) -> Kind:
    if "kto" in phases and "dpo" not in phases:
        return "labels"
    return "pairs" if rows.pairs or rows.development_pairs else "demonstrations"


def _finite(values: list[float]) -> list[float]:
    if not all(map(math.isfinite, values)):
        raise TrainingFailed(
            "the log-probability of a development row is not a number",
            seen=next(value for value in values if not math.isfinite(value)),
            do="check the model that training starts from, or lower the recipe's learning rates",
        )
    return values
