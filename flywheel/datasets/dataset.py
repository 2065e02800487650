"""The training rows of one workload at one cutoff.

The cutoff is the workload's watermark. A cycle is named by its cutoff: cutting again at the same cutoff is the same
cycle, so a run that was killed, or repeated, does not turn the wheel twice.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from flywheel.datasets.candidates import candidates
from flywheel.datasets.curation import Curated, curate
from flywheel.datasets.evalset import frozen_forms
from flywheel.datasets.leakage import leaks
from flywheel.datasets.review import reviewed
from flywheel.datasets.rotation import advance
from flywheel.errors import BrokenInvariant, Terminal
from flywheel.lake import Lake
from flywheel.settings import Workload

SHARED = ["workload", "record", "kind", "split", "user", "conversation", "slice", "prompt", "chosen", "rejected"]
SHARED += ["trajectory"]
LABELLED = ["workload", "record", "split", "user", "conversation", "slice", "prompt", "response", "desirable", "weight"]
LABELLED += ["rule", "event_ids"]
WALLED = ["split", "user", "conversation", "prompt"]
"""What leaks are looked for in."""
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
        items, forms = advance(lake, workload, rules), frozen_forms(lake, workload)
        held = lake.read("eval_items").filter(pl.col("workload") == workload)
        records = {kind: _of(lake.scan(kind), workload, rules, cutoff) for kind in COUNTED}
        reviews = lake.read("reviews").filter(pl.col("workload") == workload)
        told = records | {kind: reviewed(records[kind], reviews) for kind in ("pairs", "demonstrations")}
        asked = candidates(lake, told, held, forms, workload=workload, rules=rules)
        curated = curate(asked, held, rules, forms=forms)
        rows, opinions = training_rows(curated.kept), labels(curated.kept)
        name = _name(rows, opinions, held)
        rows, opinions = (frame.with_columns(dataset=pl.lit(name)) for frame in (rows, opinions))
        if any(found := leaks(pl.concat([rows.select(WALLED), opinions.select(WALLED)]), held, forms)):
            raise BrokenInvariant(
                f"the dataset of {workload} knows its eval set", seen=found, do="report it; train nothing on it"
            )
        training, verdicts = (frame.filter(pl.col("split") == "train") for frame in (rows, opinions))
        dataset = pl.DataFrame({
            "workload": workload,
            "cycle": _cycle(lake.read("datasets"), workload, cutoff),
            "dataset": name,
            "eval_set": items["eval_set"][0],
            "cutoff": cutoff,
            "events": events,
            **{kind: len(frame) for kind, frame in records.items()},
            "train_pairs": len(training.filter(pl.col("kind") == "pair")),
            "train_demonstrations": len(training.filter(pl.col("kind") == "demonstration")),
            "train_labels": len(verdicts),
            "train_desirable": verdicts["desirable"].sum(),
            "trajectories": sum(int(records[kind]["trajectory"].sum()) for kind in ("pairs", "demonstrations")),
        })  # fmt: skip
        _keep(lake, curated, workload, dataset["cycle"][0])
        if len(rows):
            lake.replace("dataset_rows", rows, {"workload": [workload], "dataset": [name]})
        lake.replace("dataset_labels", opinions, {"workload": [workload], "dataset": [name]})
        lake.replace("datasets", dataset, {"workload": [workload], "cycle": [dataset["cycle"][0]]})
    return Cut(dataset, rows, items)


def training_rows(kept: pl.DataFrame) -> pl.DataFrame:
    """The pairs and demonstrations that curation kept."""
    return kept.filter(pl.col("kind") != "label").select(*SHARED, "weight", "rule", "event_ids").sort("record")


def labels(kept: pl.DataFrame) -> pl.DataFrame:
    """The opinions on one answer that curation kept."""
    found = kept.filter(pl.col("kind") == "label").rename({"chosen": "response"}).sort("record")
    return found.select(LABELLED)


def _keep(lake: Lake, curated: Curated, workload: str, cycle: int) -> None:
    """The funnel of this cycle, and what it rejected."""
    where = {"workload": [workload], "cycle": [cycle]}
    for table, frame in (("rejected", curated.rejected), ("funnel", curated.funnel)):
        lake.replace(table, frame.with_columns(workload=pl.lit(workload), cycle=pl.lit(cycle)), where)


def _cutoff(lake: Lake, workload: str) -> tuple[datetime, int]:
    events = lake.scan("events").filter(pl.col("workload") == workload)
    cutoff, count = events.select(pl.col("time").max(), n=pl.len()).collect().row(0)
    if cutoff is None:
        raise Terminal(f"{workload} has no events yet", do="log some with flywheel.capture, then run the job ingest")
    return cutoff, count


def _of(records: pl.LazyFrame, workload: str, rules: Workload, cutoff: datetime) -> pl.DataFrame:
    """The workload's records up to the cutoff, or of the last days before it."""
    within = pl.col("day") <= cutoff.date()
    if rules.records == "window":
        within &= pl.col("day") >= (cutoff - timedelta(days=rules.window_days)).date()
    return records.filter((pl.col("workload") == workload) & within).collect()


def _cycle(datasets: pl.DataFrame, workload: str, cutoff: datetime) -> int:
    """The rank of this cutoff among the workload's cutoffs."""
    return 1 + len(datasets.filter((pl.col("workload") == workload) & (pl.col("cutoff") < cutoff)))


def _name(rows: pl.DataFrame, opinions: pl.DataFrame, items: pl.DataFrame) -> str:
    """The hash of all that a row and an opinion say, and of the sets they were kept away from."""
    if not (len(rows) or len(opinions)):
        return "empty"
    digest = hashlib.sha256(json.dumps(sorted(items["eval_set"].unique())).encode())
    for frame in (
        rows.select("record", "kind", "split", "prompt", "chosen", "rejected", "weight"),
        opinions.select("record", "split", "prompt", "response", "desirable", "weight"),
    ):
        for row in frame.iter_rows():
            digest.update(json.dumps(row).encode())
    return digest.hexdigest()[:16]
