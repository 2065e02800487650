"""A cycle's gate on a real lake: the look is in the ledger whatever happens after it, once, and cannot be taken out."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from flywheel.errors import BrokenInvariant
from flywheel.gate import stage
from flywheel.gate.ledger import broken, budget_left
from flywheel.lake import Lake
from flywheel.settings import Workload
from flywheel.tables import Checkpoints, Datasets
from tests.flywheel.gate.workbench import eval_items, model, verdict

ITEMS = eval_items()
RULES = Workload(base_model="none")


def lake_with(folder: Path, **right: float) -> Lake:
    """An eval set, a dataset, and models that answered it, each word right with this chance."""
    lake = Lake(folder)
    lake.overwrite("eval_items", ITEMS)
    for seed, (name, chance) in enumerate(right.items(), start=1):
        stage.keep_answers(lake, name, RULES.gate, model(ITEMS, right=chance, seed=seed))
    return lake


def trained(lake: Lake, fingerprint: str, cycle: int = 1) -> None:
    """A cycle that trained this candidate."""
    named = {"workload": "replies", "cycle": cycle, "dataset": f"d{cycle}", "eval_set": "e1"}
    counts = {name: 0 for name, column in Datasets.create_empty().schema.items() if column == pl.Int64}
    dataset = {**counts, **named, "cutoff": datetime(2026, 1, 5, tzinfo=UTC)}
    empty: dict[str, object] = dict.fromkeys(Checkpoints.columns())
    checkpoint = {**empty, **named, "start": "base", "folder": "x", "fingerprint": fingerprint}
    checkpoint |= {"metrics": "{}", "history": "[]", "seconds": 1.0}
    for table, row in (("datasets", dataset), ("checkpoints", checkpoint)):
        frame = pl.DataFrame([row], infer_schema_length=None)
        lake.replace(table, frame, {"workload": ["replies"], "cycle": [cycle]})


def test_a_cycle_judged_again_is_the_same_verdict_and_the_same_look(tmp_path: Path) -> None:
    lake = lake_with(tmp_path, old=0.6, new=0.75)
    trained(lake, "new")
    first = stage.judge_cycle(lake, "replies", RULES, "old")
    assert verdict(first)["verdict"] == "promote"
    again = stage.judge_cycle(lake, "replies", RULES, "old")
    assert again.verdict.equals(first.verdict)
    assert lake.read("looks")["items"].list.len().to_list() == [300]
    assert lake.read("verdicts").equals(first.verdict)


def test_each_cycle_spends_and_a_tampered_ledger_promotes_nothing(tmp_path: Path) -> None:
    lake = lake_with(tmp_path, old=0.6, first=0.6, new=0.75)
    trained(lake, "first")
    stage.judge_cycle(lake, "replies", RULES, "old")
    trained(lake, "new", cycle=2)
    whole = lake.read("looks")
    assert broken(whole, lake.read("verdicts"), workload="replies") == []
    lake.overwrite("looks", whole.with_columns(alpha=pl.lit(0.0)))
    told = verdict(stage.judge_cycle(lake, "replies", RULES, "old"))
    assert (told["verdict"], told["look"]) == ("hold", 0)
    lake.overwrite("looks", whole.clear())
    assert "is missing" in verdict(stage.judge_cycle(lake, "replies", RULES, "old"))["reason"]
    lake.overwrite("looks", whole)
    assert verdict(stage.judge_cycle(lake, "replies", RULES, "old"))["verdict"] == "promote"
    assert budget_left(lake.read("looks"), workload="replies", items=ITEMS["item"].to_list()) < 0.3


def test_a_look_stays_in_the_ledger_when_its_verdict_was_never_written(tmp_path: Path) -> None:
    lake = lake_with(tmp_path, old=0.6, new=0.75)
    trained(lake, "new")
    stage.judge_cycle(lake, "replies", RULES, "old")
    lake.overwrite("verdicts", lake.read("verdicts").clear())
    assert verdict(stage.judge_cycle(lake, "replies", RULES, "old"))["look"] == 1
    assert len(lake.read("looks")) == 1


def test_items_of_two_eval_sets_are_never_judged_together(tmp_path: Path) -> None:
    lake = lake_with(tmp_path, old=0.6, new=0.75)
    trained(lake, "new")
    lake.overwrite("eval_items", pl.concat([ITEMS, eval_items(2, 2, eval_set="e2")]))
    with pytest.raises(BrokenInvariant, match="one eval set"):
        stage.judge_cycle(lake, "replies", RULES, "old")
    assert lake.read("looks").is_empty()
