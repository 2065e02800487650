"""Looks at items are counted and spent, so that trying long enough does not win.

The count follows the items, never the name of their set. Item i was looked at k_i times; a look at a set spends
alpha times the mean of w(k_i + 1), where w(t) = 6 / (pi^2 t^2) sums to one. So a set that stays the same spends at most
alpha for ever, exchanging some items refills nothing for the others, and a fresh item brings its own share.

Each row holds the hash of itself and of the row before. The rows lie in the table `looks`; writing them, before the
result of the look is known, belongs to the caller. What may be concluded belongs in `decide`.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import pi
from typing import Any

import numpy as np
import polars as pl

from flywheel.lake import validated
from flywheel.tables import Looks

# What a row's hash covers, in this order; the items are sorted first.
HASHED = ("workload", "look", "role", "eval_set", "candidate", "champion", "cycle", "terms", "alpha", "items")


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look: its number in the workload's ledger, what it may spend, and its row if it has yet to be written.

    `left` is the share of alpha that these items can still spend after it.
    """

    look: int
    alpha: float
    left: float
    digest: str
    row: pl.DataFrame

    @property
    def is_new(self) -> bool:
        return not self.row.is_empty()


def spend(look: int, alpha: float) -> float:
    """What the look of this number spends of the whole, where all looks are at the same items."""
    return alpha * 6 / (pi * look) ** 2


def next_look(
    looks: pl.DataFrame,
    *,
    workload: str,
    eval_set: str,
    candidate: str,
    champion: str,
    cycle: int,
    items: Sequence[str],
    alpha: float,
    terms: str = "",
) -> Look:
    """The next look at these items; the same two models on the same items are the same look, at what it spent then.

    Other `terms` give another result, and so another chance to win: that is another look.
    """
    named = {"workload": workload, "eval_set": eval_set, "candidate": candidate, "champion": champion, "cycle": cycle}
    named |= {"terms": terms}
    ours = looks.filter(workload=workload)
    if (same := _same(ours.filter(terms=terms), "eval", candidate, champion, items)) is not None:
        left = _left(_counts(ours.filter(pl.col("look") <= same["look"]), items))
        return Look(look=same["look"], alpha=same["alpha"], left=left, digest=same["digest"], row=Looks.create_empty())
    counts = _counts(ours, items)
    spent = alpha * float(np.mean(_share(counts + 1))) if len(counts) else 0.0
    return _added(looks, {**named, "role": "eval", "alpha": spent, "items": sorted(items)}, left=_left(counts + 1))


def opening(
    looks: pl.DataFrame,
    *,
    workload: str,
    eval_set: str,
    candidate: str,
    champion: str,
    cycle: int,
    items: Sequence[str],
) -> Look:
    """The opening of sealed items: it spends nothing, and from then on they are no longer sealed to others."""
    if (same := _same(looks.filter(workload=workload), "sealed", candidate, champion, items)) is not None:
        return Look(look=same["look"], alpha=0.0, left=0.0, digest=same["digest"], row=Looks.create_empty())
    named = {"workload": workload, "eval_set": eval_set, "candidate": candidate, "champion": champion, "cycle": cycle}
    return _added(looks, {**named, "role": "sealed", "terms": "", "alpha": 0.0, "items": sorted(items)}, left=0.0)


def still_sealed(items: pl.DataFrame, looks: pl.DataFrame, *, workload: str, candidate: str, most: int) -> list[str]:
    """The `most` sealed items to open for this candidate, by hash; none where fewer are unopened by any other."""
    mine = (pl.col("candidate") == candidate) & (pl.col("role") == "sealed")
    opened = looks.filter(pl.col("workload") == workload, ~mine)["items"].explode().drop_nulls()
    sealed = items.filter((pl.col("role") == "sealed") & ~pl.col("item").is_in(opened.implode()))["item"]
    chosen = sorted(sealed, key=lambda item: hashlib.sha256(item.encode()).digest())
    return sorted(chosen[:most]) if 0 < most <= len(chosen) else []


def budget_left(looks: pl.DataFrame, *, workload: str, items: Sequence[str]) -> float:
    """The share of alpha that looks at these items can still spend: 1 when all are fresh, near 0 when worn down."""
    return _left(_counts(looks.filter(workload=workload), items))


def broken(looks: pl.DataFrame, verdicts: pl.DataFrame, *, workload: str) -> list[str]:
    """What shows that the ledger was changed: a row that was altered, a row that is missing. Empty when whole."""
    before, rows = "", {}
    for number, row in enumerate(looks.filter(workload=workload).sort("look").iter_rows(named=True), start=1):
        if row["look"] != number:
            return [f"the ledger of looks was changed: look {number} is missing"]
        if row["digest"] != _digest(row, before):
            return [f"the ledger of looks was changed: look {number} is not as it was written"]
        before, rows[number] = row["digest"], row
    for verdict in verdicts.filter(pl.col("workload") == workload, pl.col("look") > 0).iter_rows(named=True):
        row, spent = rows.get(verdict["look"]), json.loads(verdict["details"]).get("spent") or {}
        named = {side: verdict[side] for side in ("candidate", "champion")} | {"digest": spent.get("digest")}
        if row is None or any(row[name] != value for name, value in named.items()):
            return [f"the ledger of looks was changed: the look of the verdict of cycle {verdict['cycle']} is missing"]
    return []


def _added(looks: pl.DataFrame, row: dict[str, Any], *, left: float) -> Look:
    """A row at the end of the workload's ledger."""
    earlier = looks.filter(workload=row["workload"]).sort("look").tail(1)
    number, before = (earlier["look"][0] + 1, earlier["digest"][0]) if len(earlier) else (1, "")
    row = {**row, "look": number}
    row["digest"] = _digest(row, before)
    return Look(
        look=number,
        alpha=row["alpha"],
        left=left,
        digest=row["digest"],
        row=validated("looks", pl.DataFrame([row], schema_overrides={"items": pl.List(pl.String)})),
    )


def _same(looks: pl.DataFrame, role: str, candidate: str, champion: str, items: Sequence[str]) -> dict[str, Any] | None:
    """The earlier look of these two models at exactly these items."""
    earlier = looks.filter(role=role, candidate=candidate, champion=champion).sort("look")
    wanted = set(items)
    return next((row for row in earlier.iter_rows(named=True) if set(row["items"]) == wanted), None)


def _counts(looks: pl.DataFrame, items: Sequence[str]) -> np.ndarray:
    """How often each item was looked at, in the order of `items`."""
    seen = looks.select(item=pl.col("items").explode()).drop_nulls().group_by("item").len()
    asked = pl.DataFrame({"item": items}, schema={"item": pl.String})
    return asked.join(seen, on="item", how="left", maintain_order="left")["len"].fill_null(0).cast(pl.Int64).to_numpy()


def _share(counts: np.ndarray) -> np.ndarray:
    """w of each count."""
    return 6 / (pi * counts) ** 2


def _left(counts: np.ndarray) -> float:
    """The mean over the items of 1 - w(1) - ... - w(k)."""
    if not len(counts):
        return 0.0
    spent = np.concatenate([[0.0], np.cumsum(_share(np.arange(1, counts.max() + 1)))])
    return float(1 - spent[counts].mean())


def _digest(row: dict[str, Any], before: str) -> str:
    told = [sorted(row[name]) if name == "items" else row[name] for name in HASHED]
    return hashlib.sha256(json.dumps([*told, before], ensure_ascii=True).encode()).hexdigest()
