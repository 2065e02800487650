"""Which rows train: read from the lake, kept whole or left out, enough or not. None of this needs torch."""

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.lake import Lake
from flywheel.training.rows import Rows, fitting, read

NONE = Rows(*([] for _ in Rows._fields))


def stored(**changed: object) -> pl.DataFrame:
    row = {
        "workload": "w",
        "dataset": "d",
        "record": "r1",
        "kind": "pair",
        "split": "train",
        "user": "u",
        "conversation": "c",
        "slice": "unassigned",
        "prompt": '[{"role": "user", "content": "Hi"}]',
        "chosen": "good",
        "rejected": "bad",
        "trajectory": False,
        "weight": 0.5,
        "rule": "edit_pair",
        "event_ids": ["e"],
    }
    return pl.DataFrame([{**row, **changed}], schema_overrides={"rejected": pl.String})


def opinion(**changed: object) -> pl.DataFrame:
    row = stored().drop("kind", "chosen", "rejected").row(0, named=True)
    return pl.DataFrame([{**row, "response": "good", "desirable": False, "weight": 0.25, **changed}])


def read_back(home: Path, *frames: pl.DataFrame) -> Rows:
    Lake(home).append("dataset_rows", pl.concat(frames), "batch")
    return read(home, "w", "d")


def test_a_pair_becomes_messages(tmp_path: Path) -> None:
    assert read_back(tmp_path, stored()).pairs == [
        {
            "prompt": [{"role": "user", "content": "Hi"}],
            "chosen": [{"role": "assistant", "content": "good"}],
            "rejected": [{"role": "assistant", "content": "bad"}],
            "weight": 0.5,
            "written": True,
        }
    ]


@pytest.mark.parametrize("rule", ["correction_pair", "regeneration_pair", "edit_pair shuffled"])
def test_only_an_edit_is_in_a_persons_own_words(tmp_path: Path, rule: str) -> None:
    assert [row["written"] for row in read_back(tmp_path, stored(rule=rule)).pairs] == [False]


def test_a_run_becomes_its_messages(tmp_path: Path) -> None:
    run = [{"role": "assistant", "content": "I look."}, {"role": "tool", "content": "sent"}]
    shown = stored(kind="demonstration", chosen=json.dumps(run), rejected=None, trajectory=True)
    assert [row["completion"] for row in read_back(tmp_path, shown).demonstrations] == [run]


def test_an_opinion_becomes_a_label(tmp_path: Path) -> None:
    given = [opinion(record="r1"), opinion(record="r2", desirable=True), opinion(record="r3", weight=0.0)]
    Lake(tmp_path).append("dataset_labels", pl.concat([*given, opinion(record="r4", split="development")]), "batch")
    rows = read(tmp_path, "w", "d")
    said = [{"role": "assistant", "content": "good"}]
    prompt = [{"role": "user", "content": "Hi"}]
    assert rows.labels == [
        {"prompt": prompt, "completion": said, "weight": 0.25, "label": desirable} for desirable in (False, True)
    ]
    assert len(rows.development_labels) == 1


def test_each_row_lands_in_one_group(tmp_path: Path) -> None:
    rows = read_back(
        tmp_path,
        stored(record="r1"),
        stored(record="r2", split="development"),
        stored(record="r3", kind="demonstration", rejected=None),
        stored(record="r4", kind="demonstration", rejected=None, split="development"),
    )
    unseen = ("labels", "development_labels", "replay")
    assert rows.counts() == {name: 0 if name in unseen else 1 for name in Rows._fields}


@pytest.mark.parametrize("changed", [{"workload": "other"}, {"dataset": "other"}, {"weight": 0.0}])
def test_rows_of_another_dataset_or_without_weight_do_not_train(tmp_path: Path, changed: dict[str, object]) -> None:
    assert len(read_back(tmp_path, stored(record="r1", **changed), stored(record="r2")).pairs) == 1


def test_the_order_of_the_rows_is_that_of_the_records(tmp_path: Path) -> None:
    names = ["r3", "r1", "r2"]
    rows = read_back(tmp_path, *(stored(record=name, chosen=name) for name in names))
    assert [row["chosen"][0]["content"] for row in rows.pairs] == sorted(names)


@given(st.lists(st.integers(0, 9)), st.lists(st.integers(0, 9)), st.integers(0, 9))
def test_every_row_is_kept_or_counted(trained: list[int], measured: list[int], longest: int) -> None:
    rows = NONE._replace(pairs=[{"n": n} for n in trained], development_pairs=[{"n": n} for n in measured])
    kept, left_out = fitting(rows, lambda row: "too long" * (row["n"] > longest))
    assert sum(kept.counts().values()) + left_out.total() == len(trained) + len(measured)
    assert all(row["n"] <= longest for group in kept for row in group)
