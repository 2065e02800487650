"""Which phases a training has: named, or by what its dataset holds; and what is said where that is too little."""

import pytest

from flywheel.errors import TrainingFailed
from flywheel.settings import Recipe
from flywheel.training.phases import BY_FAR, Counts, Phase, require, too_few, wanted
from flywheel.training.rows import Rows

NONE = Rows(*([] for _ in Rows._fields))


@pytest.mark.parametrize(
    ("counts", "phases"),
    [
        (Counts(demonstrations=9, pairs=9, labels=0, desirable=0), ("sft", "dpo")),
        (Counts(demonstrations=9, pairs=0, labels=0, desirable=0), ("sft",)),
        (Counts(demonstrations=0, pairs=9, labels=9 * BY_FAR - 1, desirable=5), ("dpo",)),
        (Counts(demonstrations=0, pairs=9, labels=9 * BY_FAR, desirable=5), ("kto",)),
        (Counts(demonstrations=4, pairs=5, labels=9 * BY_FAR, desirable=5), ("sft", "kto")),
        (Counts(demonstrations=0, pairs=9, labels=9 * BY_FAR, desirable=0), ("dpo",)),
        (Counts(demonstrations=0, pairs=9, labels=9 * BY_FAR, desirable=9 * BY_FAR), ("dpo",)),
        (Counts(demonstrations=0, pairs=0, labels=99, desirable=0), ()),
        (Counts(demonstrations=0, pairs=0, labels=0, desirable=0), ()),
    ],
)
def test_the_data_decides(counts: Counts, phases: tuple[Phase, ...]) -> None:
    assert wanted(Recipe(), counts) == phases


def test_a_named_phase_runs_whatever_the_data_would_say() -> None:
    counts = Counts(demonstrations=90, pairs=90, labels=60, desirable=60)
    assert wanted(Recipe(phases=("kto", "sft")), counts) == ("kto", "sft")
    assert too_few(Recipe(phases=("kto",)), counts) is None


def test_a_reward_model_is_trained_on_pairs_alone() -> None:
    counts = Counts(demonstrations=90, pairs=9, labels=900, desirable=60)
    assert wanted(Recipe(phases=("sft",)), counts, reward=True) == ("reward",)
    assert "9 training records are too few" in str(too_few(Recipe(), counts, reward=True))


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        (Counts(demonstrations=20, pairs=29, labels=0, desirable=0), "49 training records are too few to train on"),
        (Counts(demonstrations=20, pairs=30, labels=0, desirable=0), None),
        (Counts(demonstrations=0, pairs=0, labels=49, desirable=5), "49 training records are too few to train on"),
        (Counts(demonstrations=0, pairs=0, labels=50, desirable=5), None),
        (Counts(demonstrations=0, pairs=0, labels=900, desirable=0), "0 training records are too few to train on"),
    ],
)
def test_what_counts_is_what_would_train(counts: Counts, told: str | None) -> None:
    why = too_few(Recipe(min_records=50), counts)
    assert (why is None) is (told is None)
    assert why is None or why == f"{told}; 50 are needed (recipe.min_records)"


def test_a_named_phase_without_records_is_said() -> None:
    counts = Counts(demonstrations=90, pairs=0, labels=9, desirable=1)
    assert too_few(Recipe(phases=("sft", "dpo")), counts) == "there are no pairs to train dpo on"


def test_too_few_records_are_a_sentence() -> None:
    rows = NONE._replace(demonstrations=[{}], pairs=[{}, {}], development_pairs=[{}] * 9)
    with pytest.raises(
        TrainingFailed, match=r"3 training .*4 are needed .*saw `2 pairs, 1 demonstrations and 0 labels`"
    ):
        require(Recipe(min_records=4), rows)
    assert require(Recipe(min_records=3), rows) == ("sft", "dpo")
