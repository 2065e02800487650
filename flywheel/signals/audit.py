"""The audit: some signals a person says yes or no to, and what that tells of all the others.

`draw` takes signals of every kind and detail, the same ones for the same seed, with all that was logged of each; `take`
reads the labels back; `summary` says how right each reading is. How a signal is told to a person belongs in
`audit_line`, what labels do to a confidence in `calibration`.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import polars as pl

from flywheel.errors import BadInput
from flywheel.lake import Lake
from flywheel.signals import audit_line, calibration
from flywheel.signals.audit_line import HOW, Line
from flywheel.tables import Audits

__all__ = ["HOW", "Summary", "Taken", "allotted", "draw", "page", "summary", "take"]

FEWEST = 2
"""Of each kind and detail at least so many are drawn, where there are so many and the draw is large enough."""
KEY = ["workload", "answer", "kind", "about", "detector"]

STRATA = """
SELECT kind, coalesce(detail, '') AS detail, count(*) AS n
FROM signals ANTI JOIN audits USING (workload, answer, kind, about, detector) GROUP BY ALL ORDER BY ALL
"""
# A hash of its key places a signal: the same draw in whatever order the rows lie. Texts join when the keys are chosen.
DRAWN = """
WITH placed AS (
    SELECT workload, answer, kind, about, coalesce(detail, '') AS detail,
        md5(concat_ws('/', $seed, workload, answer, kind, about)) AS mixed
    FROM signals ANTI JOIN audits USING (workload, answer, kind, about, detector)
),
drawn AS (
    SELECT placed.* FROM placed JOIN allotted USING (kind, detail)
    QUALIFY row_number() OVER (PARTITION BY kind, detail ORDER BY mixed, workload, answer, about) <= allotted.n
)
SELECT signals.*, epoch_us(exchanges.time) AS asked, exchanges.request, exchanges.response, exchanges.final
FROM signals JOIN drawn USING (workload, answer, kind, about) JOIN exchanges USING (workload, answer)
ORDER BY md5(mixed), workload, answer, kind, about
"""
HAPPENED = """
SELECT workload, answer, epoch_us(time) AS at, kind, text, value, name, error, visible, dwell_ms
FROM events SEMI JOIN drawn USING (workload, answer) ORDER BY time, key
"""
FOLLOWED = """
SELECT workload, conversation, epoch_us(time) AS at, request, response
FROM exchanges SEMI JOIN drawn USING (workload, conversation) ORDER BY time, answer
"""
KNOWN = """
SELECT workload, answer, kind, about, detector, detail
FROM signals SEMI JOIN given USING (workload, answer, kind, about)
"""
COUNTS = """
SELECT kind, detail, detector, count(*) AS n, avg(confidence) AS confidence FROM signals GROUP BY ALL
"""


class Taken(NamedTuple):
    """What was read back: labels kept, lines without one, and a sentence for each line that could not be read."""

    labelled: int
    unlabelled: int
    bad: list[str]


@dataclass(frozen=True)
class Summary:
    """Each reading with its precision and confidence, and the calibration error before and after (None: no labels)."""

    readings: pl.DataFrame
    labels: int
    error_before: float | None
    error_after: float | None


def draw(lake: Lake, n: int, seed: int) -> list[Line]:
    """Signals to label that nobody labelled yet: some of each kind and detail, and more of what is more frequent."""
    strata = lake.sql(STRATA)
    sizes = {(kind, detail): size for kind, detail, size in strata.iter_rows()}
    if not sizes:
        what = "there is no signal that nobody labelled yet"
        raise BadInput(what, seen=f"{lake.count('signals')} signals", do="run flywheel derive when there are new logs")
    shares = allotted(sizes, n)
    wanted = pl.DataFrame([(*key, share) for key, share in shares.items()], ["kind", "detail", "n"], orient="row")
    drawn = lake.sql(DRAWN.replace("$seed", f"'{int(seed)}'"), allotted=wanted)
    keys = drawn.select("workload", "answer", "conversation").unique()
    happened = lake.sql(HAPPENED, drawn=keys).partition_by("workload", "answer", as_dict=True)
    followed = lake.sql(FOLLOWED, drawn=keys).partition_by("workload", "conversation", as_dict=True)
    none = pl.DataFrame()
    return [
        audit_line.told(
            row,
            happened.get((row["workload"], row["answer"]), none).to_dicts(),
            followed.get((row["workload"], row["conversation"]), none).to_dicts(),
        )
        for row in drawn.to_dicts()
    ]


def allotted(sizes: Mapping[tuple[str, str], int], n: int) -> dict[tuple[str, str], int]:
    """How many of each stratum: a few of each first, the rest by size; never more than there are."""
    few = min(FEWEST, n // max(len(sizes), 1))
    shares = {key: min(size, few) for key, size in sizes.items()}
    while (left := min(n, sum(sizes.values())) - sum(shares.values())) > 0:
        open_sizes = {key: size for key, size in sizes.items() if shares[key] < size}
        # One more to whom the sizes owe most, counting what it has: Sainte-Laguë, largest first.
        owed = max(open_sizes, key=lambda key: (open_sizes[key] / (2 * shares[key] + 1), key))
        shares[owed] += min(left, 1)
    return {key: share for key, share in shares.items() if share}


def take(lake: Lake, lines: Iterable[str]) -> Taken:
    """Keep the labels of a file that `draw` wrote; a label given again replaces the one before."""
    read = [(number, audit_line.read(line)) for number, line in enumerate(lines, 1) if line.strip()]
    given = [line.model_dump() | {"line": number} for number, line in read if not isinstance(line, str)]
    bad = [(number, why) for number, why in read if isinstance(why, str)]
    rows = pl.DataFrame(given, {**Audits.create_empty().schema, "line": pl.Int64}, orient="row")
    known = lake.sql(KNOWN, given=rows) if len(rows) else rows
    stray = rows.join(known, on=[*KEY, "detail"], how="anti", nulls_equal=True)
    bad += [(number, "there is no such signal now; draw again") for number in stray["line"]]
    labels = rows.filter(~pl.col("line").is_in(stray["line"].implode()))
    kept = labels.filter(pl.col("label").is_not_null())
    if len(kept):
        _store(lake, kept)
    sentences = [f"line {number}: {why}." for number, why in sorted(bad)]
    return Taken(len(kept), len(labels) - len(kept), sentences)


def page(lines: Sequence[Line], name: str) -> str:
    """The review page of these lines, which saves them under `name`: one file that asks nothing of any network."""
    template = Path(__file__).with_suffix(".html").read_text()
    data = {"{lines}": _embedded(lines), "{name}": _embedded(name)}
    return re.sub("|".join(map(re.escape, data)), lambda place: data[place[0]], template)


def summary(lake: Lake) -> Summary:
    """How right each reading is by the labels, and how sure the wheel was and is."""
    audits, counts = lake.read("audits"), lake.sql(COUNTS)
    after = calibration.calibrated(audits.with_columns(audited=pl.lit(False)), audits)["confidence"]
    by_reading = audits.with_columns(after=after).group_by(calibration.READING)
    labelled = by_reading.agg(
        labelled=pl.len().cast(pl.Int64),
        right=pl.col("label").sum().cast(pl.Int64),
        before=pl.col("confidence").mean(),
        after=pl.col("after").mean(),
    )
    told = counts.join(labelled, on=calibration.READING, how="left", nulls_equal=True)
    told = told.with_columns(pl.col("labelled", "right").fill_null(0))
    rates = pl.DataFrame(
        [calibration.wilson(right, n)[:3] for right, n in told.select("right", "labelled").iter_rows()],
        {"share": pl.Float64, "low": pl.Float64, "high": pl.Float64},
        orient="row",
    )
    readings = pl.concat([told, rates], how="horizontal").select(
        *calibration.READING,
        "n",
        "labelled",
        pl.col(rates.columns).fill_nan(None),
        pl.coalesce("before", "confidence").alias("confidence"),
        pl.coalesce("after", "confidence").alias("after"),
        audited=pl.when(pl.col("labelled") > 0).then(pl.lit("audited")).otherwise(pl.lit("default, not audited")),
    )
    errors = calibration.estimated_errors(counts, audits) if len(audits) else (None, None)
    return Summary(readings.sort("kind", "detail", nulls_last=False), len(audits), *errors)


def _embedded(value: object) -> str:
    """JSON that no text in it can end or leave: a page's script sees it as data."""
    text = json.dumps(value)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _store(lake: Lake, given: pl.DataFrame) -> None:
    """One commit: what these workloads' audits were, with these labels in place of older ones."""
    with lake.writing():
        workloads = given["workload"].unique().sort().to_list()
        stored = lake.read("audits").filter(pl.col("workload").is_in(workloads))
        merged = pl.concat([stored, given.select(stored.columns)]).unique(KEY, keep="last", maintain_order=True)
        lake.replace("audits", merged, {"workload": workloads})
