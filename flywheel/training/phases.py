"""Which phases a training has, and whether its records are enough: decided by their numbers, without a model.

Named in the recipe, or: SFT where there are demonstrations, then DPO where there are pairs. Where opinions on single
answers outnumber both by far, KTO takes the place of DPO. Rankings come as pairs.
"""

from typing import Literal, NamedTuple

from flywheel.errors import TrainingFailed
from flywheel.settings import Recipe
from flywheel.training.rows import Rows

Phase = Literal["sft", "dpo", "kto", "reward"]
KINDS: dict[Phase, str] = {"sft": "demonstrations", "dpo": "pairs", "kto": "labels", "reward": "pairs"}
"""What each learns from."""
BY_FAR = 10
"""An opinion is a weaker word than a pair: as many as this stand against one."""


class Counts(NamedTuple):
    """The training records of a dataset."""

    demonstrations: int
    pairs: int
    labels: int
    desirable: int
    """Of the labels; the others are undesirable."""

    @classmethod
    def of(cls, rows: Rows) -> "Counts":
        desirable = sum(bool(row["label"]) for row in rows.labels)
        return cls(len(rows.demonstrations), len(rows.pairs), len(rows.labels), desirable)


def wanted(recipe: Recipe, counts: Counts, *, reward: bool = False) -> tuple[Phase, ...]:
    """In their order; of a run for a `reward` model it is that one alone."""
    if reward:
        return ("reward",)
    if recipe.phases is not None:
        return recipe.phases
    others, both = counts.demonstrations + counts.pairs, 0 < counts.desirable < counts.labels
    opinions: Phase = "kto" if both and counts.labels >= BY_FAR * others else "dpo"
    phases: tuple[Phase, ...] = ("sft", opinions)
    return tuple(phase for phase in phases if getattr(counts, KINDS[phase]))


def too_few(recipe: Recipe, counts: Counts, *, reward: bool = False) -> str | None:
    """Why there is nothing to train, if so: too few rows would only teach their accidents."""
    phases = wanted(recipe, counts, reward=reward)
    for phase in phases:
        if not getattr(counts, KINDS[phase]):
            return f"there are no {KINDS[phase]} to train {phase} on"
    found = sum(getattr(counts, KINDS[phase]) for phase in phases)
    least = max(recipe.min_records, 1)
    if found >= least:
        return None
    return f"{found} training records are too few to train on; {least} are needed (recipe.min_records)"


def require(recipe: Recipe, rows: Rows, *, reward: bool = False) -> tuple[Phase, ...]:
    """The phases of these rows; the reason why there are none as an error."""
    counts = Counts.of(rows)
    if why := too_few(recipe, counts, reward=reward):
        raise TrainingFailed(
            why,
            seen=f"{counts.pairs} pairs, {counts.demonstrations} demonstrations and {counts.labels} labels",
            do="let the product collect more feedback, or lower min_records or raise max_length of the recipe",
        )
    return wanted(recipe, counts, reward=reward)
