"""How much a row counts in the loss: what our trainers add to TRL's, which know no such column.

A row's weight is its share of an optimizer step, however the step is cut into micro-batches and ranks. TRL takes means;
so the weights of a step are brought to a mean of one before any of it is learned from, and a trainer then needs no more
than a product. Where all weights are equal they are ones, and the loss is TRL's own.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from transformers import Trainer

Batch = dict[str, Any]


class Carrying:
    """A collator of TRL's that takes numbers of ours along."""

    def __init__(self, collator: Callable[..., Batch], names: tuple[str, ...]) -> None:
        self.collator, self.names = collator, names

    def __call__(self, examples: list[dict[str, Any]]) -> Batch:
        batch = self.collator(examples)
        return batch | {name: torch.tensor([float(example[name]) for example in examples]) for name in self.names}


def answered(outputs: Any) -> Any:
    """What stands in for a model that has answered already, so that TRL's numbers come of the same forward pass."""
    return lambda **_: outputs


class Weighted(Trainer):
    """In front of a TRL trainer that takes the mean over rows: its batches carry `weight` for a product with each."""

    carried: tuple[str, ...] = ("weight",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.data_collator = Carrying(self.data_collator, self.carried)
        self._set_signature_columns_if_needed()
        self._signature_columns = [*(self._signature_columns or []), *self.carried]

    def get_batch_samples(self, epoch_iterator: Iterator[Batch], num_batches: int, device: torch.device) -> Any:
        """All micro-batches of one step; with them comes what TRL's loss divides by, where it divides by anything."""
        batches, items = super().get_batch_samples(epoch_iterator, num_batches, device)
        return batches, self._weigh(batches) if batches else items

    def _weigh(self, batches: list[Batch]) -> torch.Tensor | None:
        """The mean over a micro-batch's rows, then over micro-batches and ranks, becomes the step's weighted mean."""
        whole = self._in_all(sum(batch["weight"].sum() for batch in batches))
        for batch in batches:
            parts = len(batch["weight"]) * len(batches) * self.accelerator.num_processes
            batch["weight"] = batch["weight"] * parts / whole
        return None

    def _in_all(self, amount: Any) -> torch.Tensor:
        """Over all ranks; never nothing, for it is divided by."""
        whole: Any = self.accelerator.reduce(amount, reduction="sum")
        return whole.clamp(min=1e-12)
