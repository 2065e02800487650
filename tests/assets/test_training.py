"""What people see on `checkpoints`: every checkpoint that was offered, and which the gate will look at."""

from typing import Any

from assets.metadata import table
from assets.training import offered, outcome

HISTORY: list[dict[str, Any]] = [
    {
        "phase": "start",
        "step": 0,
        "checkpoint": 0,
        "name": "start",
        "development/pairs": 87,
        "development/accuracy": 0.5,
    },
    {"phase": "sft", "step": 6, "loss": 0.4},
    {
        "phase": "sft",
        "step": 6,
        "checkpoint": 1,
        "name": "sft epoch 1",
        "development/pairs": 87,
        "development/accuracy": 0.793,
    },
    {
        "phase": "dpo",
        "step": 9,
        "checkpoint": 2,
        "name": "dpo epoch 1",
        "development/pairs": 87,
        "development/accuracy": 0.71,
    },
]
METRICS = {
    "chosen": "sft epoch 1",
    "checkpoint": 1,
    "checkpoints": 2,
    "why": "better than the start on the development rows",
}


def test_every_checkpoint_has_a_row_and_one_is_chosen() -> None:
    assert table(offered(HISTORY, METRICS)).value.splitlines() == [
        "| checkpoint | pairs | accuracy | chosen |",
        "|---|---|---|---|",
        "| start | 87 | 0.5 |  |",
        "| sft epoch 1 | 87 | 0.793 | yes |",
        "| dpo epoch 1 | 87 | 0.71 |  |",
    ]
    assert outcome(METRICS) == "sft epoch 1, of 2 checkpoints: better than the start on the development rows"


def test_a_training_that_was_not_or_that_measured_nothing_has_no_rows() -> None:
    assert (offered([], {}), outcome({})) == ([], "nothing to choose from")
    assert offered([{"phase": "sft", "step": 6, "loss": 0.4}], METRICS) == []
