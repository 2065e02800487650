"""A log of the playground's people in a lake of its own, derived by the real code, beside what they truly did."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from flywheel import settings, signals
from flywheel.capture.writer import Writer
from flywheel.ingest import ingest
from flywheel.lake import Lake
from flywheel.playground.by_chance import play_by_chance  # noqa: TID251  measured here, never used
from flywheel.playground.world import first_day, read  # noqa: TID251

LATER = datetime(2026, 12, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Scene:
    """Some weeks of people who were read, and their truth."""

    lake: Lake
    settings: settings.Settings
    truth: list[dict[str, Any]]

    @property
    def signals(self) -> pl.DataFrame:
        return self.lake.read("signals")

    def closed(self) -> set[str]:
        """The answers whose conversation is over: an open one is censored."""
        return set(self.lake.scan("exchanges").filter("closed").select("answer").collect()["answer"])


def played(home: Path, seed: int, *, weeks: int = 3, users: int = 200, **world: Any) -> Scene:
    """Play, ingest and derive; `world` are further settings of the playground."""
    people = read({"seed": seed, "users": users, **world})
    truth: list[dict[str, Any]] = []
    for week in range(1, weeks + 1):
        events, told = play_by_chance(people, week)
        Writer(home / "logs").write_all(events)
        truth += told
    wheel = _wheel(home, people.requests, first_day(people, 1).isoformat())
    lake = Lake(home)
    ingest(lake, wheel.sources, now=LATER)
    signals.catch_up(lake, wheel)
    return Scene(lake, wheel, truth)


def _wheel(home: Path, workloads: Mapping[str, float], start: str) -> settings.Settings:
    return settings.parse(
        {
            "home": home,
            "start": start,
            "sources": [{"name": "product", "path": "{home}/logs/*.jsonl"}],
            "workloads": {workload: {"base_model": "{home}/base"} for workload in workloads},
        }
    )
