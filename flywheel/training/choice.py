"""Of the checkpoints that one training offers, the one that goes to the gate: choose first, then look.

The choice is made on the development rows, so that only one candidate of a training ever looks at the eval set. The
rule: the checkpoint kept so far stays until a later one is better beyond noise, so that a tie, or a difference that
chance would make, goes to the earlier one, which has moved less. Better beyond noise: the mean of the differences, row
by row, is greater than its own standard error (one row alone never is). A checkpoint that is no better than the start
yields to the first that is. The start itself is never kept: whether a candidate is worth anything is the gate's to say;
here it is only said that the development rows do not show it.

Of pairs and labels, people read the share told right, but what is compared is how surely each choice is foretold: a
share is full long before a model is. Only numbers belong here, no model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log1p, sqrt
from statistics import fmean, stdev
from typing import Literal

ENOUGH = 20
"""With fewer development rows there is nothing to choose by."""
Z = 1.96

Kind = Literal["pairs", "labels", "demonstrations"]


@dataclass(frozen=True)
class Measured:
    """A checkpoint on the development rows: one value a row to tell people, and one to compare checkpoints by."""

    kind: Kind
    shown: Sequence[float]
    compared: Sequence[float]

    @classmethod
    def choices(cls, kind: Kind, gains: Sequence[float], *, beta: float) -> "Measured":
        """From what each chosen side has gained on the rejected one since the start, in log-probability; of a label,
        from what a desirable answer has gained or an undesirable one lost.

        Shown: 1 for a gain, 0 for a loss, a tie one half. Compared: the log-probability that this model gives to the
        choice by DPO's own reading, where a choice that is surely wrong costs more than a sure one brings.
        """
        return cls(
            kind,
            [0.5 + 0.5 * ((gain > 0) - (gain < 0)) for gain in gains],
            [_log_sigmoid(beta * gain) for gain in gains],
        )

    @classmethod
    def demonstrations(cls, values: Sequence[float]) -> "Measured":
        """From the mean log-probability of a token of each text."""
        return cls("demonstrations", values, values)

    def told(self) -> dict[str, float]:
        """The number of rows, and their mean with its 95 % interval, by the names they have in metrics.

        Beside the share told right stands what is compared; a model that knows nothing foretells with log 1/2.
        """
        n, mean = len(self.shown), fmean(self.shown)
        if self.kind != "demonstrations":
            name, (low, high), more = "accuracy", wilson(mean, n), {"foretold": fmean(self.compared)}
        else:
            name, (low, high), more = "log_probability", _normal(self.shown), {}
        named = {self.kind: n, name: mean, f"{name}_low": low, f"{name}_high": high, **more}
        return {f"development/{name}": value for name, value in named.items()}

    def better_than(self, other: "Measured") -> bool:
        """Beyond noise, on the same rows."""
        gains = [mine - its for mine, its in zip(self.compared, other.compared, strict=True)]
        # A single row that differs is exactly one standard error; the factor keeps rounding from deciding.
        return fmean(gains) > 1.000001 * stdev(gains) / sqrt(len(gains))


def replaces(later: Measured, kept: Measured, start: Measured) -> bool:
    """Whether the later of two checkpoints takes the place of the one kept so far."""
    return later.better_than(kept) or (later.better_than(start) and not kept.better_than(start))


def wilson(share: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of n rows."""
    z2 = Z**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return centre - half, centre + half


def _normal(values: Sequence[float]) -> tuple[float, float]:
    mean, half = fmean(values), Z * stdev(values) / sqrt(len(values))
    return mean - half, mean + half


def _log_sigmoid(value: float) -> float:
    return -log1p(exp(-value)) if value > 0 else value - log1p(exp(value))
