"""Logs that other people wrote: the numbers that are known of them are found again."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flywheel.ingest import ingest
from flywheel.lake import Lake
from flywheel.settings import parse
from flywheel.signals import Derived, derive
from flywheel.signals.edit import distances
from tests.flywheel.ingest.test_real_files import NOW

pytestmark = pytest.mark.skipif(
    "FLYWHEEL_REAL_DATA" not in os.environ, reason="FLYWHEEL_REAL_DATA names no folder of real logs"
)
REAL = Path(os.environ.get("FLYWHEEL_REAL_DATA", ".")).absolute()


def read(home: Path, name: str, **mapping: Any) -> tuple[Lake, Derived]:
    """What is derived of a folder of logs, a month after its last event."""
    source = {"name": name.split("/")[0], "path": str(REAL / name), "workload": "real", **mapping}
    settings = parse({"start": "2024-01-01", "sources": [source], "workloads": {}})
    lake = Lake(home)
    ingest(lake, settings.sources, now=NOW)
    events = lake.read("events")
    marks = dict(events.group_by("workload").agg(pl.col("time").max() + timedelta(days=30)).iter_rows())
    return lake, derive(events, marks, settings.signals)


def counts(derived: Derived, kind: str, by: str = "detail") -> dict[str, int]:
    return dict(derived.signals.filter(kind=kind)[by].value_counts().iter_rows())


def test_tensorzero_s_demonstrations_are_edits_once_json_is_compared_by_what_it_says(tmp_path: Path) -> None:
    lake, derived = read(tmp_path, "tensorzero")
    each = lake.sql("""
        SELECT response.text AS response, edited.text AS text FROM events AS edited JOIN events AS response
        ON edited.kind = 'edited' AND response.kind = 'response' AND response.id = edited.answer
    """)
    assert ((each["response"] != each["text"]).sum(), (distances(each) > 0).sum()) == (589, 585)
    # One answer has two demonstrations; the later one is what was kept.
    assert sum(counts(derived, "edit").values()) == 584
    raters = lake.sql("SELECT count(*) FROM events WHERE kind = 'rated' AND component = 'evaluator'").item()
    assert raters > 0
    assert sum(counts(derived, "rating").values()) + raters < lake.sql("FROM events WHERE kind = 'rated'").height


def test_writers_edits_all_teach(tmp_path: Path) -> None:
    columns = {"text": "preedit", "edited": "postedit", "prompt": "instruction"}
    _, derived = read(tmp_path, "creativity_eval/W*_edits.json", format="table", columns=columns)
    edits = derived.signals.filter(kind="edit").join(derived.exchanges, on=["workload", "answer"])
    assert (len(edits), (edits["weight"] > 0).sum()) == (150, 150)
    assert 0.05 < edits["value"].min() < 0.3 < edits["value"].median() < 0.5  # pyright: ignore
    words = {name: edits[name].str.split(" ").list.len() for name in ("text", "response")}
    assert 0.7 < (words["text"] < words["response"]).mean() < 0.8  # pyright: ignore


def test_copied_then_complained(tmp_path: Path) -> None:
    columns = {"conversation": ["programmer_id", "task_name"], "prompt": "request", "accepted": "copy_events"}
    _, derived = read(tmp_path, "realhumaneval/chat_data.csv", format="table", columns=columns)
    negative = derived.signals.filter(kind="correction")["answer"]
    used = derived.exchanges.filter(pl.col("final").is_not_null())["answer"]
    assert (len(negative), len(set(negative) & set(used))) == (90, 52)  # 58 %; other follow-ups: 29 %
    assert counts(derived, "acceptance") == {"copied": 310, "revoked": 52}
    revoked = derived.signals.filter(kind="acceptance", detail="revoked")
    assert set(revoked["answer"]) == set(negative) & set(used)
    assert set(revoked["value"]) == {-1.0}


def test_an_agent_s_tool_errors_are_all_of_the_model_s_making(tmp_path: Path) -> None:
    """Its simulated airline never times out; it only says which rule was broken."""
    lake, derived = read(tmp_path, "tau_bench", format="tau")
    told = counts(derived, "tool_failure")
    assert told.get("model", 0) + told.get("environment", 0) == 73
    assert (told["model"], told["retry"]) == (73, 15)
    assert lake.read("events")["error"].is_not_null().sum() == 73
    # What its users answer to its questions is no blame.
    assert counts(derived, "correction") == {}


def test_every_judge_keeps_their_verdict(tmp_path: Path) -> None:
    columns = {
        "prompt": ["instruction", "input"],
        "answers": ["response1", "response2"],
        "choices": ["annotator1", "annotator2", "annotator3"],
    }
    _, derived = read(tmp_path, "pandalm/testset-v1.json", format="table", columns=columns)
    assert counts(derived, "rating") == {"up": 2671, "down": 2671, "neutral": 652}
    ratings = derived.signals.filter(kind="rating")
    assert ratings["about"].n_unique() == 3
    assert set(ratings.filter(pl.col("value") == 0)["weight"]) == {0.0}
    assert set(derived.signals["kind"]) == {"rating"}  # nobody was there to abandon anything
