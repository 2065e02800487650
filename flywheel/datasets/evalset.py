"""The frozen sets of a workload as they stand: the eval set, and beside it the sealed set that only a winner opens.

A set is known by the hash of its items and of the workload's checks, so a changed byte is found before anything is
measured on it. Making the first and every next version belongs in `rotation`.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from flywheel.datasets.sampling import identified
from flywheel.errors import BrokenInvariant, Terminal
from flywheel.lake import Lake
from flywheel.settings import Workload

Role = Literal["eval", "sealed"]


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of a set: its row in `eval_sets`, and its items, found to be what they were frozen as."""

    row: dict[str, Any]
    items: pl.DataFrame


def frozen(lake: Lake, workload: str, rules: Workload) -> pl.DataFrame:
    """The workload's eval set as it stands."""
    found = standing(lake, workload, "eval")
    if found is None:
        raise Terminal(f"{workload} has no eval set yet", do="materialise eval_items, or run flywheel train")
    if found.items.is_empty():
        raise Terminal(
            f"every item of the eval set of {workload} was forgotten",
            do="wait for new logs: the next cutoff brings fresh items",
        )
    if found.row["checks"] != checks(rules):
        raise Terminal(
            f"the checks of {workload} are no longer those its eval set was frozen with",
            do="run the next cycle, which freezes the same items with them",
        )
    return found.items


def sealed(lake: Lake, workload: str) -> pl.DataFrame:
    """The workload's sealed items so far; none while nobody is left for them."""
    found = standing(lake, workload, "sealed")
    return lake.read("eval_items").clear() if found is None else found.items


def standing(lake: Lake, workload: str, role: Role) -> Version | None:
    """The latest version of a set, verified; None where it was never drawn."""
    versions = lake.read("eval_sets").filter(workload=workload, role=role).sort("version")
    if versions.is_empty():
        return None
    row = versions.row(-1, named=True)
    items = lake.read("eval_items").filter(workload=workload, role=role, eval_set=row["eval_set"]).sort("item")
    return Version(row=row, items=verified(items, row))


def verified(items: pl.DataFrame, row: dict[str, Any]) -> pl.DataFrame:
    """The items, if they still are what this version was frozen as."""
    found, said = name(items, row["role"], row["checks"]), identified(items)["item"].to_list()
    if found != row["eval_set"] or said != items["item"].to_list():
        raise BrokenInvariant(
            f"the frozen {row['role']} set of {row['workload']} has changed",
            seen=found if found != row["eval_set"] else "an item that no longer says what its id stands for",
            allowed=row["eval_set"],
            do="restore the table eval_items from an earlier version; no model may be judged on this one",
        )
    return items


def name(items: pl.DataFrame, role: Role, checks: str) -> str:
    """The content hash of a set: its items with stratum and weight, and the workload's checks."""
    rows = sorted(items.select("item", "stratum", "weight").iter_rows())
    return hashlib.sha256(json.dumps([role, checks, rows]).encode()).hexdigest()[:16]


def checks(rules: Workload) -> str:
    """The workload's own programmatic checks as JSON."""
    return json.dumps([check.model_dump(exclude_none=True) for check in rules.checks], sort_keys=True)
