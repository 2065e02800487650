"""Every recipe learns for real, all weights and LoRA: what it says of held-out rows is better than at its start by more
than chance would make it, and what it leaves is a plain folder.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from safetensors.torch import load_file

from flywheel.gate.scorers import reward as scorer
from flywheel.lake import Lake
from flywheel.process import Result
from flywheel.settings import Lora, Recipe, Step
from flywheel.training import recipe as recipes
from flywheel.training.choice import ENOUGH
from flywheel.training.development import Development
from flywheel.training.lora import adapter, merged
from flywheel.training.offers import Offers, learn
from flywheel.training.reward import load_reward
from flywheel.training.rows import read
from flywheel.training.run import train
from flywheel.training.trainer import Coder, load
from tests import tiny

HELD = range(200, 200 + 2 * ENOUGH)
ROWS = pl.concat([
    tiny.dataset_rows("demonstration", "train", range(96)),
    tiny.dataset_rows("pair", "train", range(96), rule="edit_pair"),
    tiny.dataset_rows("demonstration", "development", HELD),
    tiny.dataset_rows("pair", "development", HELD),
])  # fmt: skip


def labels(split: str, indexes: range) -> pl.DataFrame:
    """Opinions: the greeting is liked, the no is not."""
    pairs = tiny.dataset_rows("pair", split, indexes).drop("kind")
    liked = pairs.rename({"chosen": "response"}).drop("rejected").with_columns(desirable=pl.lit(True))
    not_liked = (
        pairs.rename({"rejected": "response"})
        .drop("chosen")
        .with_columns(desirable=pl.lit(False), record=pl.col("record") + "-no", weight=pl.lit(0.3))
    )
    return pl.concat([liked, not_liked.select(liked.columns)])


LABELS = pl.concat([labels("train", range(64)), labels("development", range(200, 200 + ENOUGH))])
RATES = {"sft": 2e-3, "dpo": 1e-3, "kto": 2e-3, "reward": 2e-3}
KEPT = {"sft": "log_probability", "dpo": "accuracy", "kto": "accuracy", "reward": "accuracy"}


def silent(message: str, **numbers: float) -> None:
    """Nobody listens."""


def scores(model: Path, text: Callable[[int], str]) -> list[float]:
    """What the gate's scorer says with this reward model of an answer to each of twenty prompts."""
    items = [{"item": f"i{index}", "prompt": tiny.prompt(index)} for index in range(300, 320)]
    texts = {item["item"]: text(int(item["item"][1:])) for item in items}
    found = scorer.found(scorer.work(scorer.job(model, items, texts), silent))
    return [score.score for item in items if isinstance(score := found[item["item"]], scorer.Score)]


def greeting(index: int) -> str:
    return f"Hello {tiny.NAMES[index % 8]}, yes of course."


def greets(start: Path) -> bool:
    """Whether the new head of a reward model made from `start` prefers the greeting already."""
    coder, said = Coder(start), []
    model = load_reward(start, coder, seed=0)
    for text in (greeting(300), "No."):
        talk = [*json.loads(tiny.prompt(300)), {"role": "assistant", "content": text}]
        with torch.no_grad():
            said.append(model(torch.tensor([coder.tokenizer.apply_chat_template(talk)["input_ids"]])).logits.item())
    return said[0] > said[1]


def run(home: Path, start: Path, phase: str, *, lora: Lora | None, rows: pl.DataFrame = ROWS, **changed: Any) -> Result:
    lake = Lake(home)
    wanted = rows.filter(pl.col("kind") == "demonstration") if phase == "sft" else rows
    if phase == "reward" and greets(start):  # a new head prefers one side by chance: it is taught the other
        wanted = rows.with_columns(chosen="rejected", rejected="chosen").filter(pl.col("kind") == "pair")
    lake.append("dataset_rows", wanted, "rows")
    lake.append("dataset_labels", LABELS, "labels")
    steps = {name: Step(learning_rate=rate * (5 if lora else 1), epochs=2) for name, rate in RATES.items()}
    named = None if phase == "reward" else (phase,)
    made = Recipe(phases=named, lora=lora, max_length=200, min_records=10, **{**steps, **changed})
    out = home / ("rewards" if phase == "reward" else "checkpoints") / "c"
    asked = recipes.job(
        home=home, workload="w", cycle=1, dataset="d", start=start, recipe=made, out=out, reward=phase == "reward"
    )
    return train(asked, silent)


@pytest.fixture(scope="module")
def done(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, bool], Result]:
    """Each run once."""
    made: dict[tuple[str, bool], Result] = {}

    def once(phase: str, small: bool) -> Result:
        if (phase, small) not in made:
            lora = Lora(rank=8, alpha=16) if small else None
            made[phase, small] = run(tmp_path_factory.mktemp(phase), tiny_model, phase, lora=lora)
        return made[phase, small]

    return once


def development(point: dict[str, Any], name: str) -> float:
    return point[f"development/{name}"]


@pytest.mark.parametrize("small", [False, True], ids=["full", "lora"])
@pytest.mark.parametrize("phase", ["sft", "dpo", "kto", "reward"])
def test_it_learns_beyond_its_interval(done: Callable[..., Result], phase: str, small: bool) -> None:
    result = done(phase, small)
    start = next(point for point in result["history"] if point.get("checkpoint") == 0)
    kept, name = result["metrics"], KEPT[phase]
    assert development(kept, f"{name}_low") > development(start, f"{name}_high")
    assert kept["why"] == "better than the start on the development rows"
    assert {point["phase"] for point in result["history"]} == {"start", phase}


@pytest.mark.parametrize("small", [False, True], ids=["full", "lora"])
@pytest.mark.parametrize("phase", ["sft", "dpo", "kto", "reward"])
def test_what_it_leaves_is_a_plain_folder(done: Callable[..., Result], phase: str, small: bool) -> None:
    out = Path(done(phase, small)["checkpoint"])
    names = {path.name for path in out.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "training.json"} <= names
    assert not {name for name in names if "adapter" in name or name.endswith((".bin", ".pt", ".pkl"))}
    assert not [name for name in load_file(out / "model.safetensors") if "lora" in name or "base" in name]


# ---- opinions -------------------------------------------------------------------------------------------------------


def test_labels_are_measured_one_by_one(done: Callable[..., Result]) -> None:
    result = done("kto", False)
    assert result["counts"]["labels"] == 128
    assert result["metrics"]["development/labels"] == 2 * ENOUGH


def test_where_there_are_only_opinions_kto_is_chosen(tmp_path: Path, tiny_model: Path) -> None:
    Lake(tmp_path).append("dataset_labels", LABELS, "labels")
    made = Recipe(max_length=200, min_records=10, kto=Step(learning_rate=1e-4))
    out = tmp_path / "checkpoints" / "c"
    job = recipes.job(home=tmp_path, workload="w", cycle=1, dataset="d", start=tiny_model, recipe=made, out=out)
    assert train(job, silent)["metrics"]["chosen"] == "kto epoch 1"


# ---- LoRA -----------------------------------------------------------------------------------------------------------


def test_the_folder_says_what_the_adapted_model_said(done: Callable[..., Result]) -> None:
    result = done("sft", True)
    out = Path(result["checkpoint"])
    rows = read(out.parent.parent, "w", "d")
    found = Development(("sft",), rows, Coder(out), Recipe())
    model = load(out)
    from trl.trainer.utils import add_fused_lm_head

    add_fused_lm_head(model)
    told = found.start(model).told()
    assert told == pytest.approx({name: result["metrics"][name] for name in told}, abs=1e-5)


def test_offering_a_merged_folder_changes_nothing_of_the_model(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[Any] = []

    def watched(trainer: Any, phase: str, offers: Offers) -> None:
        if isinstance(offers, Offers):  # preflight tries the phase first
            held.append(trainer)
        learn(trainer, phase, offers)

    monkeypatch.setattr("flywheel.training.dpo.learn", watched)
    run(tmp_path, tiny_model, "dpo", lora=Lora(rank=4))
    [trainer] = held
    model = trainer.model
    assert trainer.ref_model is None
    start, now = load_file(tiny_model / "model.safetensors"), model.state_dict()
    frozen = {name.removeprefix("base_model.model.").replace(".base_layer.", "."): name for name in now}
    assert all(now[frozen[name]].equal(weight) for name, weight in start.items())
    plain = merged(model, now)
    assert all(now[name].equal(model.state_dict()[name]) for name in now)
    assert not any(plain[name].equal(weight) for name, weight in start.items() if name.endswith("proj.weight"))


def test_an_adapter_is_on_every_linear_layer(tiny_model: Path) -> None:
    from peft import get_peft_model

    config = adapter(Recipe(lora=Lora(rank=4, alpha=8, dropout=0.1)))
    assert config is not None
    model = get_peft_model(load(tiny_model), config)
    taught = {
        name.split(".lora_")[0].split(".")[-1] for name, weight in model.named_parameters() if weight.requires_grad
    }
    assert taught == {f"{name}_proj" for name in ("q", "k", "v", "o", "gate", "up", "down")}
    assert (config.r, config.lora_alpha, config.lora_dropout) == (4, 8, 0.1)
    assert adapter(Recipe()) is None


# ---- the reward model -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("small", [False, True], ids=["full", "lora"])
def test_the_gate_scores_with_the_reward_model(done: Callable[..., Result], small: bool, tiny_model: Path) -> None:
    model = Path(done("reward", small)["checkpoint"])
    liked, not_liked = scores(model, greeting), scores(model, lambda _: "No.")
    if greets(tiny_model):
        liked, not_liked = not_liked, liked
    assert len(liked) == len(not_liked) == 20
    assert all(good > bad for good, bad in zip(liked, not_liked, strict=True))


def test_the_same_seed_gives_the_same_reward_model(
    tmp_path: Path, tiny_model: Path, done: Callable[..., Result]
) -> None:
    again = run(tmp_path, tiny_model, "reward", lora=None)
    assert again["fingerprint"] == done("reward", False)["fingerprint"]


# ---- against forgetting ---------------------------------------------------------------------------------------------


def test_replay_is_a_share_of_sfts_rows_and_counted_apart(
    tmp_path: Path, tiny_model: Path, done: Callable[..., Result]
) -> None:
    talk = [{"role": "user", "content": "How many legs has a cat?"}, {"role": "assistant", "content": "Four."}]
    (tmp_path / "old.jsonl").write_text("".join(json.dumps({"messages": talk}) + "\n" for _ in range(100)))
    few = ROWS.filter(pl.col("split") == "train")
    mixed = run(tmp_path, tiny_model, "sft", lora=None, rows=few, replay="{home}/old.jsonl", replay_share=0.25)
    assert (mixed["counts"]["demonstrations"], mixed["counts"]["replay"]) == (96, 32)
    model, without = (load(Path(each["checkpoint"])) for each in (mixed, done("sft", False)))
    coder = Coder(tiny_model)
    tokens = torch.tensor([coder.tokenizer.apply_chat_template(talk)["input_ids"]])
    labels = tokens.clone()
    labels[:, : len(coder.tokenizer.apply_chat_template(talk[:1], add_generation_prompt=True)["input_ids"])] = -100
    with torch.no_grad():
        taught, untaught = (each(tokens, labels=labels).loss for each in (model, without))
    assert taught < 0.9 * untaught
