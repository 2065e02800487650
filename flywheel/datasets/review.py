"""The review: doubtful records that a person says yes or no to, and what becomes of them.

`draw` takes those the wheel is least sure of, one JSON line each; `take` reads the labels back; `reviewed` tells
curation. They are no audit: doubtful records are no fair sample, so the confidence of no other is learned from them.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import polars as pl

from flywheel.datasets.splits import side
from flywheel.errors import BadInput
from flywheel.lake import Lake
from flywheel.settings import Workload
from flywheel.tables import Reviews

HOW = (
    "Set `label` to true where a model should learn this, to false where it should not; leave null what you cannot say."
)
ASKED = {
    "pair": "Is `chosen` the better answer to the prompt than `rejected`?",
    "demonstration": "Is `chosen` what the answer should have been?",
}
SHOWN = ["workload", "record", "kind", "rule", "confidence", "prompt", "chosen", "rejected"]
Line = dict[str, Any]


class Taken(NamedTuple):
    """What was read back: labels kept, lines without one, and a sentence for each line that could not be read."""

    labelled: int
    unlabelled: int
    bad: list[str]


def draw(lake: Lake, workload: str, rules: Workload, n: int) -> list[Line]:
    """Records of users who are not held out that nobody has reviewed, those nearest to a toss-up first."""
    known = lake.read("reviews").filter(pl.col("workload") == workload)["record"]
    found = _records(lake, workload).filter(~pl.col("record").is_in(known.implode()))
    held_out = [user for user in found["user"].unique() if side(workload, user, rules) == "eval"]
    doubt = (pl.col("confidence") - 0.5).abs().round(6)
    ranked = found.filter(~pl.col("user").is_in(held_out)).sort(doubt, "record")
    if ranked.is_empty():
        what = "there is no record that nobody has reviewed"
        raise BadInput(what, seen=f"{len(known)} reviewed", do="run flywheel derive when there are new logs")
    lines = ranked.head(n).select(SHOWN).to_dicts()
    return [{**line, "says": _digest(line), "asked": ASKED[line["kind"]], "label": None} for line in lines]


def take(lake: Lake, workload: str, lines: Iterable[str]) -> Taken:
    """Keep the labels of a file that `draw` wrote; a label given again replaces the one before."""
    now = {line["record"]: line for line in _records(lake, workload).select(SHOWN).to_dicts()}
    given, unlabelled, bad = dict[str, Line](), 0, list[str]()
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        read = _read(text, now)
        if isinstance(read, str):
            bad.append(f"line {number}: {read}.")
        elif read["label"] is None:
            unlabelled += 1
        else:
            given[read["record"]] = read
    if given:
        rows = pl.DataFrame(list(given.values()), infer_schema_length=None).select(list(Reviews.columns()))
        with lake.writing():
            lake.replace("reviews", rows, {"workload": [workload], "record": list(given)})
    return Taken(len(given), unlabelled, bad)


def reviewed(records: pl.DataFrame, reviews: pl.DataFrame) -> pl.DataFrame:
    """The records with those a person said no to `refused`; of those they said yes to the wheel is sure."""
    said = dict(reviews.select("record", "label").iter_rows())
    label = pl.col("id").replace_strict(said, default=None, return_dtype=pl.Boolean)
    sure = pl.when(label).then(1.0).otherwise("confidence")
    return records.with_columns(refused=(~label).fill_null(False), confidence=sure)


def _records(lake: Lake, workload: str) -> pl.DataFrame:
    of = pl.col("workload") == workload
    texts = of & ~pl.col("trajectory")
    pairs = lake.scan("pairs").filter(texts).with_columns(kind=pl.lit("pair"))
    shown = lake.scan("demonstrations").filter(texts).with_columns(kind=pl.lit("demonstration"))
    both = pl.concat([pairs, shown.rename({"completion": "chosen"})], how="diagonal").rename({"id": "record"})
    return both.select(*SHOWN, "user").collect()


def _read(text: str, now: dict[str, Line]) -> Line | str:
    """One line as it was drawn and labelled, or what is wrong with it."""
    try:
        line = json.loads(text)
    except json.JSONDecodeError:
        return "not JSON"
    if not isinstance(line, dict) or not isinstance(line.get("record"), str):
        return "not a line that was drawn"
    if not (line.get("label") is None or isinstance(line["label"], bool)):
        return "the label is neither true, false nor null"
    stands = now.get(line["record"])
    if stands is None or line.get("says") != _digest(stands):
        return "there is no such record now; draw again"
    return {**stands, "label": line.get("label")}


def _digest(line: Line) -> str:
    """What was shown, so that a label never falls on a record that says something else by now."""
    shown = json.dumps([line["prompt"], line["chosen"], line["rejected"]])
    return hashlib.sha256(shown.encode()).hexdigest()[:12]
