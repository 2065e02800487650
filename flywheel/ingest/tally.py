"""What an ingest took, counted: for the people who ran it, and for the decisions of a batch.

A row is remembered by hashes of what it says, so that millions fit in memory; the hashes are good for one process only.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from flywheel.lake import Lake


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What an ingest took: records = accepted + repeated + quarantined."""

    files: int = 0
    """Files with something new."""
    records: int = 0
    """Source records read; an empty line is none."""
    accepted: int = 0
    """Records that said something new."""
    repeated: int = 0
    """Records the lake already had."""
    quarantined: int = 0
    """Records that could not be read; `flywheel quarantine list` says why."""
    pending: int = 0
    """Files that end in an incomplete record, which is taken when it is complete."""
    events: int = 0
    """Events added."""
    waiting: int = 0
    """Events added that speak of an answer nobody has seen yet; they are joined when it arrives."""
    by_type: dict[str, int] = field(default_factory=dict)
    """Events added, by kind."""
    branches: int = 0
    """Prompts among them with more than one distinct answer."""
    masked: dict[str, int] = field(default_factory=dict)
    """Secrets and personal data masked, by class."""
    batch: str = ""
    """The last batch; empty when nothing was new."""
    days: tuple[date, ...] = ()
    """Days of events that were added or came into conflict."""

    def as_json(self) -> dict[str, Any]:
        """What the command line prints: counts alone."""
        return {name: value for name, value in self.__dict__.items() if name not in ("batch", "days")}


def index(rows: pl.DataFrame, records: pl.Series, part: int) -> pl.DataFrame:
    """Of each row what is asked about it later: which record it is from, and hashes of whom it speaks."""
    response = pl.col("kind") == "response"
    return rows.select(
        "key",
        pl.col("kind").cast(pl.Categorical),
        day=pl.col("time").dt.date(),
        part=pl.lit(part, pl.UInt32),
        record=records,
        id=pl.when(response).then(_hash("workload", "id")),
        talk=_hash("workload", "conversation"),
        answer=pl.when(~response).then(_hash("workload", "answer")),
        asks=pl.when(response).then(_hash("source", "workload", "parent")),
        says=pl.when(response).then(_hash("text")),
    )


def waiting(lake: Lake) -> pl.DataFrame:
    """The feedback whose answer nobody has logged: by workload, source, kind and answer."""
    return lake.sql("""
        SELECT source, workload, answer, kind, count(*) AS events, min(time) AS since
        FROM events
        WHERE kind <> 'response' AND answer IS NOT NULL
          AND (workload, answer) NOT IN (SELECT (workload, id) FROM events WHERE kind = 'response')
          AND (workload, answer) NOT IN (SELECT (workload, conversation) FROM events WHERE conversation IS NOT NULL)
        GROUP BY ALL ORDER BY since, source, answer
    """)


class Tally:
    """The counts of one ingest, batch by batch."""

    def __init__(self, lake: Lake) -> None:
        self._lake, self._before = lake, lake.version("events")
        self._files: list[pl.DataFrame] = []
        self._masked: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        self._days: set[date] = set()
        self._waiting: list[pl.DataFrame] = []
        self._answers: list[pl.DataFrame] = []

    def add(self, files: pl.DataFrame, index: pl.DataFrame, flagged: pl.DataFrame, masked: Counter[str]) -> None:
        self._files.append(files)
        self._masked += masked
        self._kinds += Counter(dict(index["kind"].cast(pl.String).value_counts().iter_rows()))
        self._days |= {*index["day"], *flagged["time"].dt.date()}
        known = pl.concat([index["id"], index["talk"]]).drop_nulls()
        asked = index.filter(pl.col("answer").is_not_null() & ~pl.col("answer").is_in(known.implode()))
        self._waiting.append(asked.group_by("answer").len())
        self._answers.append(index.select("asks", "says").drop_nulls().unique())

    def taken(self, pending: int) -> Taken:
        if not self._files:
            return Taken(pending=pending)
        files = pl.concat(self._files)
        counts = {name: int(files[name].sum()) for name in ("records", "accepted", "repeated", "quarantined", "events")}
        return Taken(
            files=files.select("source", "file").n_unique(),
            **counts,
            pending=pending,
            waiting=self._still_waiting(),
            by_type=dict(sorted(self._kinds.items())),
            branches=self._branches(),
            masked=dict(sorted(self._masked.items())),
            batch=files["batch"][-1],
            days=tuple(sorted(self._days)),
        )

    def _still_waiting(self) -> int:
        waiting = pl.concat(self._waiting).group_by("answer").agg(pl.col("len").sum())
        if waiting.is_empty():
            return 0
        answers, names = self._lake.scan("events"), waiting["answer"].implode()
        found = [
            answers.filter(pl.col("kind") == "response").select(answer=_hash("workload", "id")),
            answers.select(answer=_hash("workload", "conversation")),
        ]
        known = [each.filter(pl.col("answer").is_in(names)).unique().collect(engine="streaming") for each in found]
        return int(waiting.join(pl.concat(known), on="answer", how="anti")["len"].sum())

    def _branches(self) -> int:
        """Counted with the answers that were there before to the same prompts."""
        answers = pl.concat(self._answers).unique()
        if self._before >= 0:
            before = self._lake.scan("events", version=self._before).filter(pl.col("kind") == "response")
            before = before.with_columns(asks=_hash("source", "workload", "parent"))
            again = before.select("asks").filter(pl.col("asks").is_in(answers["asks"].implode())).unique().collect()
            if len(again):
                same = before.filter(pl.col("asks").is_in(again["asks"].implode()))
                answers = pl.concat([answers, same.select("asks", says=_hash("text")).collect()]).unique()
        return int((answers["asks"].value_counts()["count"] > 1).sum())


def _hash(*columns: str) -> pl.Expr:
    """Null where the last column is."""
    return pl.when(pl.col(columns[-1]).is_not_null()).then(pl.concat_str(columns, separator="\0").hash())
