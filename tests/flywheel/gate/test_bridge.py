"""A rotation makes a ruler longer or shorter: the same model on both versions says by how much."""

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flywheel import process
from flywheel.gate import report, stage, telling
from flywheel.gate.asking import decoding, keep_answers
from flywheel.gate.bridge import bridge
from flywheel.gate.sendings import Desk
from flywheel.lake import Lake
from flywheel.settings import Gate, Workload
from flywheel.tables import EvalSets
from tests.flywheel.gate.test_stage import trained
from tests.flywheel.gate.workbench import eval_items, model
from tests.product import read

ITEMS = eval_items()
FRESH = eval_items(20, seed=9).with_columns(
    item=pl.format("f{}", "item"), user=pl.format("new {}", "user"), eval_set=pl.lit("e2")
)
STANDS = pl.concat([ITEMS[100:].with_columns(eval_set=pl.lit("e2")), FRESH])


def scored(frame: pl.DataFrame, easy: float, seed: int = 0) -> pl.DataFrame:
    draw = random.Random(seed)
    score = [float(draw.random() < easy) for _ in range(len(frame))]
    return frame.select("item", "user").with_columns(score=pl.Series(score))


def test_the_same_model_moves_by_what_the_fresh_items_differ() -> None:
    before = scored(ITEMS, 0.5)
    now = pl.concat([before[100:], scored(FRESH, 0.8)])
    found = bridge(before, now)
    expected = now["score"].to_numpy().mean() - before["score"].to_numpy().mean()
    assert found.moved.value == pytest.approx(expected)
    assert (found.items_before, found.items, found.shared, found.users) == (300, 300, 200, 80)
    assert found.moved.low is not None
    assert found.moved.high is not None
    assert found.moved.low < expected < found.moved.high


def test_what_was_not_scored_is_not_guessed() -> None:
    before, now = scored(ITEMS, 0.5), scored(STANDS, 0.5)
    holes = before.with_columns(score=pl.when(pl.int_range(pl.len()) < 30).then(None).otherwise("score"))
    for found in (bridge(holes, now), bridge(before, now, gone=30), bridge(before.clear(), now)):
        assert found.moved == (None, None, None)
        assert found.why is not None
        assert "lack a score" in found.why
    assert bridge(before, now, gone=3).moved.value is not None


def test_the_interval_holds_what_a_rotation_does_to_everybody() -> None:
    """Users differ, items are drawn anew: the true move is inside in about 95 of 100 rotations."""
    draw, held, tries = random.Random(4), 0, 300
    for _ in range(tries):
        levels = {user: draw.gauss(0, 0.2) for user in [*ITEMS["user"].unique(), *FRESH["user"].unique()]}
        rows = {
            frame_item: levels[user] + draw.gauss(0, 0.2) + (0.1 if frame_item.startswith("f") else 0.0)
            for frame_item, user in pl.concat([ITEMS, FRESH]).select("item", "user").iter_rows()
        }
        before, now = (
            frame.select("item", "user").with_columns(score=pl.Series([rows[item] for item in frame["item"]]))
            for frame in (ITEMS, STANDS)
        )
        moved = bridge(before, now).moved
        assert moved.low is not None
        assert moved.high is not None
        held += moved.low < 0.1 / 3 < moved.high
    assert 0.9 * tries < held < 0.99 * tries


def lake_of(home: Path, *, checks: str = "[]") -> Lake:
    """Two cycles: the first judged on e1, then a third of its items retired for fresh ones that are easier."""
    lake = Lake(home)
    lake.overwrite("eval_items", ITEMS)
    for number, (name, items, its) in enumerate([("e1", ITEMS, "[]"), ("e2", STANDS, checks)], start=1):
        told: dict[str, Any] = dict.fromkeys(EvalSets.columns()) | {"workload": "replies", "role": "eval"}
        told |= {"version": number, "eval_set": name, "items": items["item"].to_list(), "why": "", "checks": its}
        told |= {"strata": "{}", "cutoff": datetime(2026, 1, 5, tzinfo=UTC)}
        told |= {column: [] for column in ("added", "retired", "left_as", "forgotten", "forms")}
        row = pl.DataFrame([told], schema=dict(EvalSets.create_empty().schema))
        lake.replace("eval_sets", row, {"workload": ["replies"], "role": ["eval"], "version": [number]})
    for seed, name in enumerate(("old", "first", "second"), start=1):
        said = model(ITEMS, right=0.5, seed=seed) | model(FRESH, right=0.9, seed=seed)
        row = {"workload": "replies", "cycle": 1, "model": name, "decoding": decoding(Gate())}
        keep_answers(lake, row, [{"item": item, "text": text} for item, text in said.items()])
    return lake


def two_cycles(lake: Lake) -> None:
    retired = ITEMS[:100].with_columns(role=pl.lit("retired", ITEMS.schema["role"]))
    for cycle, (candidate, rows) in enumerate([("first", ITEMS), ("second", pl.concat([STANDS, retired]))], start=1):
        lake.overwrite("eval_items", rows)
        trained(lake, candidate, cycle=cycle)
        workloads = {"replies": {"base_model": "none"}}
        desk = Desk(lake=lake, settings=read(lake.home, workloads=workloads), workload="replies", cycle=cycle)
        models = {name: lake.home / "models" / name for name in ("old", "first", "second")}
        stage.judge_cycle(desk, rows.filter(role="eval"), models, champion="old", run=process.run)


def test_a_rotation_between_two_verdicts_is_bridged_and_told_on_the_page(tmp_path: Path) -> None:
    lake = lake_of(tmp_path)
    two_cycles(lake)
    [row] = lake.read("bridges").to_dicts()
    scores = [lake.read("verdicts").filter(cycle=cycle)["champion_score"].item() for cycle in (1, 2)]
    assert row["moved"] == pytest.approx(scores[1] - scores[0])  # the champion is the same: all of it is the ruler's
    assert (row["before"], row["eval_set"], row["model"], row["shared"]) == ("e1", "e2", "old", 200)
    assert row["low"] > 0.05
    rules = Workload(base_model="none")
    first, second = (report.page(telling.told(lake, "replies", rules, cycle=cycle)) for cycle in (1, 2))
    assert f"{row['moved']:+.3f}" in second
    assert "The bridge" in second
    assert "The bridge" not in first


def test_other_checks_are_another_ruler_and_said_so(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, checks='[{"name": "brief"}]')
    two_cycles(lake)
    [row] = lake.read("bridges").to_dicts()
    assert row["moved"] is None
    assert "checks changed" in row["why"]
