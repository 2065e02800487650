"""The frozen eval set: what held-out users asked and what they finally sent, known by the hash of its items.

It is drawn once, on the workload's first cycle, and read ever after; its name is its content, so a changed byte is
found before anything is measured on it.
"""

import hashlib
import json

import polars as pl

from flywheel.datasets.splits import side
from flywheel.errors import BrokenInvariant, Terminal
from flywheel.lake import Lake
from flywheel.settings import Workload

ITEM = ["user", "conversation", "slice", "prompt", "request", "reference", "answer"]


def frozen(lake: Lake, workload: str, rules: Workload) -> pl.DataFrame:
    """The workload's eval set, drawn now if it has none."""
    of = pl.col("workload") == workload
    if lake.read("eval_items").filter(of).is_empty():
        drawn = draw(lake.read("exchanges").filter(of), workload, rules)
        lake.replace("eval_items", drawn, {"workload": [workload]})
    return verified(lake.read("eval_items").filter(of).sort("item"))


def draw(exchanges: pl.DataFrame, workload: str, rules: Workload) -> pl.DataFrame:
    """At most `eval_items` of the held-out users' exchanges that ended in something sent, one for each request."""
    users = exchanges["user"].unique().to_list()
    held_out = [user for user in users if side(workload, user, rules) == "eval"]
    kept = exchanges.filter(pl.col("final").is_not_null() & pl.col("user").is_in(held_out) & pl.col("may_train"))
    enough = rules.gate.min_users
    if kept["user"].n_unique() < enough:
        raise Terminal(
            f"no eval set is frozen for {workload} yet: too few held-out users have sent an answer",
            seen=f"{kept['user'].n_unique()} of {len(held_out)} held-out users, {len(exchanges)} exchanges",
            allowed=f"at least {enough} users (gate.min_users); a smaller set could never tell two models apart",
            do="wait for more logs, or raise holdout in flywheel.toml",
        )
    items = kept.rename({"final": "reference"}).select("workload", *ITEM).sort("answer").unique("request", keep="first")
    items = items.with_columns(item=_hashes(items), role=pl.lit("eval")).sort("item").head(rules.eval_items)
    return items.with_columns(eval_set=pl.lit(name(items)))


def verified(items: pl.DataFrame) -> pl.DataFrame:
    """The items, if they still are what they were frozen as."""
    expected, found = items["eval_set"].unique().to_list(), name(items)
    if expected != [found] or items["item"].to_list() != _hashes(items).to_list():
        raise BrokenInvariant(
            f"the frozen eval set of {items['workload'][0]} has changed",
            seen=found,
            allowed=", ".join(expected),
            do="restore the table eval_items from its first version; no model may be judged on this one",
        )
    return items


def name(items: pl.DataFrame) -> str:
    """The content hash of an eval set."""
    return hashlib.sha256("\n".join(sorted(items["item"])).encode()).hexdigest()[:16]


def _hashes(items: pl.DataFrame) -> pl.Series:
    rows = items.select(ITEM).iter_rows()
    return pl.Series(
        "item", [hashlib.sha256(json.dumps(row).encode()).hexdigest()[:16] for row in rows], dtype=pl.String
    )
