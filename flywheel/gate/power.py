"""What an eval set can tell: the chance to see a gain, the least gain that is seen, and the items that it takes.

Each item is taken as its own user; items of one user say less, so that more of them are needed.
"""

from math import ceil, sqrt

from flywheel.gate.compare import POWER


def power(*, n: int, sd: float, gain: float, alpha: float) -> float:
    """The chance that the lower bound at `alpha` is above zero, if the true gain is this large."""
    from scipy.special import nctdtr, stdtrit

    return float(1 - nctdtr(n - 1, gain * sqrt(n) / sd, -stdtrit(n - 1, alpha)))


def items_needed(*, sd: float, gain: float, alpha: float) -> int:
    """The fewest items by which a true gain of this size is seen four times out of five."""
    from scipy.special import ndtri

    n = max(2, ceil(((ndtri(POWER) - ndtri(alpha)) * sd / gain) ** 2))
    while power(n=n, sd=sd, gain=gain, alpha=alpha) < POWER:
        n += max(1, n // 1000)
    return n


def least_gain(*, n: int, sd: float, alpha: float) -> float:
    """The least true gain that so many items show four times out of five, as ten or more show one of 10 deviations."""
    low, high = 0.0, 10 * sd
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if power(n=n, sd=sd, gain=middle, alpha=alpha) >= POWER else (middle, high)
    return high
