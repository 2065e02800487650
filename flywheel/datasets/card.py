"""The card of a dataset: what a person must know before they train on it.

Counts, the way from records to rows, the mix by rule and slice, length before and after, repetition, how much is one
user's, the hashes, a few rows, and how many lines every export has. Drawing it belongs in `assets`.
"""

import json
from math import sqrt
from typing import Any, NamedTuple

import polars as pl

from flywheel.datasets.evalset import standing
from flywheel.datasets.export import SPLITS
from flywheel.datasets.leakage import requests
from flywheel.datasets.near import clusters
from flywheel.errors import Terminal
from flywheel.lake import Lake

Z = 1.959964
STEPS = 20
"""Points of the users' curve."""
SAMPLES = 5
OPINIONS = {True: "desirable", False: "undesirable"}


class Latest(NamedTuple):
    """A dataset: its row in `datasets`, its rows and the labels that came with it in the order of their records."""

    dataset: dict[str, Any]
    rows: pl.DataFrame
    labels: pl.DataFrame


def latest(lake: Lake, workload: str) -> Latest:
    """The workload's latest dataset."""
    datasets = lake.read("datasets").filter(workload=workload).sort("cycle")
    if datasets.is_empty():
        raise Terminal(f"{workload} has no dataset yet", do=f"run a cycle, or flywheel train {workload}")
    dataset = datasets.row(-1, named=True)
    tables = (
        lake.scan(table).filter(workload=workload, dataset=dataset["dataset"]).collect().sort("record")
        for table in ("dataset_rows", "dataset_labels")
    )
    return Latest(dataset, *tables)


def keep_card(lake: Lake, workload: str) -> dict[str, Any]:
    """Make the card of the latest dataset and write its row in `cards`."""
    dataset, rows, labels = latest(lake, workload)
    hashes = {name: dataset[name] for name in ("dataset", "eval_set")}
    if seal := standing(lake, workload, "sealed"):
        hashes["sealed_set"] = seal.row["eval_set"]
    pairs = lake.scan("pairs").filter(~pl.col("trajectory"), workload=workload).select("chosen", "rejected", "day")
    before = pairs.filter(pl.col("day") <= dataset["cutoff"].date()).collect()
    steps = lake.read("funnel").filter(workload=workload, cycle=dataset["cycle"])
    told = card(dataset, rows, labels, before) | {"funnel": funnel(steps), "hashes": hashes}
    told["bridges"] = bridges(lake, workload)
    row = {
        **{name: told[name] for name in ("workload", "cycle", "dataset", "repeated")},
        "rows": len(rows),
        "users": told["users"]["users"],
        "longer_before": told["longer"]["before"]["share"],
        "longer": told["longer"]["after"]["share"],
        "top_user": told["users"]["top"],
        "card": json.dumps(told, default=str),
    }
    with lake.writing():
        where = {"workload": [workload], "cycle": [dataset["cycle"]]}
        lake.replace("cards", pl.DataFrame([row], infer_schema_length=None), where)
    return told


def card(dataset: dict[str, Any], rows: pl.DataFrame, labels: pl.DataFrame, before: pl.DataFrame) -> dict[str, Any]:
    """What the rows say of themselves; `before` are all pairs there were to choose from."""
    train = rows.filter(split="train")
    again = clusters(train.select(requests()).to_series()).is_duplicated()
    return {
        **{name: dataset[name] for name in ("workload", "cycle", "dataset", "cutoff", "events")},
        "counts": _counts(rows, "split", "kind"),
        "rules": _counts(train, "rule"),
        "slices": _counts(train, "slice"),
        "longer": {"before": longer(before), "after": longer(train.filter(kind="pair"))},
        "repeated": again.mean(),
        "users": _users(train),
        "labels": _counts(labels.with_columns(pl.col("desirable").replace_strict(OPINIONS)), "split", "desirable"),
        "exports": {split: _lines(rows, labels, split) for split in SPLITS},
        "samples": rows.head(SAMPLES).select("record", "kind", "split", "prompt", "chosen", "rejected").to_dicts(),
    }


def bridges(lake: Lake, workload: str) -> list[dict[str, Any]]:
    """From each version of the eval set to the next one judged: how far the items alone moved a model's score."""
    found = lake.read("bridges").filter(workload=workload).sort("cycle")
    return found.drop("workload").to_dicts()


def longer(pairs: pl.DataFrame) -> dict[str, Any]:
    """The share of pairs whose chosen side has more words than the other, with n and Wilson's 95 % interval."""
    words = [pl.col(side).str.split(" ").list.len() for side in ("chosen", "rejected")]
    told = pairs.filter(words[0] != words[1])
    n, hits = len(told), int(told.select((words[0] > words[1]).sum()).item())
    if n == 0:
        return {"share": None, "low": None, "high": None, "n": 0}
    centre, scale = (hits + Z**2 / 2) / (n + Z**2), Z / (n + Z**2)
    half = scale * sqrt(hits * (n - hits) / n + Z**2 / 4)
    return {"share": hits / n, "low": centre - half, "high": centre + half, "n": n}


def funnel(steps: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Of each kind how many records came, and how many were left by each rule that rejected any, as curation counted.

    What kept the same number is not told again; the table `funnel` has every rule.
    """
    kinds: dict[str, dict[str, int]] = {}
    for step in steps.sort("kind", "place").iter_rows(named=True):
        left = kinds.setdefault(step["kind"], {"records": step["records_in"]})
        if step["rejected"]:
            left[step["rule"]] = step["records_out"]
    return kinds


def _counts(rows: pl.DataFrame, *by: str) -> dict[str, int]:
    return {" ".join(row[:-1]): row[-1] for row in rows.group_by(by).len().sort(by).iter_rows()}


def _lines(rows: pl.DataFrame, labels: pl.DataFrame, split: str) -> dict[str, int]:
    """How many lines each export has for this split."""
    mine, opinions = rows.filter(split=split), labels.filter(pl.col("weight") > 0)
    kinds = mine.filter(pl.col("weight") > 0)["kind"].cast(pl.String).to_list()
    pairs, shown = kinds.count("pair"), kinds.count("demonstration")
    kto = len(opinions.filter(split=split)) if len(opinions) else 2 * pairs + shown
    return {"trl-sft": shown, "trl-dpo": pairs, "trl-kto": kto, "jsonl": len(mine)}


def _users(train: pl.DataFrame) -> dict[str, Any]:
    """How much of the rows the most frequent users have: of each twentieth of the users, with all before them."""
    if train.is_empty():
        return {"users": 0, "top": None, "curve": []}
    shares = train["user"].value_counts(sort=True)["count"].cum_sum() / len(train)
    users = len(shares)
    curve = [0.0, *(float(shares[max(0, round(users * step / STEPS) - 1)]) for step in range(1, STEPS + 1))]
    return {"users": users, "top": float(shares[0]), "curve": curve}
