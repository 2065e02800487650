"""The frozen sets of a workload as they stand: the eval set, and beside it the sealed set that only a winner opens.

A set is known by the hash of its items, of the workload's checks and forms; an item that retired is known by the hash
it left with. Every read verifies them all, so a changed byte is found before anything is measured or trained. Making
the first and every next version belongs in `rotation`.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from flywheel.datasets.sampling import ITEM, identified
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


def frozen_forms(lake: Lake, workload: str) -> list[str]:
    """The forms that were frozen with the workload's first eval set; none before there is one."""
    found = standing(lake, workload, "eval")
    return [] if found is None else found.row["forms"]


def standing(lake: Lake, workload: str, role: Role) -> Version | None:
    """The latest version of a set, verified, as is what retired from it; None where it was never drawn."""
    versions = lake.read("eval_sets").filter(workload=workload, role=role).sort("version")
    if versions.is_empty():
        return None
    row = versions.row(-1, named=True)
    rows = lake.read("eval_items").filter(workload=workload)
    _require_retired(rows, lake.read("eval_sets").filter(workload=workload), workload)
    return Version(row=row, items=verified(rows.filter(role=role, eval_set=row["eval_set"]).sort("item"), row))


def verified(items: pl.DataFrame, row: dict[str, Any]) -> pl.DataFrame:
    """The items, if they still are what this version was frozen as."""
    found, said = name(items, row["role"], row["checks"], row["forms"]), identified(items)["item"].to_list()
    if found != row["eval_set"] or said != items["item"].to_list():
        seen = found if found != row["eval_set"] else "an item that no longer says what its id stands for"
        raise _changed(f"the frozen {row['role']} set of {row['workload']} has changed", seen, row["eval_set"])
    return items


def _require_retired(rows: pl.DataFrame, versions: pl.DataFrame, workload: str) -> None:
    """All that ever retired and was not forgotten is there, and says what it said."""
    left = dict(versions.select(pl.col("retired", "left_as").explode()).drop_nulls().iter_rows())
    kept = rows.filter(pl.col("item").is_in(list(left)) | (pl.col("role") == "retired"))
    found = dict(zip(kept["item"], left_as(kept), strict=True))
    forgotten = set(versions["forgotten"].explode().drop_nulls())
    if odd := sorted(item for item in {*left, *found} - forgotten if found.get(item) != left.get(item)):
        seen = f"{len(odd)} items that are no longer what they were, or gone: {', '.join(odd[:3])}"
        raise _changed(
            f"what retired from the frozen sets of {workload} has changed", seen, "the items as they retired"
        )


def _changed(what: str, seen: str, allowed: str) -> BrokenInvariant:
    do = "restore the table eval_items from an earlier version; no model may be judged on this one"
    return BrokenInvariant(what, seen=seen, allowed=allowed, do=do)


def left_as(items: pl.DataFrame) -> list[str]:
    """Of each item the hash of all it says, with its stratum and weight: what it retires as."""
    rows = items.select(*ITEM, "stratum", "weight").iter_rows()
    return [hashlib.sha256(json.dumps(row).encode()).hexdigest()[:16] for row in rows]


def name(items: pl.DataFrame, role: str, checks: str, forms: Sequence[str]) -> str:
    """The content hash of a set: its items with stratum and weight, the workload's checks and forms."""
    rows = sorted(items.select("item", "stratum", "weight").iter_rows())
    said = [role, checks, rows, *([list(forms)] if forms else [])]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


def checks(rules: Workload) -> str:
    """The workload's own programmatic checks as JSON."""
    return json.dumps([check.model_dump(exclude_none=True) for check in rules.checks], sort_keys=True)
