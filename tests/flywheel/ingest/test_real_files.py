"""Logs that other people wrote, whole: every record counted, found where it is said to be."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flywheel.ingest import Taken, ingest, quarantined, waiting
from flywheel.lake import Lake
from flywheel.settings import parse
from tests.flywheel.ingest.logs import conserved

pytestmark = pytest.mark.skipif(
    "FLYWHEEL_REAL_DATA" not in os.environ, reason="FLYWHEEL_REAL_DATA names no folder of real logs"
)
REAL = Path(os.environ.get("FLYWHEEL_REAL_DATA", ".")).absolute()
NOW = datetime(2026, 12, 1, tzinfo=UTC)


def take(home: Path, name: str, **mapping: Any) -> tuple[Lake, Taken]:
    """Everything below a folder, by a source as flywheel.toml has it."""
    written = {"name": name.split("/")[0], "path": str(REAL / name), "workload": "real", **mapping}
    sources = parse({"start": "2024-01-01", "sources": [written], "workloads": {}}).sources
    lake = Lake(home)
    taken = ingest(lake, sources, now=NOW)
    conserved(home)
    again = ingest(lake, sources, now=NOW)
    assert (again.records, again.accepted, again.quarantined) == (0, 0, 0)  # nothing is new
    return lake, taken


def test_tensorzero(tmp_path: Path) -> None:
    lake, taken = take(tmp_path, "tensorzero")
    assert (taken.records, taken.accepted, taken.quarantined, taken.pending) == (6583, 6583, 0, 0)
    assert (taken.files, taken.events, taken.waiting, taken.branches) == (6, 6583, 167, 225)
    assert taken.by_type == {"edited": 594, "outcome": 1122, "rated": 1584, "response": 3283}
    joined = lake.sql("""
        SELECT count(*) AS demonstrations, count(DISTINCT edited.answer) AS answers
        FROM events AS edited JOIN events AS response
        ON edited.kind = 'edited' AND response.kind = 'response' AND response.id = edited.answer
    """)
    assert joined.row(0) == (594, 593)
    twice = lake.sql("""
        SELECT count(*) FROM (SELECT id FROM events WHERE kind IN ('rated', 'outcome') GROUP BY id HAVING count(*) = 2)
    """)
    assert twice.item() == 491
    assert not lake.read("events")["id_conflict"].any()
    assert int(waiting(lake)["events"].sum()) == 167


def test_realhumaneval(tmp_path: Path) -> None:
    columns = {"conversation": ["programmer_id", "task_name"], "prompt": "request", "accepted": "copy_events"}
    lake, taken = take(tmp_path, "realhumaneval/chat_data.csv", format="table", columns=columns)
    assert (taken.records, taken.accepted, taken.quarantined) == (1055, 1053, 2)
    assert taken.by_type == {"accepted": 362, "response": 1053}
    assert quarantined(lake)["reason"].to_list() == ["field request: empty"] * 2
    assert lake.read("events")["user"].n_unique() == 107


def test_creativity_eval(tmp_path: Path) -> None:
    columns = {"text": "preedit", "edited": "postedit", "prompt": "instruction"}
    lake, taken = take(tmp_path, "creativity_eval/W*_edits.json", format="table", columns=columns)
    assert (taken.records, taken.accepted, taken.files) == (150, 150, 3)
    assert taken.by_type == {"edited": 150, "response": 150}
    assert taken.waiting == 0
    assert lake.read("events").filter(kind="edited")["text"].null_count() == 0


def test_pandalm(tmp_path: Path) -> None:
    columns = {
        "prompt": ["instruction", "input"],
        "answers": ["response1", "response2"],
        "choices": ["annotator1", "annotator2", "annotator3"],
    }
    lake, taken = take(tmp_path, "pandalm/testset-v1.json", format="table", columns=columns)
    assert (taken.records, taken.accepted, taken.quarantined) == (999, 999, 0)
    assert taken.by_type == {"rated": 5994, "response": 1998}
    majority = lake.sql("""
        WITH judged AS (
            SELECT answer, count(*) FILTER (WHERE value > 0) AS votes FROM events WHERE kind = 'rated' GROUP BY ALL
        )
        SELECT count(DISTINCT parent) FROM judged JOIN events ON id = judged.answer
        WHERE kind = 'response' AND votes >= 2
    """)
    assert majority.item() == 894


@pytest.mark.parametrize("format", ["auto", "tau"])
def test_tau_bench(format: str, tmp_path: Path) -> None:
    lake, taken = take(tmp_path, "tau_bench", format=format)
    assert (taken.records, taken.accepted, taken.quarantined) == (200, 200, 0)
    calls = lake.read("events").filter(kind="tool_call")
    assert (len(calls), calls["error"].is_not_null().sum()) == (1164, 73)
    rewards = lake.read("events").filter(kind="outcome")["value"]
    assert (rewards.sum(), len(rewards)) == (84, 200)
    assert taken.masked["EMAIL"] > 0
    assert "@example.com" not in "".join(lake.read("events")["text"].drop_nulls())
