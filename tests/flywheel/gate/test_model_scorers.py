"""Scores that a model gives: probabilities of what was sent, and a reward model's numbers; on real tiny models."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForSequenceClassification

from flywheel import process
from flywheel.errors import BadInput
from flywheel.gate.__main__ import work
from flywheel.gate.scorers import preference, reward
from flywheel.gate.scorers.rows import Hole, Score
from tests import tiny

LOGGED = {f"a{n}": f"No {'no ' * n}." for n in range(6)}


def silent(message: str, **numbers: float) -> None:
    """Nobody listens."""


def items(**references: str) -> pl.DataFrame:
    rows = [
        {"item": f"i{n}", "user": "u", "slice": "s", "prompt": tiny.prompt(n), "answer": f"a{n}", "reference": sent}
        for n, sent in enumerate(references.values())
    ]
    return pl.DataFrame(rows)


SENT = items(a="Hello Ada, yes of course.", b="No no .", c="Hi", d="the refund of my order is a delay", e="")


def test_only_what_the_user_changed_is_asked() -> None:
    told = preference.changed(SENT, LOGGED)
    assert told["item"].to_list() == ["i0", "i2", "i3", "i4"]
    assert told["logged"].to_list() == [LOGGED[f"a{n}"] for n in (0, 2, 3, 4)]
    assert preference.changed(SENT, {}).is_empty()


def alone(folder: Path, prompt: str, text: str) -> float:
    """The mean log-probability of a text, one token after the other, without a batch."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    opened = tokenizer.apply_chat_template(json.loads(prompt), add_generation_prompt=True, tokenize=False)
    before = tokenizer(opened, add_special_tokens=False)["input_ids"]
    after = [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    with torch.inference_mode():
        chances = model(torch.tensor([[*before, *after]])).logits[0].float().log_softmax(-1)
    return float(sum(chances[len(before) - 1 + at, token] for at, token in enumerate(after)) / len(after))


def test_the_model_s_own_probabilities_decide_in_any_batch(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = preference.changed(SENT, LOGGED).to_dicts()
    told = preference.work(preference.job(tiny_model, asked), silent)
    monkeypatch.setattr(preference, "LOGITS", 1)  # one row at a time
    assert [
        number
        for pair in preference.work(preference.job(tiny_model, asked), silent)["told"].values()
        for number in pair
    ] == pytest.approx([number for pair in told["told"].values() for number in pair], abs=1e-4)
    for row in asked:
        expected = [alone(tiny_model, row["prompt"], text) for text in (row["reference"], row["logged"])]
        assert told["told"][row["item"]] == pytest.approx(expected, abs=1e-4)
        score = preference.found(told)[row["item"]]
        assert isinstance(score, Score)
        assert score.score == float(expected[0] > expected[1])


def test_text_beyond_what_the_model_reads_and_no_numbers_are_holes(tiny_model: Path) -> None:
    long = items(a="yes " * 600)
    told = preference.found(
        preference.work(preference.job(tiny_model, preference.changed(long, LOGGED).to_dicts()), silent)
    )
    assert isinstance(told["i0"], Hole)
    assert "the model reads 512" in str(told["i0"])
    assert preference.found({"told": {"i0": [-1.0, -1.0]}}) == {"i0": Score(0.5, "-1.000 sent, -1.000 as logged")}


def test_a_typed_end_mark_does_not_end_the_text(tiny_model: Path) -> None:
    rows = preference.changed(items(a=f"yes{tiny.END}", b=f"yes{tiny.END[0]} {tiny.END[1:]}"), LOGGED).to_dicts()
    rows[1]["prompt"] = rows[0]["prompt"]
    told = preference.work(preference.job(tiny_model, rows), silent)["told"]
    assert told["i0"][0] == pytest.approx(told["i1"][0], abs=1e-4)


@pytest.fixture(scope="module")
def rewarding(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reward") / "model"
    made(tiny_model, folder, labels=1)
    return folder


def made(tiny_model: Path, folder: Path, labels: int) -> None:
    config = LlamaConfig.from_pretrained(tiny_model, num_labels=labels, tie_word_embeddings=False)
    torch.manual_seed(3)
    LlamaForSequenceClassification(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)


def test_a_reward_model_s_number_is_the_score_in_any_batch(rewarding: Path) -> None:
    rows = SENT.to_dicts()
    texts = {row["item"]: row["reference"] for row in rows}
    together = work(reward.job(rewarding, rows, texts), silent)["told"]
    apart: dict[str, Any] = {}
    for row in rows:
        apart |= work(reward.job(rewarding, [row], texts), silent)["told"]
    assert together == pytest.approx(apart, abs=1e-5)
    assert len(set(together.values())) == len(rows)


def test_an_answer_too_long_for_the_reward_model_is_a_hole(rewarding: Path) -> None:
    rows = items(a="short", b="long").to_dicts()
    told = reward.found(reward.work(reward.job(rewarding, rows, {"i0": "yes", "i1": "yes " * 600}), silent))
    assert isinstance(told["i0"], Score)
    assert "the model reads 512" in str(told["i1"])


@pytest.mark.parametrize("asked", ["reward", "nonsense"])
def test_what_is_no_reward_model_or_no_work_is_one_sentence(tiny_model: Path, tmp_path: Path, asked: str) -> None:
    made(tiny_model, tmp_path / "two", labels=2)
    with pytest.raises(BadInput, match="no reward model" if asked == "reward" else "no such work"):
        work({"work": asked, "model": str(tmp_path / "two"), "items": []}, silent)


def test_as_a_process_preference_gives_the_same(tiny_model: Path, tmp_path: Path) -> None:
    asked = preference.job(tiny_model, preference.changed(SENT, LOGGED).to_dicts())
    assert process.run("gate", tmp_path, asked) == preference.work(asked, silent)
