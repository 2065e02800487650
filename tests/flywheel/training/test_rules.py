"""The rules over a curve, on curves made by hand: what breaks each, and what only looks like it."""

from typing import Any

import pytest

from flywheel.errors import TrainingFailed
from flywheel.settings import Recipe, Watching
from flywheel.training.rules import broken, growth, require_sound

Curve = list[dict[str, Any]]
RECIPE = Recipe(beta=0.1)
OFF = Recipe(watching=Watching(displaced=None, longer=None, leap=None, entropy=None))


def curve(phase: str = "dpo", points: int = 10, **names: float | list[float]) -> Curve:
    """Points of a phase; a number is the same at all of them."""
    made = []
    for at in range(points):
        values = {name: value[at] if isinstance(value, list) else value for name, value in names.items()}
        made.append({"phase": phase, "step": at + 1, "loss": 0.6, "learning_rate": 1e-3, **values})
    return made


def moved(by: list[float], start: float = -100, margin: float = 0.5) -> Curve:
    """Chosen answers that had `start` and have moved by so much at each point."""
    rewards, now = [0.1 * each for each in by], [start + each for each in by]
    return curve(points=len(by), chosen_reward=rewards, chosen_log_probability=now, margin=margin)


def asked(low: float) -> Curve:
    answers = {"answers": 16, "answers/growth": low + 0.1, "answers/growth_low": low}
    return [{"phase": "dpo", "step": 9, **answers}]


def early(low: float, before: float = 0.5) -> Curve:
    told = {"early/pairs": 90, "early/accuracy": 1.0, "early/accuracy_low": low}
    return [{"phase": "start", "step": 0, "development/accuracy": before}, {"phase": "dpo", "step": 2, **told}]


BROKEN = {
    "a loss that is not a number": (curve(points=1, loss=float("nan")), "the loss of dpo is not a number at step 1"),
    "a gradient without end": (curve(points=1, gradient=float("inf")), "the gradient of dpo is not a number"),
    "chosen answers fall": (moved([-12, -13, -12, -13, -12]), "-112.4 where they had -100, 12% lost at step 5"),
    "entropy falls and accuracy with it": (
        curve(entropy=[2.0] * 5 + [0.4] * 5, token_accuracy=[0.8] * 5 + [0.7] * 5),
        "an entropy of 0.4 where it was 2, 20%",
    ),
    "entropy falls and nobody knows how good it is": (curve(entropy=[2.0] * 5 + [0.4] * 5), "its answers collapse"),
    "answers grow": (asked(1.21), "1.31 times as long (1.21 at least) over 16 development prompts at step 9"),
    "development pairs are told too early": (early(0.96), "100.0% (96.0% at least) of 90 pairs at step 2"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_rule_that_is_broken_says_what_it_saw(name: str) -> None:
    history, says = BROKEN[name]
    with pytest.raises(TrainingFailed) as stopped:
        require_sound(history, "dpo", RECIPE)
    assert says in str(stopped.value)
    assert "do: " in str(stopped.value)


SOUND = {
    "nothing yet": [],
    "a fall as DPO always has it": moved([-8, -9, -8, -9, -8]),
    "a fall that may be chance": moved([0, -40, -1, -39, 0]),
    "a fall of what was next to nothing": moved([-0.9] * 5, start=-1),
    "a fall without a rising margin": moved([-30] * 5, margin=-0.1),
    "a fall at too few points": moved([-30] * 4),
    "entropy falls because it knows": curve(entropy=[2.0] * 5 + [0.4] * 5, token_accuracy=[0.6] * 5 + [0.9] * 5),
    "entropy falls a little": curve(entropy=[2.0] * 5 + [0.7] * 5),
    "answers grow, perhaps": asked(1.19),
    "development pairs are told early, perhaps": early(0.94),
    "development pairs were told before": early(0.97, before=0.96),
    "another phase": [{**point, "phase": "sft"} for point in asked(3)],
}


@pytest.mark.parametrize("name", SOUND)
def test_what_only_looks_like_it_stops_nothing(name: str) -> None:
    assert broken(SOUND[name], "dpo", RECIPE) is None


@pytest.mark.parametrize(("loss", "stops"), [(0.5, False), (1.4, True)])
def test_in_sft_surety_is_earned_by_the_loss(loss: float, stops: bool) -> None:
    sure = curve("sft", loss=loss, entropy=[2.0] * 5 + [0.4] * 5, token_accuracy=0.7)
    assert (broken(sure, "sft", RECIPE) is not None) is stops


def test_rules_set_to_nothing_are_off_but_numbers_stay_numbers() -> None:
    for name, (history, _) in BROKEN.items():
        assert (broken(history, "dpo", OFF) is not None) is ("number" in name or "without end" in name), name


def test_growth_is_a_ratio_with_its_lower_end() -> None:
    assert growth([20] * 10, [10] * 10) == (2.0, 2.0)
    ratio, low = growth([10, 30] * 5, [10] * 10)
    assert (ratio, low) == (2.0, pytest.approx(2 - 1.96 * 10.541 / 10 / 10**0.5, abs=1e-3))
    assert growth([4, 4], [0, 0])[0] == 4.0
