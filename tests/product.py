"""A product for tests: it writes real log lines through `flywheel.capture`, which a real ingest takes into a real
lake.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flywheel import settings
from flywheel.capture.events import Accepted, Edited, Event, Message, Rated, Response, Shown
from flywheel.capture.writer import Writer
from flywheel.ingest import ingest
from flywheel.lake import Lake

MONDAY = datetime(2026, 1, 5, 9, tzinfo=UTC)
LATER = datetime(2026, 3, 1, tzinfo=UTC)


def at(minutes: float) -> str:
    return (MONDAY + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def answer(id: str, minutes: float = 0, **fields: Any) -> Response:
    given = {
        "workload": "drafts",
        "conversation": f"talk-{id}",
        "user": f"user-{id}",
        "parent": f"ask-{id}",
        "text": "Sorry about that. Your order is on its way.",
        "model": "base",
        "tags": {"segment": "retail"},
    } | fields
    request = given.pop("request", f"Where is order {id}?")
    prompt = given.pop("prompt", [Message(role="user", content=request)])
    return Response(id=id, at=at(minutes), prompt=prompt, **given)


def shown(id: str, minutes: float, **fields: Any) -> Shown:
    return Shown(id=f"shown-{id}", at=at(minutes), workload="drafts", answer=id, **fields)


def edited(id: str, text: str, minutes: float, **fields: Any) -> Edited:
    named: dict[str, Any] = {"workload": "drafts"} | fields
    return Edited(id=f"edit-{id}-{minutes}", at=at(minutes), answer=id, text=text, **named)


def accepted(id: str, minutes: float, **fields: Any) -> Accepted:
    named: dict[str, Any] = {"workload": "drafts"} | fields
    return Accepted(id=f"accept-{id}", at=at(minutes), answer=id, how="sent", **named)


def rated(id: str, value: float, minutes: float, **fields: Any) -> Rated:
    return Rated(id=f"rate-{id}-{minutes}", at=at(minutes), workload="drafts", answer=id, value=value, **fields)


def read(home: Path, **changes: Any) -> settings.Settings:
    """Settings of a wheel with one workload, whose product logs into its state folder."""
    written = {
        "home": home,
        "start": MONDAY.date(),
        "sources": [{"name": "product", "path": "{home}/logs/*.jsonl"}],
        "workloads": {"drafts": {"base_model": "{home}/base"}},
        "slices": [{"name": "retail", "tags": {"segment": "retail"}}],
    }
    return settings.parse(written | changes)


def take(home: Path, events: Iterable[Event]) -> Lake:
    """Log these events and ingest them."""
    Writer(home / "logs").write_all(list(events))
    lake = Lake(home)
    ingest(lake, read(home).sources, now=LATER)
    return lake
