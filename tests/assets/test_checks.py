"""A planted breach turns its blocking check red."""

from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from assets.checks import eval_set_is_frozen, no_leakage, only_what_may_train
from assets.partitions import WORKLOADS
from assets.resources import Wheel
from flywheel import records, signals
from flywheel.datasets import advance, cut
from flywheel.settings import Gate
from tests.flywheel.datasets.made import RULES, derived, edits
from tests.product import accepted, answer, edited, read, take

BETTER = "Your order is on its way."


@pytest.mark.parametrize("allowed", [True, False])
def test_a_record_of_what_must_not_be_trained_on_is_found(
    allowed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLYWHEEL_HOME", str(tmp_path))
    lake = take(tmp_path, [answer("a", may_train=allowed), edited("a", BETTER, 1), accepted("a", 2)])
    signals.catch_up(lake, read(tmp_path))
    records.catch_up(lake, read(tmp_path))
    check = only_what_may_train("demonstrations")
    assert check(Wheel()).passed  # pyright: ignore[reportAttributeAccessIssue]
    assert len(lake.read("demonstrations")) == allowed
    if not allowed:
        exchange = lake.read("exchanges").row(0, named=True)
        row = {name: exchange[name] for name in ("workload", "day", "conversation", "user", "slice", "prompt")}
        row |= {"id": "r", "unit": f"conversation {exchange['conversation']}", "model_version": None, "weight": 1.0}
        row |= {"confidence": 0.5, "rule": "edit_demonstration", "rule_version": 1, "event_ids": exchange["event_ids"]}
        planted = pl.DataFrame([row | {"completion": BETTER, "trajectory": False}])
        lake.replace("demonstrations", planted, {"day": [exchange["day"]]})
        assert not check(Wheel()).passed  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("leak", [False, True])
def test_a_planted_leak_stops_what_would_train_on_it(
    leak: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a real instance: the rows of one user who is in the eval set too, and the asset behind them never runs."""
    monkeypatch.setenv("FLYWHEEL_HOME", str(tmp_path))
    workload = WORKLOADS.get_partition_keys()[0]
    rules = RULES.model_copy(update={"gate": Gate(min_users=2)})
    lake = derived(tmp_path, edits(60, workload=workload))
    made = cut(lake, workload, rules)

    @dg.asset(name="dataset_rows", partitions_def=WORKLOADS)
    def planted() -> None:
        if leak:
            rows = made.rows.with_columns(user=pl.lit(made.items["user"][0]))
            lake.replace("dataset_rows", rows, {"workload": [workload]})

    @dg.asset(name="trained", deps=[planted], partitions_def=WORKLOADS)
    def trained() -> None:
        """What would train on them."""

    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        ended = dg.materialize(
            [planted, trained, no_leakage],
            partition_key=workload,
            resources={"wheel": Wheel()},
            instance=instance,
            raise_on_error=False,
        )
    (told,) = ended.get_asset_check_evaluations()
    assert told.passed is not leak
    assert ended.success is not leak
    assert [event.asset_key.path[-1] for event in ended.get_asset_materialization_events() if event.asset_key] == (
        ["dataset_rows"] if leak else ["dataset_rows", "trained"]
    )


@pytest.mark.parametrize("role", ["eval", "retired"])
def test_a_changed_byte_in_a_frozen_or_retired_item_stops_what_comes_after(
    role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLYWHEEL_HOME", str(tmp_path))
    workload = WORKLOADS.get_partition_keys()[0]
    small = {"holdout": 0.3, "eval_items": 8, "fresh_items": 3, "gate": Gate(min_users=2, sealed_items=0)}
    rules = Wheel().settings().workload(workload).model_copy(update=small)
    for first, count in ((0, 90), (90, 60)):
        lake = derived(tmp_path, edits(count, first=first, workload=workload))
        advance(lake, workload, rules)
    rows = lake.read("eval_items")
    chosen = pl.col("item") == rows.filter(role=role)["item"].min()
    changed = rows.with_columns(reference=pl.when(chosen).then(pl.col("reference") + "x").otherwise("reference"))

    @dg.asset(name="eval_items", partitions_def=WORKLOADS)
    def planted() -> None:
        lake.replace("eval_items", changed if spoilt else rows, {"workload": [workload]})

    @dg.asset(name="judged", deps=[planted], partitions_def=WORKLOADS)
    def judged() -> None:
        """What would measure on them."""

    for spoilt in (False, True):
        with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
            ended = dg.materialize(
                [planted, judged, eval_set_is_frozen],
                partition_key=workload,
                resources={"wheel": Wheel()},
                instance=instance,
                raise_on_error=False,
            )
        (told,) = ended.get_asset_check_evaluations()
        assert told.passed is not spoilt, told.description
        assert ("has changed" in (told.description or "")) is spoilt
        assert len(ended.get_asset_materialization_events()) == 2 - spoilt
