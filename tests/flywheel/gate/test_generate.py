"""The gate's child: one answer to each eval item, the same in any batch and any order, kept as they come."""

import subprocess
from pathlib import Path
from typing import Any

from flywheel.checkpoint import fingerprint
from flywheel.gate.generate import generate
from flywheel.gate.kept import Kept
from flywheel.gate.spending import Spending
from flywheel.process import prepare, result
from tests import tiny

ITEMS = [{"item": f"i{index}", "prompt": tiny.prompt(index % 5)} for index in range(10)]


def asked(model: Path, kept: Path, items: list[dict[str, str]] = ITEMS, **decoding: Any) -> dict[str, Any]:
    spending = Spending(of="cycle 1 of w", minutes_allowed=1, tokens_allowed=1000)
    return {
        "work": "answers",
        "model": str(model),
        "decoding": {"temperature": 1.0, "max_new_tokens": 6, "seed": 0, **decoding},
        "items": items,
        "row": {"workload": "w", "cycle": 1, "model": fingerprint(model), "decoding": "t1-n6"},
        "kept": str(kept),
        "spending": spending.told(),
    }


def silent(message: str, **numbers: float) -> None:
    """Nobody listens."""


def answers(model: Path, kept: Path, items: list[dict[str, str]] = ITEMS, **decoding: Any) -> dict[str, str]:
    kept.mkdir(exist_ok=True)
    generate(asked(model, kept, items, **decoding), silent)
    return {row["item"]: row["text"] for row in Kept(kept).read("answer")}


def test_every_item_is_answered_by_the_model_that_is_named(tiny_model: Path, tmp_path: Path) -> None:
    told: list[dict[str, float]] = []
    done = generate(asked(tiny_model, tmp_path), lambda message, **numbers: told.append(numbers))
    assert done == {"fingerprint": fingerprint(tiny_model), "answered": 10, "by": "batches"}
    assert {row["item"] for row in Kept(tmp_path).read("answer")} == {item["item"] for item in ITEMS}
    assert told[-1] == {"done": 10, "of": 10}


def test_an_answer_does_not_depend_on_its_neighbours(tiny_model: Path, tmp_path: Path) -> None:
    together = answers(tiny_model, tmp_path / "together")
    alone = answers(tiny_model, tmp_path / "alone", [ITEMS[7]])
    backwards = answers(tiny_model, tmp_path / "backwards", ITEMS[::-1])
    assert alone["i7"] == together["i7"]
    assert backwards == together


def test_items_with_one_prompt_have_draws_of_their_own(tiny_model: Path, tmp_path: Path) -> None:
    found = answers(tiny_model, tmp_path)
    assert any(found[f"i{index}"] != found[f"i{index + 5}"] for index in range(5))


def test_another_seed_draws_again(tiny_model: Path, tmp_path: Path) -> None:
    first, second = (answers(tiny_model, tmp_path / str(seed), seed=seed) for seed in (0, 1))
    assert first != second


def test_as_a_process_it_gives_the_same(tiny_model: Path, tmp_path: Path) -> None:
    command = prepare("gate", tmp_path / "process", asked(tiny_model, tmp_path / "process"))
    subprocess.run(command, check=True, capture_output=True)
    assert result(tmp_path / "process")["answered"] == 10
    left = {row["item"]: row["text"] for row in Kept(tmp_path / "process").read("answer")}
    assert left == answers(tiny_model, tmp_path / "here")
