"""The funnel in the lake: what a cycle's dataset left out and why, and what may not be trained on at all."""

from pathlib import Path

import polars as pl
import pytest

from flywheel import records, signals
from flywheel.capture.events import Event
from flywheel.datasets import Cut, cut
from flywheel.settings import Curation, Gate, Workload
from tests.product import accepted, answer, edited, rated, read, take

RULES = Workload(base_model="none", holdout=0.3, development=0.2, gate=Gate(min_users=2))


def acts(count: int) -> list[Event]:
    """Each of `count` users edits one draft, sends it and rates it; every third is of the tenant acme."""
    made: list[Event] = []
    for number in range(count):
        name, tenant = f"n{number}", "acme" if number % 3 == 0 else "other"
        made += [answer(name, number, user=f"u{number}", tenant=tenant)]
        made += [edited(name, f"Order {number} is on its way.", number + 1), accepted(name, number + 2)]
        made += [rated(name, 1 if number % 2 else -1, number + 3)]
    return made


def cut_of(home: Path, rules: Workload, events: list[Event]) -> tuple[Cut, pl.DataFrame, pl.DataFrame]:
    lake, written = take(home, events), read(home)
    for stage in (signals, records):
        stage.catch_up(lake, written)
    return cut(lake, "drafts", rules), lake.read("funnel"), lake.read("rejected")


def test_the_funnel_ends_in_the_dataset_and_every_other_record_has_a_reason(tmp_path: Path) -> None:
    made, funnel, rejected = cut_of(tmp_path, RULES, acts(60))
    last = funnel.sort("place").group_by("kind", maintain_order=True).last()
    out = dict(last.select(pl.col("kind").cast(pl.String), "records_out").iter_rows())
    counts = dict(made.rows["kind"].value_counts().iter_rows())
    assert counts == {kind: out[kind] for kind in ("pair", "demonstration")}
    first = funnel.filter(pl.col("place") == 1)
    assert dict(first.select(pl.col("kind").cast(pl.String), "records_in").iter_rows()) == {
        "pair": made.dataset["pairs"][0],
        "demonstration": made.dataset["demonstrations"][0],
        "label": made.dataset["labels"][0],
    }
    assert not set(rejected["record"]) & set(made.rows["record"])
    assert len(rejected) == first["records_in"].sum() - last["records_out"].sum()
    assert rejected["reason"].str.len_chars().min() > 10


def test_the_same_cycle_cut_again_has_one_funnel(tmp_path: Path) -> None:
    lake, written = take(tmp_path, acts(40)), read(tmp_path)
    for stage in (signals, records):
        stage.catch_up(lake, written)
    cut(lake, "drafts", RULES)
    before = {table: lake.read(table).sort(pl.all()) for table in ("funnel", "rejected")}
    cut(lake, "drafts", RULES)
    assert len(before["funnel"]) > 0
    assert all(lake.read(table).sort(pl.all()).equals(frame) for table, frame in before.items())


@pytest.mark.parametrize("named", ["tenant", "user"])
def test_nothing_of_an_excluded_tenant_or_user_gets_in(tmp_path: Path, named: str) -> None:
    whole, _, _ = cut_of(tmp_path / "whole", RULES, acts(60))
    gone = whole.rows["user"][0]
    settings = {"excluded_tenants": ("acme",)} if named == "tenant" else {"excluded_users": (gone,)}
    made, _, rejected = cut_of(tmp_path / "less", RULES.model_copy(update={"curation": Curation(**settings)}), acts(60))
    barred = rejected.filter(rule="barred")
    assert 0 < len(made.rows) < len(whole.rows)
    assert len(barred) > 0
    assert set(barred["reason"]) == {"an excluded user" if named == "user" else "an event of it must not be trained on"}
    assert gone not in set(made.rows["user"]) or named == "tenant"


def test_a_record_of_an_event_that_must_not_train_is_barred(tmp_path: Path) -> None:
    lake, written = take(tmp_path, acts(40)), read(tmp_path)
    for stage in (signals, records):
        stage.catch_up(lake, written)
    stolen = lake.read("pairs")["event_ids"].explode().to_list()
    events = lake.read("events").with_columns(may_train=~pl.col("key").is_in(stolen))
    lake.overwrite("events", events)
    assert cut(lake, "drafts", RULES).rows.filter(kind="pair").is_empty()
