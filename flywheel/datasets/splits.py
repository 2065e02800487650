"""Which side of the wall a record is on, by its user and then by time.

Eval users are never trained on, development users steer training. The side is a hash of workload and user, so it never
changes, needs no table, and is the same on every machine. What steers must resemble what comes next: it is newer than
half of what trains, shares no conversation with it and asks nothing that nearly repeats it.
"""

import hashlib
from collections.abc import Sequence
from typing import Literal

import polars as pl

from flywheel.datasets.leakage import requests, without
from flywheel.settings import Workload

Side = Literal["eval", "development", "train"]


def side(workload: str, user: str, rules: Workload) -> Side:
    drawn = uniform(workload, user, "holdout")
    if drawn < rules.holdout:
        return "eval"
    return "development" if uniform(workload, user, "development") < rules.development else "train"


def apart(rows: pl.DataFrame, forms: Sequence[str]) -> pl.DataFrame:
    """The rows, without development rows that are older than half of the training rows or share what they know."""
    train, steers = rows.filter(split="train"), rows.filter(split="development")
    if len(train):
        steers = steers.filter(pl.col("day") >= train["day"].sort()[len(train) // 2])
    return pl.concat([train, without(steers, train.with_columns(requests()), forms)])


def uniform(*identity: str) -> float:
    """A number from 0 to 1 that is the same on every machine."""
    digest = hashlib.sha256("\x1f".join(identity).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
