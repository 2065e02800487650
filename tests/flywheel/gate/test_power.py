"""What an eval set can tell, beside the textbook and beside itself."""

import numpy as np
import pytest

from flywheel.gate.compare import estimate
from flywheel.gate.power import items_needed, least_gain, power


@pytest.mark.parametrize(
    ("n", "sd", "gain"), [(100, 0.20, 0.056), (800, 0.40, 0.040), (300, 0.45, 0.073), (2000, 0.45, 0.028)]
)
def test_four_times_out_of_five_as_in_the_textbook(n: int, sd: float, gain: float) -> None:
    """The least gain seen at 5 % two-sided is 2.8 deviations over the root of n."""
    assert power(n=n, sd=sd, gain=gain, alpha=0.025) == pytest.approx(0.8, abs=0.015)
    assert least_gain(n=n, sd=sd, alpha=0.025) == pytest.approx(gain, rel=0.03)


@pytest.mark.parametrize(("sd", "gain", "alpha"), [(0.45, 0.05, 0.0152), (0.2, 0.3, 0.0001), (1.0, 0.01, 0.025)])
def test_the_items_that_are_needed_are_enough_and_hardly_more(sd: float, gain: float, alpha: float) -> None:
    n = items_needed(sd=sd, gain=gain, alpha=alpha)
    assert power(n=n, sd=sd, gain=gain, alpha=alpha) >= 0.8
    assert power(n=int(n * 0.99) - 1, sd=sd, gain=gain, alpha=alpha) < 0.8
    assert least_gain(n=n, sd=sd, alpha=alpha) == pytest.approx(gain, rel=0.02)


def test_no_gain_is_seen_as_often_as_alpha_allows() -> None:
    assert power(n=50, sd=0.4, gain=0.0, alpha=0.01) == pytest.approx(0.01)


def test_it_is_what_the_comparison_really_sees() -> None:
    rng, users = np.random.default_rng(1), np.arange(60)
    seen = sum(estimate(rng.normal(0.1, 0.3, 60), users, alpha=0.01).low > 0 for _ in range(4000))
    assert seen / 4000 == pytest.approx(power(n=60, sd=0.3, gain=0.1, alpha=0.01), abs=0.025)
