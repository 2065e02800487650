"""Logs that other people wrote, all the way to records: the counts that were taken of them by hand."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flywheel import records, signals
from flywheel.capture.events import Event
from flywheel.ingest import ingest
from flywheel.lake import Lake
from flywheel.settings import Records, Signals, parse
from tests.flywheel.records.made import count, of
from tests.product import answer, rated, take

pytestmark = pytest.mark.skipif(
    "FLYWHEEL_REAL_DATA" not in os.environ, reason="FLYWHEEL_REAL_DATA names no folder of real logs"
)
REAL = Path(os.environ.get("FLYWHEEL_REAL_DATA", ".")).absolute()
NOW = datetime(2026, 12, 1, tzinfo=UTC)


def derived(lake: Lake) -> dict[str, pl.DataFrame]:
    """The records of a log in which every conversation is over."""
    events = lake.read("events")
    later = {workload: NOW + timedelta(days=9) for workload in events["workload"].unique()}
    found = signals.derive(events, later, Signals())
    return records.derive(found.exchanges, found.signals, Records(), Signals())


def read(home: Path, name: str, **mapping: Any) -> dict[str, pl.DataFrame]:
    """Everything below a folder, by a source as flywheel.toml has it."""
    written = {"name": name.split("/")[0], "path": str(REAL / name), "workload": "real", **mapping}
    sources = parse({"start": "2024-01-01", "sources": [written], "workloads": {}}).sources
    lake = Lake(home)
    ingest(lake, sources, now=NOW)
    return derived(lake)


def test_tau_bench(tmp_path: Path) -> None:
    found = read(tmp_path, "tau_bench", format="tau")
    pairs = of(found, "run_pair")
    assert (len(pairs), pairs["unit"].n_unique(), pairs["trajectory"].all()) == (88, 26, True)
    assert len(of(found, "run_demonstration")) == 84
    assert len(of(found, "failure_case").filter(failure="failed_run")) == 116
    tasks: dict[int, list[bool]] = {}
    for run in json.loads((REAL / "tau_bench" / "gpt-4o-airline.json").read_text()):
        tasks.setdefault(run["task_id"], []).append(run["reward"] > 0)
    of_tasks = [min(each.count(True), each.count(False)) for each in tasks.values()]
    assert pairs["weight"].sum() == pytest.approx(sum(of_tasks))
    for prompt, chosen, rejected in pairs.select("prompt", "chosen", "rejected").iter_rows():
        assert json.loads(prompt)[0]["role"] == "system"
        assert json.loads(chosen)[0] != json.loads(rejected)[0]
    assert pairs["chosen"].str.contains('"role":"tool"').mean() > 0.8  # pyright: ignore[reportOperatorIssue]


def test_where_a_failed_run_is_suspected(tmp_path: Path) -> None:
    cases = of(read(tmp_path, "tau_bench", format="tau"), "failure_case").filter(failure="failed_run")
    suspects = [json.loads(each) for each in cases["suspects"]]
    assert all(sum(each["share"] for each in case) == pytest.approx(1, abs=1e-4) for case in suspects)
    assert max(each["share"] for case in suspects for each in case) < 0.75
    place = [case[0]["turn"] / turns for case, turns in zip(suspects, cases["turns"], strict=True)]
    assert sum(place) / len(place) < 0.5


def test_creativity_eval(tmp_path: Path) -> None:
    columns = {"text": "preedit", "edited": "postedit", "prompt": "instruction"}
    found = read(tmp_path, "creativity_eval/W*_edits.json", format="table", columns=columns)
    pairs = of(found, "edit_pair")
    assert (len(pairs), len(of(found, "edit_demonstration")), len(found["knowledge_gaps"])) == (150, 150, 0)
    words = pairs.select(pl.col("chosen", "rejected").str.count_matches(r"\S+"))
    assert 0.74 <= (words["chosen"] < words["rejected"]).mean() <= 0.76  # pyright: ignore[reportOperatorIssue]


def ranked(apart: bool) -> Iterator[Event]:
    """Three answers ranked by three annotators: each annotator's ranking apart, or all of one prompt together."""
    for batch in (1, 2, 3):
        folder = REAL / "creativity_eval" / "rankings" / f"batch{batch}"
        for annotator in (1, 2, 3):
            for row in json.loads((folder / f"annotator_{annotator}.json").read_text()):
                item = f"{batch}-{row['instruction_id']}" + (f"-{annotator}" if apart else "")
                for rank in (1, 2, 3):
                    name = f"{item}-{row[f'rank_{rank}'][-1]}"
                    fields: dict[str, Any] = {"conversation": name, "parent": item, "text": name}
                    if apart or annotator == 1:
                        yield answer(name, request=f"Write {item}.", **fields)
                    yield rated(name, 2.0 - rank, annotator, user=f"annotator-{annotator}")


@pytest.mark.parametrize(("apart", "rankings"), [(True, 231), (False, 77)])
def test_rankings_of_three(apart: bool, rankings: int, tmp_path: Path) -> None:
    found = derived(take(tmp_path, ranked(apart)))
    pairs = of(found, "sample_pair")
    weights = pairs.group_by("unit").agg(pl.col("weight").sum(), pl.len())
    assert weights["weight"].round(9).unique().to_list() == [1.0]
    if apart:
        assert (len(found["rankings"]), len(pairs), set(weights["len"])) == (rankings, 3 * rankings, {3})
        assert set(found["rankings"]["ranks"].map_elements(tuple, return_dtype=pl.Object)) == {(1, 2, 3)}
    else:
        # Where the three annotators' mean is the same for all, nothing is ordered.
        assert rankings - 10 < len(found["rankings"]) <= rankings
        assert found["rankings"]["confidence"].n_unique() > 1


def test_pandalm(tmp_path: Path) -> None:
    columns = {
        "prompt": ["instruction", "input"],
        "answers": ["response1", "response2"],
        "choices": ["annotator1", "annotator2", "annotator3"],
    }
    found = read(tmp_path, "pandalm/testset-v1.json", format="table", columns=columns)
    labels = of(found, "rating_label")
    # A conflict is kept as both opinions: labels of both directions on one answer.
    both = labels.group_by("conversation").agg(pl.col("desirable").n_unique()).filter(pl.col("desirable") > 1)
    assert len(both) == 2 * 69
    rows = json.loads((REAL / "pandalm" / "testset-v1.json").read_text())
    votes = [[int(row[f"annotator{n}"]) for n in (1, 2, 3)] for row in rows]
    uneven = [each for each, row in zip(votes, rows, strict=True) if each.count(1) != each.count(2)]
    assert len(rows) == 999
    assert abs(len(of(found, "sample_ranking")) - len(uneven)) <= 1
    # In a ranking a conflict is less sure.
    unsure = of(found, "sample_ranking").filter(pl.col("confidence") < 0.7)
    assert len(unsure) == len([each for each in uneven if {1, 2} <= set(each)])


def test_tensorzero(tmp_path: Path) -> None:
    found = read(tmp_path, "tensorzero")
    assert len(of(found, "edit_pair")) + 25 == 584  # 25 demonstrations are another text altogether
    assert found["knowledge_gaps"].is_empty()
    rankings = of(found, "sample_ranking")
    assert 0 < len(rankings) < 225
    assert rankings["ranks"].list.n_unique().min() >= 2  # pyright: ignore[reportOptionalOperand, reportOperatorIssue]
    assert of(found, "sample_pair")["weight"].sum() == pytest.approx(len(rankings))


def test_realhumaneval(tmp_path: Path) -> None:
    columns = {"conversation": ["programmer_id", "task_name"], "prompt": "request", "accepted": "copy_events"}
    found = read(tmp_path, "realhumaneval/chat_data.csv", format="table", columns=columns)
    made = count(found)
    assert made["revoked_label"] > 40
    assert 0 < made["correction_pair"] < 0.1 * made["correction_label"]  # most next answers speak to the correction
    assert not of(found, "correction_pair")["chosen"].str.contains(r"(?i)apolog|sorry").any()
