"""What the gate promises over many cycles; the simulations themselves are `benchmarks.gate.simulations`."""

from math import sqrt

import numpy as np
import pytest

from benchmarks.gate.simulations import (
    CYCLES,
    DEVIATION,
    EIGHTH,
    GAIN,
    Share,
    coverage,
    false_promotions,
    looks_of,
    power,
    wins_and_losses,
)


@pytest.mark.slow
@pytest.mark.parametrize(("fresh", "sealed"), [(0, False), (EIGHTH, True)], ids=["the same items", "an eighth fresh"])
def test_twenty_idle_cycles_rarely_end_in_a_false_promotion(fresh: int, sealed: bool) -> None:
    assert false_promotions(fresh=fresh, sealed=sealed).high <= 0.07


@pytest.mark.slow
@pytest.mark.parametrize(("look", "least"), [(1, 0.80), (CYCLES, 0.60)])
def test_a_gain_of_five_points_is_seen(look: int, least: float) -> None:
    found = power(look=look)
    assert found.hits / found.n >= least


@pytest.mark.slow
@pytest.mark.parametrize("users", [50, 100, 200, 500])
def test_intervals_hold_the_truth_as_often_as_they_say(users: int) -> None:
    found = coverage(users)
    assert 0.93 <= found.hits / found.n <= 0.97


def test_the_gains_are_what_they_are_said_to_be() -> None:
    gains = wins_and_losses(np.random.default_rng(5), 100_000, GAIN)
    assert gains.mean() == pytest.approx(GAIN, abs=3 * DEVIATION / sqrt(100_000))
    assert gains.std() == pytest.approx(DEVIATION, abs=0.005)


def test_looks_at_items_that_are_exchanged_spend_less_than_fresh_ones_and_more_than_old_ones() -> None:
    same, exchanged = looks_of(fresh=0), looks_of(fresh=EIGHTH)
    assert same[0].alpha == exchanged[0].alpha
    assert all(old.alpha < new.alpha < same[0].alpha for old, new in zip(same[1:], exchanged[1:], strict=True))


def test_a_share_has_its_exact_interval() -> None:
    assert (Share(0, 100).low, Share(0, 100).high) == (0, pytest.approx(1 - 0.01 ** (1 / 100)))
    assert (Share(100, 100).low, Share(100, 100).high) == (pytest.approx(0.01 ** (1 / 100)), 1)
