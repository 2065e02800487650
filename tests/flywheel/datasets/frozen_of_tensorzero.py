"""A process of its own that freezes the sets of TensorZero's log: `python -m ... FOLDER LOGS SEED`, names on stdout.

The lines of its files are shuffled by the seed, and a day after the log somebody asks once more, which closes it.
"""

import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from flywheel import records, signals
from flywheel.capture.events import Message, Response
from flywheel.capture.writer import Writer
from flywheel.datasets import advance, sealed
from flywheel.ingest import ingest
from flywheel.lake import Lake
from flywheel.settings import Gate, Settings, Workload, parse

NOW = datetime(2026, 12, 1, tzinfo=UTC)
RULES = Workload(base_model="none", eval_items=60, gate=Gate(min_users=50, sealed_items=20))


def main(home: Path, logs: Path, seed: int) -> None:
    for file in logs.glob("*.jsonl"):
        lines = file.read_text().splitlines()
        random.Random(seed).shuffle(lines)
        copy = home / "tensorzero" / file.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text("\n".join(lines) + "\n")
    lake, rules = Lake(home), _settings(home)
    ingest(lake, rules.sources, now=NOW)
    _ask_again(home, lake.scan("events").select(pl.col("time").max()).collect().item())
    ingest(lake, rules.sources, now=NOW)
    for stage in (signals, records):
        stage.catch_up(lake, rules)
    items = advance(lake, "tensorzero", RULES)
    kept = sealed(lake, "tensorzero")
    sys.stdout.write(f"{items['eval_set'][0]} {len(items)} {kept['eval_set'][0]} {len(kept)}\n")


def _settings(home: Path) -> Settings:
    sources = [
        {"name": "tensorzero", "path": f"{home}/tensorzero/*.jsonl", "format": "tensorzero", "workload": "tensorzero"},
        {"name": "product", "path": f"{home}/logs/*.jsonl"},
    ]
    return parse({"home": home, "start": "2024-01-01", "sources": sources, "workloads": {}})


def _ask_again(home: Path, last: datetime) -> None:
    at = (last + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    named: dict[str, Any] = {
        "id": "later",
        "at": at,
        "workload": "tensorzero",
        "parent": "snow",
        "model": "m",
        "text": "",
    }
    asked = Response(**named, prompt=[Message(role="user", content="Snow")])
    Writer(home / "logs").write_all([asked])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
