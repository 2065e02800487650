"""The rows of one dataset, as TRL wants them.

Reading and choosing rows belongs here and needs no torch; turning them into tokens belongs to the trainers.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from flywheel.errors import TrainingFailed
from flywheel.lake import Lake

Row = dict[str, Any]


class Rows(NamedTuple):
    """Conversational rows: demonstrations (prompt, completion) and pairs (prompt, chosen, rejected)."""

    demonstrations: list[Row]
    pairs: list[Row]
    development: list[Row]
    """Pairs that are only measured on."""

    def counts(self) -> dict[str, int]:
        return {name: len(rows) for name, rows in self._asdict().items()}


def read(home: Path, workload: str, dataset: str) -> Rows:
    """Every row of the dataset that has weight, in the order of its record, so that a run can be repeated."""
    of_dataset = (pl.col("workload") == workload) & (pl.col("dataset") == dataset) & (pl.col("weight") > 0)
    found = Lake(home).scan("dataset_rows").filter(of_dataset).collect().sort("record")
    demonstrations = found.filter((pl.col("kind") == "demonstration") & (pl.col("split") == "train"))
    pairs = found.filter(pl.col("kind") == "pair")
    return Rows(
        [_demonstration(row) for row in demonstrations.iter_rows(named=True)],
        [_pair(row) for row in pairs.filter(pl.col("split") == "train").iter_rows(named=True)],
        [_pair(row) for row in pairs.filter(pl.col("split") == "development").iter_rows(named=True)],
    )


def fitting(rows: Rows, fits: Callable[[Row], bool]) -> tuple[Rows, int]:
    """The rows that fit, and how many do not: a row that is cut would teach an answer nobody gave."""
    kept = Rows(*([row for row in group if fits(row)] for group in rows))
    return kept, sum(rows.counts().values()) - sum(kept.counts().values())


def require(rows: Rows, least: int) -> None:
    """Too few rows would only teach their accidents."""
    records = len(rows.demonstrations) + len(rows.pairs)
    if records < max(least, 1):
        raise TrainingFailed(
            "too few training records",
            seen=f"{len(rows.pairs)} pairs and {len(rows.demonstrations)} demonstrations",
            allowed=f"at least {max(least, 1)} together (recipe.min_records)",
            do="let the product collect more feedback, or lower min_records or raise max_length of the recipe",
        )


def _demonstration(row: Row) -> Row:
    return {"prompt": json.loads(row["prompt"]), "completion": _said(row["chosen"])}


def _pair(row: Row) -> Row:
    return {"prompt": json.loads(row["prompt"]), "chosen": _said(row["chosen"]), "rejected": _said(row["rejected"])}


def _said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]
