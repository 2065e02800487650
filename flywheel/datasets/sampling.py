"""Which exchanges become items: as the traffic is, and more often where it is known to fail.

A stratum is a slice and a way to fail, as the failure map has them. Of each as many items are drawn as the root of its
traffic says, so that a rare failure has items at all; weights give every stratum its share of the traffic back. Who is
drawn next depends on hashes of what the items say, never on the order of rows. Freezing what was drawn belongs in
`evalset`.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Mapping
from math import sqrt

import polars as pl

from flywheel.datasets.forms import sampled
from flywheel.datasets.splits import side
from flywheel.lake import Lake
from flywheel.settings import Workload

ITEM = ["user", "conversation", "slice", "prompt", "request", "reference", "answer"]
"""What an item is: its id is the hash of these."""
Traffic = Mapping[str, int]


def candidates(lake: Lake, workload: str, rules: Workload) -> tuple[pl.DataFrame, Traffic]:
    """Held-out users' exchanges that ended in something sent, one for each request; and all users' by stratum."""
    sent = _with_stratum(lake, workload)
    traffic = dict(sent.group_by("stratum").agg(pl.len()).collect().iter_rows())
    users = sent.select(pl.col("user").unique()).collect()["user"]
    held_out = [user for user in users if side(workload, user, rules) == "eval"]
    rows = sent.filter(pl.col("user").is_in(held_out)).rename({"final": "reference"}).collect()
    return identified(rows.sort("time", "answer").unique("request", keep="first", maintain_order=True)), traffic


def talks(lake: Lake, workload: str) -> pl.DataFrame:
    """Of each conversation in the traffic, or of some of very many, all that was asked by its last answer."""
    sent = _sent(lake, workload)
    last = sent.select("conversation", "user", "time", "answer").collect().sort("time", "answer")
    some = sampled(last.unique("conversation", keep="last"))
    return sent.filter(pl.col("answer").is_in(some["answer"].implode())).select("user", "prompt").collect()


def identified(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows, each with the hash of what it says as its `item`."""
    said = (json.dumps(row) for row in rows.select(ITEM).iter_rows())
    names = [hashlib.sha256(text.encode()).hexdigest()[:16] for text in said]
    return rows.with_columns(item=pl.Series("item", names, dtype=pl.String)).sort("item")


def drawn(pool: pl.DataFrame, n: int, *, traffic: Traffic, beside: Collection[str] = ()) -> pl.DataFrame:
    """At most `n` of the pool; `beside` names the strata of items that are there already."""
    users_turn = pl.col("item").rank("ordinal").over("stratum", "user")
    queue = pool.with_columns(turn=users_turn).sort("turn", "item")  # another user before the same one again
    place = pl.col("item").cum_count().over("stratum")
    sizes = dict(pool["stratum"].value_counts().sort("stratum").iter_rows())
    shares = allotted(sizes, n, traffic=traffic, given=Counter(beside))
    most = pl.col("stratum").replace_strict(shares, default=0, return_dtype=pl.Int64)
    return queue.with_columns(place=place).filter(pl.col("place") <= most).drop("turn", "place").sort("item")


def allotted(sizes: Traffic, n: int, *, traffic: Traffic, given: Mapping[str, int]) -> dict[str, int]:
    """How many of each stratum: one at a time to the one whose root of traffic is owed most; never more than it has."""
    shares = dict.fromkeys(sorted(sizes), 0)
    for _ in range(min(n, sum(sizes.values()))):
        unfilled = [name for name in shares if shares[name] < sizes[name]]
        owed = max(unfilled, key=lambda name: sqrt(traffic.get(name, 1)) / (given.get(name, 0) + shares[name] + 1))
        shares[owed] += 1
    return shares


def weighted(items: pl.DataFrame, traffic: Traffic) -> pl.DataFrame:
    """The items, each with its stratum's share of the traffic over its share of the items; on average 1."""
    counts = Counter(items["stratum"])
    whole = sum(traffic.get(name, 0) for name in counts) or 1
    weights = {name: round(traffic.get(name, 0) / whole * len(items) / n, 6) for name, n in counts.items()}
    return items.with_columns(weight=pl.col("stratum").replace_strict(weights, default=1.0, return_dtype=pl.Float64))


def strata(items: pl.DataFrame, traffic: Traffic) -> str:
    """What each stratum is of the traffic and of the items, as JSON; one without items is not measured, and says so."""
    counts = Counter(items["stratum"])
    told = {name: {"traffic": traffic.get(name, 0), "items": counts[name]} for name in sorted({*traffic, *counts})}
    return json.dumps(told)


def _with_stratum(lake: Lake, workload: str) -> pl.LazyFrame:
    """Everything sent that may be learned from, with its slice and the surest way in which it failed."""
    of = pl.col("workload") == workload
    cases = lake.scan("failure_cases").filter(of).select("answer", "failure", "confidence")
    surest = cases.sort("confidence", "failure", descending=[True, False]).unique("answer", keep="first")
    sent = _sent(lake, workload)
    named = pl.concat_str("slice", pl.col("failure").fill_null("none"), separator=" / ")
    columns = ["workload", "user", "conversation", "slice", "prompt", "request", "final", "answer", "time"]
    told = sent.select(columns).join(surest, on="answer", how="left").with_columns(stratum=named)
    return told.drop("failure", "confidence")


def _sent(lake: Lake, workload: str) -> pl.LazyFrame:
    return lake.scan("exchanges").filter(pl.col("workload") == workload, "may_train", pl.col("final").is_not_null())
