"""A share or a mean over items, and how sure we are of it: items of one user are alike, so users are what is counted.

What is counted belongs in `costs` and `routes`; the gain that decides, with what its look may spend, in `compare`.
"""

from typing import NamedTuple

import numpy as np

LEVEL = 0.95
"""Of all intervals here, two-sided; they are for people and for routes, and spend nothing of the gate's alpha."""
FEWEST = 20
"""With fewer users a mean or a ratio has no interval: with 10 it would hold the truth in 79 to 92 %."""


class Estimate(NamedTuple):
    """A number and its interval; None is "cannot tell"."""

    value: float | None
    low: float | None = None
    high: float | None = None


UNKNOWN = Estimate(None)


def share(right: np.ndarray, users: np.ndarray) -> Estimate:
    """Wilson's interval on the effective n. When all items agree, each user counts once: none has shown to differ."""
    total, inverse = len(right), np.unique(users, return_inverse=True)[1]
    if total == 0:
        return UNKNOWN
    value, count = float(right.mean()), int(inverse.max()) + 1
    if count < 2:
        return Estimate(value)
    spread = value * (1 - value) / total
    effect = _variance(np.bincount(inverse, right - value) / total) / spread if spread else total / count
    n, reach = total / max(1.0, effect), _reach(count)
    centre, width = (value + reach**2 / (2 * n)) / (1 + reach**2 / n), reach / (1 + reach**2 / n)
    half = width * float(np.sqrt(value * (1 - value) / n + reach**2 / (4 * n**2)))
    return Estimate(value, max(0.0, centre - half), min(1.0, centre + half))


def ratio(above: np.ndarray, below: np.ndarray, users: np.ndarray) -> Estimate:
    """The sum of `above` over the sum of `below` (ones: a mean), by the delta method over users."""
    if len(above) == 0 or below.sum() == 0:
        return UNKNOWN
    return _estimate(_ratio(above, below), _influence(above, below, np.unique(users, return_inverse=True)[1]))


def difference(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray], users: np.ndarray) -> Estimate:
    """One ratio less another over the same items: what is hard for both cancels out."""
    if len(users) == 0 or one[1].sum() == 0 or other[1].sum() == 0:
        return UNKNOWN
    inverse = np.unique(users, return_inverse=True)[1]
    return _estimate(_ratio(*one) - _ratio(*other), _influence(*one, inverse) - _influence(*other, inverse))


def _ratio(above: np.ndarray, below: np.ndarray) -> float:
    return float(above.sum() / below.sum())


def _influence(above: np.ndarray, below: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """How far each user moves the ratio, to first order."""
    return np.bincount(inverse, above - _ratio(above, below) * below) / below.sum()


def _estimate(value: float, influence: np.ndarray) -> Estimate:
    count = len(influence)
    if count < FEWEST:
        return Estimate(value)
    half = _reach(count) * float(np.sqrt(_variance(influence)))
    return Estimate(value, value - half, value + half)


def _variance(influence: np.ndarray) -> float:
    """Robust to what one user's items share; U / (U - 1) makes up for having fitted the mean."""
    count = len(influence)
    return float(count / (count - 1) * np.sum(influence**2))


def _reach(users: int) -> float:
    """Student's quantile with U - 1 degrees of freedom."""
    from scipy.special import stdtrit  # a third of a second, and most of the program does without

    return float(stdtrit(users - 1, (1 + LEVEL) / 2))
