"""The rows of one dataset, as TRL wants them.

Reading rows belongs here and needs no torch; which phases they are for is decided in `phases`, and turning them into
tokens belongs to the trainers.
"""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from flywheel.lake import Lake

Row = dict[str, Any]
SAID = ("prompt", "completion", "chosen", "rejected")
"""What in a row are messages."""
WRITTEN = ("edit_pair",)
"""The rules whose chosen side is a person's own words; of the others it is an answer that was kept."""


class Rows(NamedTuple):
    """Conversational rows with their weights: demonstrations (prompt, completion), pairs (prompt, chosen, rejected,
    written) and labels (prompt, completion, label).
    """

    demonstrations: list[Row]
    pairs: list[Row]
    labels: list[Row]
    development_demonstrations: list[Row]
    """Only measured on."""
    development_pairs: list[Row]
    """Only measured on."""
    development_labels: list[Row]
    """Only measured on."""
    replay: list[Row]
    """Demonstrations of other things, so that those are not forgotten."""

    def counts(self) -> dict[str, int]:
        return {name: len(rows) for name, rows in self._asdict().items()}


def read(home: Path, workload: str, dataset: str) -> Rows:
    """Every row of the dataset that has weight, in the order of its record, so that a run can be repeated."""
    of_dataset = (pl.col("workload") == workload) & (pl.col("dataset") == dataset) & (pl.col("weight") > 0)
    lake = Lake(home)
    found = lake.scan("dataset_rows").filter(of_dataset).collect().sort("record")
    labels = lake.scan("dataset_labels").filter(of_dataset).collect().sort("record")

    def of(kind: str, split: str, made: Callable[[Row], Row]) -> list[Row]:
        wanted = (pl.col("kind") == kind) & (pl.col("split") == split)
        return [made(row) for row in found.filter(wanted).iter_rows(named=True)]

    def opinions(split: str) -> list[Row]:
        return [_label(row) for row in labels.filter(pl.col("split") == split).iter_rows(named=True)]

    return Rows(
        demonstrations=of("demonstration", "train", _demonstration),
        pairs=of("pair", "train", _pair),
        labels=opinions("train"),
        development_demonstrations=of("demonstration", "development", _demonstration),
        development_pairs=of("pair", "development", _pair),
        development_labels=opinions("development"),
        replay=[],
    )


def fitting(rows: Rows, unfit: Callable[[Row], str]) -> tuple[Rows, Counter[str]]:
    """The rows that fit, and how many do not for which reason: a row that is cut would teach an answer nobody gave."""
    reasons = [[unfit(row) for row in group] for group in rows]
    told = [list(zip(group, why, strict=True)) for group, why in zip(rows, reasons, strict=True)]
    kept = Rows(*([row for row, why in group if not why] for group in told))
    return kept, Counter(why for group in reasons for why in group if why)


def _demonstration(row: Row) -> Row:
    said = json.loads(row["chosen"]) if row["trajectory"] else _said(row["chosen"])
    return {"prompt": json.loads(row["prompt"]), "completion": said, "weight": row["weight"]}


def _pair(row: Row) -> Row:
    sides = {"chosen": _said(row["chosen"]), "rejected": _said(row["rejected"])}
    told = {"weight": row["weight"], "written": row["rule"] in WRITTEN}
    return {"prompt": json.loads(row["prompt"]), **sides, **told}


def _label(row: Row) -> Row:
    told = {"weight": row["weight"], "label": row["desirable"]}
    return {"prompt": json.loads(row["prompt"]), "completion": _said(row["response"]), **told}


def _said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]
