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
    development_demonstrations: list[Row]
    """Only measured on."""
    development_pairs: list[Row]
    """Only measured on."""

    def counts(self) -> dict[str, int]:
        return {name: len(rows) for name, rows in self._asdict().items()}


def read(home: Path, workload: str, dataset: str) -> Rows:
    """Every row of the dataset that has weight, in the order of its record, so that a run can be repeated."""
    of_dataset = (pl.col("workload") == workload) & (pl.col("dataset") == dataset) & (pl.col("weight") > 0)
    found = Lake(home).scan("dataset_rows").filter(of_dataset).collect().sort("record")

    def of(kind: str, split: str, made: Callable[[Row], Row]) -> list[Row]:
        wanted = (pl.col("kind") == kind) & (pl.col("split") == split)
        return [made(row) for row in found.filter(wanted).iter_rows(named=True)]

    return Rows(
        of("demonstration", "train", _demonstration),
        of("pair", "train", _pair),
        of("demonstration", "development", _demonstration),
        of("pair", "development", _pair),
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
