"""What people see on `checkpoints`: every checkpoint that was offered, and which the gate will look at."""

from typing import Any

from assets.metadata import table
from assets.training import offered, outcome, preflight

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


def test_the_preflight_shows_what_is_learned_and_what_it_costs() -> None:
    said = [["<|user|>", False], ["Hi", False], ["<|assistant|>", False], ["Hel", True], ["lo", True]]
    told = preflight({"phases": [{"phase": "sft", "minutes": 1.5}], "conversation": said})
    costs, conversation = told.values()
    assert costs.value.splitlines()[2:] == ["| sft | 1.5 |"]
    assert conversation.value == "<|user|>Hi<|assistant|>[[Hello]]"
    assert preflight(None) == {}
