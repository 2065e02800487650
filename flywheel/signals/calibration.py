"""How far to trust a signal: the confidence that its detector gave, corrected by what people said in an audit.

A pure function of (signals, audits), row by row, so that deriving a part gives what deriving everything gives. Two
hundred labels are few for thirty readings (kind, detail), so each leans on what stands above it: a reading on its kind,
a kind on all that this release of the detectors read, and that on the default. Each step is a Beta posterior with the
step above as its prior. Labels given to an older version of a detector count for nothing, and a reading that nobody
labelled keeps its default and says so (`audited` is false).
"""

import hashlib
import math
from typing import NamedTuple

import polars as pl

READING = ["kind", "detail", "detector"]
STRENGTH = {"all": 10.0, "kind": 30.0, "reading": 30.0}
"""How many labels weigh as much as what stands above. With 4, simulated audits of 200 err half as much again."""
BINS = 10


class Rate(NamedTuple):
    """A share with its n and its 95 % interval (Wilson)."""

    share: float
    low: float
    high: float
    n: int


def calibrated(signals: pl.DataFrame, audits: pl.DataFrame) -> pl.DataFrame:
    """The signals with `confidence` and `audited` as the audits have it; nothing else changes, nor the order."""
    if audits.is_empty():
        return signals
    told = signals.join(counted(audits), on=READING, how="left", nulls_equal=True, maintain_order="left")
    known = pl.col("n_reading").is_not_null()
    return told.with_columns(
        confidence=pl.when(known).then(_posterior(pl.col("confidence"))).otherwise("confidence"),
        audited=known,
    ).select(signals.columns)


def counted(audits: pl.DataFrame) -> pl.DataFrame:
    """The labels of each reading, how many and how many right; the same for its kind, and for all of that release."""
    labels = audits.with_columns(release=pl.col("detector").str.extract(r"@(.*)$").fill_null(""))
    steps = {"all": ["release"], "kind": ["kind", "detector"], "reading": READING}
    readings = labels.select(*READING, "release").unique()
    for step, by in steps.items():
        n, right = pl.len().cast(pl.Int64), pl.col("label").sum().cast(pl.Int64)
        told = labels.group_by(by).agg(n.alias(f"n_{step}"), right.alias(f"right_{step}"))
        readings = readings.join(told, on=by, nulls_equal=True)
    return readings.drop("release").sort(READING)


def digest(audits: pl.DataFrame) -> str:
    """A hash of all that the audits change; another one means that signals must be derived again."""
    return hashlib.sha256(counted(audits).write_json().encode()).hexdigest()[:32] if len(audits) else ""


def error(confidence: pl.Series, right: pl.Series, weight: pl.Series | None = None) -> float:
    """The expected calibration error: how far confidence lies from the share that is right, over ten bins of it."""
    rows = pl.DataFrame({"confidence": confidence, "right": right.cast(pl.Float64)})
    rows = rows.with_columns(weight=pl.lit(1.0) if weight is None else weight)
    gap = (pl.col("weight") * (pl.col("confidence") - pl.col("right"))).sum().abs()
    bins = rows.group_by((pl.col("confidence") * BINS).floor().clip(upper_bound=BINS - 1)).agg(gap=gap)
    return bins.select(pl.col("gap").sum()).item() / rows.select(pl.col("weight").sum()).item()


def estimated_errors(sizes: pl.DataFrame, audits: pl.DataFrame) -> tuple[float | None, float | None]:
    """The calibration error of all signals before and after, as the labels tell it.

    `sizes` are the signals of each reading (`n`): a label stands for its share of them. After: each label is judged by
    the others alone. Both err on the high side, by what chance moves so few labels.
    """
    sizes = sizes.select(*READING, size="n")
    told = audits.join(counted(audits), on=READING, nulls_equal=True, maintain_order="left")
    told = told.join(sizes, on=READING, how="left", nulls_equal=True, maintain_order="left")
    weight = (pl.col("size").fill_null(0) / pl.col("n_reading")).alias("weight")
    fewer = [pl.col(f"n_{step}") - 1 for step in STRENGTH]
    others = told.with_columns(weight, *fewer, *(pl.col(f"right_{step}") - pl.col("label") for step in STRENGTH))
    if not others["weight"].sum():
        return None, None
    after = others.select(_posterior(pl.col("confidence"))).to_series()
    before, label, weights = others["confidence"], others["label"], others["weight"]
    return error(before, label, weights), error(after, label, weights)


def wilson(right: int, n: int) -> Rate:
    """The share of n that is right, with its 95 % interval; all of it where n is 0."""
    if n == 0:
        return Rate(math.nan, 0.0, 1.0, 0)
    z, share = 1.96, right / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Rate(share, max(0.0, middle - half), min(1.0, middle + half), n)


def _posterior(default: pl.Expr) -> pl.Expr:
    believed = default
    for step, strength in STRENGTH.items():
        believed = (pl.col(f"right_{step}") + strength * believed) / (pl.col(f"n_{step}") + strength)
    return believed.round(6)  # the last bits depend on how many rows are computed together
