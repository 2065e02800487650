"""The training rows of one workload at one cutoff.

The cutoff is the workload's watermark. A cycle is named by its cutoff: cutting again at the same cutoff is the same
cycle, so a run that was killed, or repeated, does not turn the wheel twice.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from flywheel.datasets.leakage import leaks, without
from flywheel.datasets.review import reviewed
from flywheel.datasets.rotation import advance
from flywheel.datasets.splits import apart, side
from flywheel.errors import BrokenInvariant, Terminal
from flywheel.lake import Lake
from flywheel.settings import Workload

SHARED = ["workload", "record", "kind", "split", "user", "conversation", "slice", "prompt", "chosen", "rejected"]
COUNTED = ("pairs", "rankings", "labels", "demonstrations")


@dataclass(frozen=True)
class Cut:
    """A dataset: its row in `datasets`, its rows, and the eval set it was kept away from."""

    dataset: pl.DataFrame
    rows: pl.DataFrame
    items: pl.DataFrame

    @property
    def cycle(self) -> int:
        return self.dataset["cycle"][0]

    @property
    def name(self) -> str:
        return self.dataset["dataset"][0]


def cut(lake: Lake, workload: str, rules: Workload) -> Cut:
    """Cut the dataset of the present cutoff and write it; its row in `datasets` is written last."""
    with lake.writing():
        cutoff, events = _cutoff(lake, workload)
        items = advance(lake, workload, rules)
        held = lake.read("eval_items").filter(pl.col("workload") == workload)
        records = {kind: _of(lake.read(kind), workload, rules, cutoff) for kind in COUNTED}
        reviews = lake.read("reviews").filter(pl.col("workload") == workload)
        pairs, shown = (reviewed(records[kind], reviews) for kind in ("pairs", "demonstrations"))
        rows = training_rows(pairs, shown, held, workload, rules)
        if any(found := leaks(rows, held)):
            raise BrokenInvariant(
                f"the dataset of {workload} knows its eval set", seen=found, do="report it; train nothing on it"
            )
        training = rows.filter(pl.col("split") == "train")
        dataset = pl.DataFrame({
            "workload": workload,
            "cycle": _cycle(lake.read("datasets"), workload, cutoff),
            "dataset": rows["dataset"][0] if len(rows) else "empty",
            "eval_set": items["eval_set"][0],
            "cutoff": cutoff,
            "events": events,
            **{kind: len(frame) for kind, frame in records.items()},
            "train_pairs": len(training.filter(pl.col("kind") == "pair")),
            "train_demonstrations": len(training.filter(pl.col("kind") == "demonstration")),
            "trajectories": sum(int(records[kind]["trajectory"].sum()) for kind in ("pairs", "demonstrations")),
        })  # fmt: skip
        if len(rows):
            lake.replace("dataset_rows", rows, {"workload": [workload], "dataset": [rows["dataset"][0]]})
        lake.replace("datasets", dataset, {"workload": [workload], "cycle": [dataset["cycle"][0]]})
    return Cut(dataset, rows, items)


def training_rows(
    pairs: pl.DataFrame, demonstrations: pl.DataFrame, items: pl.DataFrame, workload: str, rules: Workload
) -> pl.DataFrame:
    """Pairs and demonstrations of users who are not held out, on requests the eval set does not ask.

    Training knows texts only, so trajectories are left out; the dataset counts them.
    """
    both = pl.concat([
        pairs.with_columns(kind=pl.lit("pair")),
        demonstrations.rename({"completion": "chosen"}).with_columns(kind=pl.lit("demonstration")),
    ], how="diagonal").filter(~pl.col("trajectory"))  # fmt: skip
    sides = {user: side(workload, user, rules) for user in both["user"].unique()}
    split = pl.col("user").replace_strict(sides, return_dtype=pl.String)
    kept = both.with_columns(split=split).filter(pl.col("split") != "eval").rename({"id": "record"})
    kept = apart(without(kept, items)).select(*SHARED, "weight", "rule", "event_ids").sort("record")
    return kept.with_columns(dataset=pl.lit(_name(kept, items)))


def _cutoff(lake: Lake, workload: str) -> tuple[datetime, int]:
    events = lake.scan("events").filter(pl.col("workload") == workload)
    cutoff, count = events.select(pl.col("time").max(), n=pl.len()).collect().row(0)
    if cutoff is None:
        raise Terminal(f"{workload} has no events yet", do="log some with flywheel.capture, then run the job ingest")
    return cutoff, count


def _of(records: pl.DataFrame, workload: str, rules: Workload, cutoff: datetime) -> pl.DataFrame:
    """The workload's records up to the cutoff, or of the last days before it."""
    within = pl.col("day") <= cutoff.date()
    if rules.records == "window":
        within &= pl.col("day") >= (cutoff - timedelta(days=rules.window_days)).date()
    return records.filter((pl.col("workload") == workload) & within)


def _cycle(datasets: pl.DataFrame, workload: str, cutoff: datetime) -> int:
    """The rank of this cutoff among the workload's cutoffs."""
    return 1 + len(datasets.filter((pl.col("workload") == workload) & (pl.col("cutoff") < cutoff)))


def _name(rows: pl.DataFrame, items: pl.DataFrame) -> str:
    """The hash of all that a row says, and of the sets it was kept away from."""
    said = rows.select("record", "kind", "split", "prompt", "chosen", "rejected", "weight").iter_rows()
    content = json.dumps([sorted(items["eval_set"].unique()), *said])
    return hashlib.sha256(content.encode()).hexdigest()[:16]
