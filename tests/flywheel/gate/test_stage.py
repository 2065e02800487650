"""A cycle's gate on a real lake: the look is in the ledger whatever happens after it, once, and cannot be taken out."""

import json
from datetime import UTC, datetime
from math import pi
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flywheel import process, signals
from flywheel.errors import BrokenInvariant
from flywheel.gate import capability, stage
from flywheel.gate.asking import decoding, keep_answers
from flywheel.gate.ledger import broken, budget_left
from flywheel.gate.sendings import Desk
from flywheel.gate.verdict import Judged
from flywheel.lake import Lake
from flywheel.settings import Endpoint, Gate, Scorer
from flywheel.tables import Checkpoints, Datasets
from tests.flywheel.gate.workbench import eval_items, model, verdict
from tests.flywheel.registry.test_conclude import a_model
from tests.product import answer, read, take

ITEMS = eval_items()


def lake_with(folder: Path, **right: float) -> Lake:
    """An eval set, a dataset, and models that answered it, each word right with this chance."""
    lake = Lake(folder)
    lake.overwrite("eval_items", ITEMS)
    for seed, (name, chance) in enumerate(right.items(), start=1):
        said = model(ITEMS, right=chance, seed=seed)
        row = {"workload": "replies", "cycle": 1, "model": name, "decoding": decoding(Gate())}
        keep_answers(lake, row, [{"item": item, "text": text} for item, text in said.items()])
    return lake


def judged(lake: Lake, run: process.Run = process.run, **rules: Any) -> Judged:
    """The cycle's verdict, against the champion `old`; the models lie nowhere, so only `run` can ask them."""
    workloads = {"replies": {"base_model": "none", **rules}}
    desk = Desk(lake=lake, settings=read(lake.home, workloads=workloads), workload="replies", cycle=1)
    names = lake.read("answers")["model"].unique()
    models = {name: lake.home / "models" / name for name in names}
    items = lake.read("eval_items")
    return stage.judge_cycle(desk, items, models, champion="old", run=run)


def trained(lake: Lake, fingerprint: str, cycle: int = 1) -> None:
    """A cycle that trained this candidate."""
    named = {"workload": "replies", "cycle": cycle, "dataset": f"d{cycle}", "eval_set": "e1"}
    counts = {name: 0 for name, column in Datasets.create_empty().schema.items() if column == pl.Int64}
    dataset = {**counts, **named, "cutoff": datetime(2026, 1, 5, tzinfo=UTC)}
    empty: dict[str, Any] = dict.fromkeys(Checkpoints.columns())
    checkpoint = {**empty, **named, "start": "base", "folder": "x", "fingerprint": fingerprint}
    checkpoint |= {"metrics": "{}", "history": "[]", "seconds": 1.0}
    for table, row in (("datasets", dataset), ("checkpoints", checkpoint)):
        frame = pl.DataFrame([row], infer_schema_length=None)
        lake.replace(table, frame, {"workload": ["replies"], "cycle": [cycle]})


def test_a_cycle_judged_again_is_the_same_verdict_and_the_same_look(tmp_path: Path) -> None:
    lake = lake_with(tmp_path, old=0.6, new=0.75)
    trained(lake, "new")
    first = judged(lake)
    assert verdict(first)["verdict"] == "promote"
    again = judged(lake)
    assert again.verdict.equals(first.verdict)
    assert lake.read("looks")["items"].list.len().to_list() == [300]
    assert lake.read("verdicts").equals(first.verdict)


def test_each_cycle_spends_and_a_tampered_ledger_promotes_nothing(tmp_path: Path) -> None:
    lake = lake_with(tmp_path, old=0.6, first=0.6, new=0.75)
    trained(lake, "first")
    judged(lake)
    trained(lake, "new", cycle=2)
    whole = lake.read("looks")
    assert broken(whole, lake.read("verdicts"), workload="replies") == []
    lake.overwrite("looks", whole.with_columns(alpha=pl.lit(0.0)))
    told = verdict(judged(lake))
    assert (told["verdict"], told["look"]) == ("hold", 0)
    lake.overwrite("looks", whole.clear())
    assert "is missing" in verdict(judged(lake))["reason"]
    lake.overwrite("looks", whole)
    assert verdict(judged(lake))["verdict"] == "promote"
    assert budget_left(lake.read("looks"), workload="replies", items=ITEMS["item"].to_list()) < 0.3


def test_a_look_stays_in_the_ledger_when_its_verdict_was_never_written(tmp_path: Path) -> None:
    lake = lake_with(tmp_path, old=0.6, new=0.75)
    trained(lake, "new")
    judged(lake)
    lake.overwrite("verdicts", lake.read("verdicts").clear())
    assert verdict(judged(lake))["look"] == 1
    assert len(lake.read("looks")) == 1


@pytest.mark.parametrize("changed", [{"max_new_tokens": 32}, {"primary": "checks"}])
def test_asking_or_scoring_otherwise_until_it_wins_is_another_look(tmp_path: Path, changed: dict[str, Any]) -> None:
    """The same two models on the same items: but what is compared has another result, and so another chance to win."""
    lake = lake_with(tmp_path, old=0.6, new=0.6)
    trained(lake, "new")
    scorers = (Scorer(name="checks", kind="checks"),)
    assert verdict(judged(lake, gate=Gate(scorers=scorers).model_dump()))["look"] == 1
    again = Gate(**changed, scorers=scorers)
    for name, chance in (("old", 0.6), ("new", 0.75)):
        row = {"workload": "replies", "cycle": 1, "model": name, "decoding": decoding(again)}
        keep_answers(lake, row, [{"item": i, "text": text} for i, text in model(ITEMS, right=chance, seed=8).items()])
    told = verdict(judged(lake, gate=again.model_dump()))
    assert told["look"] == 2
    assert json.loads(told["details"])["spent"]["alpha"] == pytest.approx(0.025 * 6 / (pi * 2) ** 2)
    assert broken(lake.read("looks"), lake.read("verdicts"), workload="replies") == []


def test_items_of_two_eval_sets_are_never_judged_together(tmp_path: Path) -> None:
    lake = lake_with(tmp_path, old=0.6, new=0.75)
    trained(lake, "new")
    lake.overwrite("eval_items", pl.concat([ITEMS, eval_items(2, 2, eval_set="e2")]))
    with pytest.raises(BrokenInvariant, match="one eval set"):
        judged(lake)
    assert lake.read("looks").is_empty()


@pytest.mark.parametrize("role", ["eval", "sealed"])
def test_items_that_came_after_the_dataset_are_not_judged_on(tmp_path: Path, role: str) -> None:
    """Nobody kept the dataset away from them; no look is spent."""
    lake = lake_with(tmp_path, old=0.6, new=0.75)
    trained(lake, "new")
    later = pl.lit(datetime(2026, 1, 6, tzinfo=UTC), ITEMS.schema["since"])
    if role == "eval":
        lake.overwrite("eval_items", ITEMS.with_columns(since=pl.when(item="i0007").then(later).otherwise("since")))
    else:
        lake.overwrite("eval_items", pl.concat([ITEMS, sealed().with_columns(since=later)]))
    told = verdict(judged(lake))
    assert (told["verdict"], told["look"]) == ("hold", 0)
    assert f"{1 if role == 'eval' else 300} items of the frozen sets came after the dataset" in told["reason"]
    assert lake.read("looks").is_empty()


def sealed(count: int = 300) -> pl.DataFrame:
    """Items of other users that only a winner may open."""
    items = eval_items(60, count // 60, seed=9, eval_set="s1", role="sealed")
    return items.with_columns(pl.format("sealed-{}", pl.col(name)).alias(name) for name in ("item", "user"))


@pytest.mark.parametrize(("right", "ended"), [(0.75, "promote"), (0.4, "hold")])
def test_only_a_winner_opens_the_sealed_set_and_it_must_agree(tmp_path: Path, right: float, ended: str) -> None:
    lake, hidden = lake_with(tmp_path, old=0.6, new=0.75), sealed()
    lake.overwrite("eval_items", pl.concat([ITEMS, hidden]))
    trained(lake, "new")
    asked: list[str] = []

    def run(stage: str, folder: Path, job: dict[str, Any]) -> dict[str, Any]:
        """Stands for the process that loads a model: says what the model would."""
        name = Path(job["model"]).name
        said = model(hidden, right=right if name == "new" else 0.6, seed=4)
        asked.append(name)
        assert lake.read("looks").sort("look")["role"].to_list() == ["eval", "sealed"], "the opening is written first"
        answers = [{"item": each["item"], "text": said[each["item"]]} for each in job["items"]]
        keep_answers(lake, job["row"], answers)
        return {}

    told = verdict(judged(lake, run))
    assert (told["verdict"], sorted(asked)) == (ended, ["new", "old"])
    assert ("agrees" in told["reasons"][-1]) == (ended == "promote")


def test_sealed_items_that_hold_no_preference_are_no_holes(tmp_path: Path) -> None:
    """Of a third of them nobody changed a word: the scorer that decides has nothing to say of those."""
    hidden = sealed().with_columns(pl.format("sealed-{}", "answer").alias("answer"))
    lake, everything = lake_with(tmp_path, old=0.6, new=0.75), pl.concat([ITEMS, hidden])
    lake.overwrite("eval_items", everything)
    trained(lake, "new")
    answers, sent = everything["answer"].to_list(), everything["reference"].to_list()
    right = dict(everything.select("item", "reference").iter_rows())
    said = [text if number % 3 == 0 else "something else" for number, text in enumerate(sent)]
    take(tmp_path, [answer(id, workload="replies", text=text) for id, text in zip(answers, said, strict=True)])
    signals.catch_up(lake, read(tmp_path, workloads={"replies": {"base_model": "none"}}))

    def run(stage: str, folder: Path, job: dict[str, Any]) -> dict[str, Any]:
        """Stands for the process that loads a model: `new` finds all that was sent the likelier, `old` nine in ten."""
        if job["work"] == "answers":
            keep_answers(
                lake, job["row"], [{"item": each["item"], "text": right[each["item"]]} for each in job["items"]]
            )
            return {}
        new = Path(job["model"]).name == "new"
        return {"told": {each["item"]: [-1.0, -2.0 if new or n % 5 else 0.0] for n, each in enumerate(job["items"])}}

    gate = {"primary": "preference", "scorers": [{"name": "preference", "kind": "preference"}]}
    told = verdict(judged(lake, run, gate=gate))
    assert told["items"] == 200
    assert json.loads(told["details"])["sealed"]["holes"] == 0
    assert "agrees" in told["reasons"][-1]


def test_a_scorer_that_has_nothing_to_say_of_any_item_holds(tmp_path: Path) -> None:
    """Nobody changed a word of any answer that was logged."""
    lake = lake_with(tmp_path, old=0.6, new=0.75)
    trained(lake, "new")
    gate = {"primary": "preference", "scorers": [{"name": "preference", "kind": "preference"}]}
    told = verdict(judged(lake, gate=gate))
    assert (told["verdict"], told["look"]) == ("hold", 0)
    assert "300 of 300 items lack a score" in told["reason"]


def test_a_judge_that_nobody_calibrated_may_not_guard(tmp_path: Path) -> None:
    """It says of all that they are equally good, which would let everything pass."""
    lake = lake_with(tmp_path, old=0.6, new=0.75)
    trained(lake, "new")

    def run(stage: str, folder: Path, job: dict[str, Any]) -> dict[str, Any]:
        return {"replies": ["TIE"] * len(job["prompts"])}

    guard = {"name": "tone", "kind": "judge", "model": str(a_model(tmp_path / "judge", 0.0)), "margin": 0.05}
    told = verdict(judged(lake, run, gate={"scorers": [guard]}))
    assert told["verdict"] == "hold"
    assert "guard tone cannot be trusted" in told["reason"]


@pytest.mark.parametrize(("hosted", "ended"), [(("old", "new"), "promote"), (("old",), "hold")])
def test_seconds_of_an_endpoint_and_of_this_machine_are_not_compared(
    tmp_path: Path, hosted: tuple[str, ...], ended: str
) -> None:
    lake = lake_with(tmp_path, old=0.6, new=0.75)
    trained(lake, "new")
    timed = lake.read("answers").with_columns(seconds=0.5)
    lake.overwrite("answers", timed)
    for name in hosted:
        folder = lake.home / "models" / name
        folder.mkdir(parents=True)
        (folder / "endpoint.json").write_text(Endpoint(url="http://127.0.0.1:1/v1", model=name).model_dump_json())
    told = verdict(judged(lake, gate={"scorers": [{"name": "speed", "kind": "latency", "margin": 0.1}]}))
    assert told["verdict"] == ended
    assert ("guard speed cannot be trusted" in told["reason"]) == (ended == "hold")


def test_who_did_not_win_opens_nothing(tmp_path: Path) -> None:
    lake = lake_with(tmp_path, old=0.6, new=0.6)
    lake.overwrite("eval_items", pl.concat([ITEMS, sealed()]))
    trained(lake, "new")
    assert verdict(judged(lake))["verdict"] == "hold"
    assert lake.read("looks")["role"].to_list() == ["eval"]


CAPABLE = [{"prompt": f"What is {n} and {n}?", "matches": rf"\b{2 * n}\b"} for n in range(40)]


@pytest.mark.parametrize(("forgets", "ended"), [(0, "promote"), (30, "hold")])
def test_a_winner_that_forgot_what_it_could_do_is_held(tmp_path: Path, forgets: int, ended: str) -> None:
    lake = lake_with(tmp_path, old=0.6, new=0.75)
    trained(lake, "new")
    file = tmp_path / "can.jsonl"
    file.write_text("\n".join(json.dumps(line) for line in CAPABLE))
    for name, wrong in (("old", 0), ("new", forgets)):
        items = capability.items(file)["item"]
        said = ["no idea" if n < wrong else f"It is {2 * n}." for n in range(len(items))]
        row = {"workload": "replies", "cycle": 1, "model": name, "decoding": decoding(Gate())}
        keep_answers(lake, row, [{"item": item, "text": text} for item, text in zip(items, said, strict=True)])
    told = verdict(judged(lake, gate={"capability": str(file)}))
    assert told["verdict"] == ended
    assert json.loads(told["details"])["forgetting"]["forgotten"] == forgets
