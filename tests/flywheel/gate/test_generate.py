"""The gate's child: one answer to each eval item, the same in any batch and any order."""

import subprocess
from pathlib import Path
from typing import Any

from flywheel.checkpoint import fingerprint
from flywheel.gate.generate import generate
from flywheel.process import prepare, result
from tests import tiny

ITEMS = [{"item": f"i{index}", "prompt": tiny.prompt(index % 5)} for index in range(10)]


def asked(model: Path, items: list[dict[str, str]], **decoding: Any) -> dict[str, Any]:
    return {"model": str(model), "decoding": {"max_new_tokens": 6, **decoding}, "items": items}


def silent(message: str, **numbers: float) -> None:
    """Nobody listens."""


def test_every_item_is_answered_by_the_model_that_is_named(tiny_model: Path) -> None:
    told: list[dict[str, float]] = []
    done = generate(asked(tiny_model, ITEMS), lambda message, **numbers: told.append(numbers))
    assert list(done["answers"]) == [item["item"] for item in ITEMS]
    assert done["fingerprint"] == fingerprint(tiny_model)
    assert told[-1] == {"done": 10, "of": 10}


def test_an_answer_does_not_depend_on_its_neighbours(tiny_model: Path) -> None:
    together = generate(asked(tiny_model, ITEMS), silent)["answers"]
    alone = generate(asked(tiny_model, [ITEMS[7]]), silent)["answers"]
    backwards = generate(asked(tiny_model, ITEMS[::-1]), silent)["answers"]
    assert alone["i7"] == together["i7"]
    assert backwards == together


def test_items_with_one_prompt_have_draws_of_their_own(tiny_model: Path) -> None:
    answers = generate(asked(tiny_model, ITEMS), silent)["answers"]
    assert any(answers[f"i{index}"] != answers[f"i{index + 5}"] for index in range(5))


def test_another_seed_draws_again(tiny_model: Path) -> None:
    first, second = (generate(asked(tiny_model, ITEMS, seed=seed), silent)["answers"] for seed in (0, 1))
    assert first != second


def test_as_a_process_it_gives_the_same(tiny_model: Path, tmp_path: Path) -> None:
    command = prepare("gate", tmp_path, asked(tiny_model, ITEMS))
    subprocess.run(command, check=True, capture_output=True)
    assert result(tmp_path) == generate(asked(tiny_model, ITEMS), silent)
