"""When a training goes wrong: rules over its curve, each a small pure function of the points of one phase.

A rule says nothing until it is sure: numbers are taken over a window of the curve, shares and ratios count by the end
of their interval that speaks for the training. What the points are and who takes them belongs in `watch`.
"""

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any, NamedTuple

from flywheel.errors import TrainingFailed
from flywheel.settings import Recipe
from flywheel.training.choice import Z

WINDOW = 5
"""Points of the curve that a number is taken over."""

Point = dict[str, Any]


class Wrong(NamedTuple):
    """What a rule saw: the parts of its sentence."""

    what: str
    seen: str
    allowed: str
    do: str


def require_sound(history: Sequence[Point], phase: str, recipe: Recipe) -> None:
    """Stop the training if a rule is broken now; it is asked after each new point."""
    if wrong := broken(history, phase, recipe):
        raise TrainingFailed(wrong.what, seen=wrong.seen, allowed=wrong.allowed, do=wrong.do)


def broken(history: Sequence[Point], phase: str, recipe: Recipe) -> Wrong | None:
    """The first rule that the phase breaks."""
    watching, points = recipe.watching, [point for point in history if point["phase"] == phase]
    curve = [point for point in points if "loss" in point]
    wrong = not_finite(curve, phase)
    if watching.displaced is not None:
        wrong = wrong or displaced(curve, phase, limit=watching.displaced, beta=recipe.beta)
    if watching.entropy is not None:
        wrong = wrong or collapsed(curve, phase, limit=watching.entropy)
    if watching.longer is not None:
        wrong = wrong or longer(points, phase, limit=watching.longer)
    if watching.leap is not None:
        wrong = wrong or leapt(history, phase, limit=watching.leap)
    return wrong


def not_finite(curve: Sequence[Point], phase: str) -> Wrong | None:
    """Of the newest point: a loss or a gradient that is no number."""
    for name in ("loss", "gradient"):
        if curve and not math.isfinite(curve[-1].get(name, 0.0)):
            point = curve[-1]
            return Wrong(
                f"the {name} of {phase} is not a number at step {point['step']}",
                f"{point[name]} at learning rate {point['learning_rate']:.3g}",
                "",
                f"lower the recipe's {phase}.learning_rate",
            )
    return None


def displaced(curve: Sequence[Point], phase: str, *, limit: float, beta: float) -> Wrong | None:
    """The margin rises because rejected answers fall faster: chosen ones fall too, by a large share of what they had.

    Both are read from the same rows, today's log-probability and how far it has moved, so that batches of long and
    short answers can be compared. DPO lowers chosen answers somewhat, always: where they had next to nothing to lose,
    a share of it means little, and they must have become less probable by a factor e too.
    """
    window = [point for point in curve if "chosen_log_probability" in point][-WINDOW:]
    if len(window) < WINDOW or fmean(point["margin"] for point in window) <= 0:
        return None
    moved = [point["chosen_reward"] / beta for point in window]
    start = [point["chosen_log_probability"] - by for point, by in zip(window, moved, strict=True)]
    if not (_surely_below([by - limit * was for by, was in zip(moved, start, strict=True)]) and fmean(moved) < -1):
        return None
    return Wrong(
        f"chosen answers become less probable in {phase} while margins rise: it unlearns both sides of the pairs",
        f"a log-probability of {fmean(start) + fmean(moved):.4g} where they had {fmean(start):.4g},"
        f" {fmean(moved) / fmean(start):.0%} lost at step {window[-1]['step']}",
        f"{limit:.0%} lost (recipe.watching.displaced)",
        f"raise the recipe's sft_share or beta, or lower {phase}.learning_rate",
    )


def _surely_below(values: Sequence[float]) -> bool:
    """Zero lies above the 95 % interval of their mean."""
    return fmean(values) + Z * stdev(values) / math.sqrt(len(values)) < 0


def collapsed(curve: Sequence[Point], phase: str, *, limit: float) -> Wrong | None:
    """The model is far surer of the next token than at the start, and has not earned it.

    A model that learns gets surer too. Where the loss is the token's own (SFT), surety is earned if the loss has
    fallen as far; elsewhere, if it foretells more of the chosen tokens than at the start.
    """
    known = [point for point in curve if "entropy" in point]
    if len(known) < 2 * WINDOW:
        return None
    start, now = (fmean(point["entropy"] for point in some) for some in (known[:WINDOW], known[-WINDOW:]))
    if now >= limit * start or _earned(known, phase, now / limit):
        return None
    return Wrong(
        f"the model has become sure of the next token in {phase}, and is no better at it: its answers collapse",
        f"an entropy of {now:.3g} where it was {start:.3g}, {now / start:.0%}, at step {known[-1]['step']}",
        f"at least {limit:.0%} (recipe.watching.entropy)",
        f"lower the recipe's {phase}.learning_rate or {phase}.epochs",
    )


def _earned(known: Sequence[Point], phase: str, loss: float) -> bool:
    if phase == "sft":
        return fmean(point["loss"] for point in known[-WINDOW:]) <= loss
    right = [point["token_accuracy"] for point in known if "token_accuracy" in point]
    return bool(right) and fmean(right[-WINDOW:]) > fmean(right[:WINDOW])


def longer(points: Sequence[Point], phase: str, *, limit: float) -> Wrong | None:
    """Answers to development prompts outgrow both what they were and what people chose."""
    asked = [point for point in points if "answers/growth_low" in point]
    if not asked or asked[-1]["answers/growth_low"] <= limit:
        return None
    point = asked[-1]
    return Wrong(
        f"answers grow in {phase} beyond what they were and beyond what people chose: length is what it learns",
        f"{point['answers/growth']:.2f} times as long ({point['answers/growth_low']:.2f} at least) over"
        f" {point['answers']} development prompts at step {point['step']}",
        f"{limit:g} times (recipe.watching.longer)",
        "compare with `flywheel train --control length`; raise the recipe's sft_share or beta",
    )


def growth(now: Sequence[int], allowed: Sequence[int]) -> tuple[float, float]:
    """How many times as long answers are, and the lower end of its 95 % interval, prompt by prompt."""
    base = max(fmean(allowed), 1.0)
    ratio = fmean(now) / base
    apart = [is_ - ratio * was for is_, was in zip(now, allowed, strict=True)]
    return ratio, ratio - Z * stdev(apart) / (base * math.sqrt(len(apart)))


def leapt(history: Sequence[Point], phase: str, *, limit: float) -> Wrong | None:
    """After a tenth of the steps nearly every development pair is told right, and before them it was not."""
    for at, point in enumerate(history):
        if point["phase"] != phase or point.get("early/accuracy_low", 0.0) <= limit:
            continue
        before = [one["development/accuracy"] for one in history[:at] if "development/accuracy" in one]
        if before and before[-1] > limit:
            continue
        return Wrong(
            f"{phase} tells nearly all development pairs right after a tenth of its steps: something gives it away",
            f"{point['early/accuracy']:.1%} ({point['early/accuracy_low']:.1%} at least) of {point['early/pairs']}"
            f" pairs at step {point['step']}",
            f"{limit:.0%} so early (recipe.watching.leap)",
            "look for what all chosen sides share and no rejected one has (`flywheel train --control length`), and for"
            " development rows among the training rows",
        )
    return None
