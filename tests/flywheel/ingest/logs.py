"""Small logs for the ingest tests, and what an ingest left behind, in a form that two lakes can be compared in."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from flywheel.ingest import Taken, ingest
from flywheel.lake import Lake
from flywheel.settings import Source

NOW = datetime(2026, 2, 1, tzinfo=UTC)
SOURCES = [Source(name="app", path="{home}/logs/*.jsonl")]


def rated(id: str, value: float = 1, at: str = "2026-01-05T09:30:00Z", **more: Any) -> bytes:
    record = {"v": 1, "kind": "rated", "id": id, "at": at, "workload": "drafts", "answer": "a", "value": value, **more}
    return json.dumps(record).encode() + b"\n"


def log(home: Path, files: Mapping[str, bytes], *, append: bool = False) -> None:
    (home / "logs").mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        with (home / "logs" / f"{name}.jsonl").open("ab" if append else "wb") as handle:
            handle.write(content)


def take(home: Path, now: datetime = NOW) -> Taken:
    return ingest(Lake(home), SOURCES, now=now)


def rows(home: Path, table: str) -> list[tuple[Any, ...]]:
    """The rows of a table without what depends on when and in which batch they came, sorted."""
    frame = Lake(home).read(table)
    dropped = {"ingest_files": ["batch", "time"], "quarantine": ["batch"]}.get(table, [])
    return sorted(frame.drop(dropped).rows(), key=repr)


def conserved(home: Path) -> None:
    """Each take of a file: records = accepted + repeated + quarantined; and all of it is where it is said to be."""
    files, bad = Lake(home).read("ingest_files"), Lake(home).read("quarantine")
    for took in files.iter_rows(named=True):
        assert took["records"] == took["accepted"] + took["repeated"] + took["quarantined"]
        assert took["events"] >= took["accepted"] >= 0
    name = ["source", "file"]
    said = files.group_by(name).agg(pl.col("quarantined").sum()).filter(pl.col("quarantined") != 0)
    assert sorted(said.rows()) == sorted(bad.group_by(name).len().rows())
    assert files["events"].sum() == len(Lake(home).read("events"))
