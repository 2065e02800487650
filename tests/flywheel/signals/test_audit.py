"""The audit: what is drawn, what is read back, and what labels do to a confidence."""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.errors import BadInput
from flywheel.lake import Lake, validated
from flywheel.settings import REPOSITORY
from flywheel.signals import audit, audit_line
from flywheel.signals.calibration import calibrated, digest, error, estimated_errors, wilson
from tests.product import rated, shown, take

NOON = datetime(2026, 1, 5, 9, tzinfo=UTC)
COUNTS = {("edit", None): 60, ("edit", "small"): 12, ("abandonment", "left"): 25, ("refusal", None): 2}


def signal(answer: str, kind: str = "edit", detail: str | None = None, **fields: Any) -> dict[str, Any]:
    given = {"workload": "drafts", "answer": answer, "kind": kind, "about": "", "day": NOON.date(), "user": "u"}
    given |= {"conversation": f"talk-{answer}", "slice": "unassigned", "model_version": None, "value": 1.0}
    given |= {"detail": detail, "text": None, "other": None, "confidence": 0.8, "weight": 1.0, "audited": False}
    return given | {"detector": f"{kind}@1", "event_ids": ["key"]} | fields


def exchange(answer: str, **fields: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"workload": "drafts", "answer": answer, "day": NOON.date(), "time": NOON, "named": True}
    given |= {"conversation": f"talk-{answer}", "task": "t", "turn": 1, "parent": f"ask-{answer}", "attempt": 1}
    given |= {"user": "u", "slice": "unassigned", "prompt": "[]", "request": f"Where is order {answer}?"}
    given |= {"response": "On its way.", "final": None, "model": "m", "model_version": None, "arm": None}
    given |= {"refused": False, "shown_ms": None, "outcome": None, "since": NOON, "until": NOON, "closed": True}
    return given | {"may_train": True, "event_ids": ["key"]} | fields


def store(lake: Lake, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    lake.replace(table, frame(table, rows), {"day": [NOON.date()]})


def frame(table: str, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    return validated(table, pl.DataFrame([dict(row) for row in rows], infer_schema_length=None))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake of some readings, each of another size."""
    lake = Lake(tmp_path)
    fill(lake, random.Random(0))
    return lake


def fill(lake: Lake, order: random.Random) -> None:
    rows = [
        signal(f"{kind}-{detail}-{number}", kind, detail)
        for (kind, detail), size in COUNTS.items()
        for number in range(size)
    ]
    order.shuffle(rows)
    store(lake, "signals", rows)
    store(lake, "exchanges", [exchange(row["answer"]) for row in rows])


# ---- draw -----------------------------------------------------------------------------------------------------------


def test_some_of_each_reading_are_drawn_and_more_of_what_is_more_frequent(lake: Lake) -> None:
    drawn = audit.draw(lake, 40, seed=0)
    counted = Counter((line["kind"], line["detail"]) for line in drawn)
    assert len(drawn) == 40
    assert counted["refusal", None] == 2
    assert counted["edit", "small"] >= audit.FEWEST
    assert counted["edit", None] > counted["abandonment", "left"] > counted["edit", "small"]


def test_the_same_seed_draws_the_same_whatever_the_order_of_rows(lake: Lake, tmp_path: Path) -> None:
    other = Lake(tmp_path / "other")
    fill(other, random.Random(7))
    assert audit.draw(lake, 30, seed=1) == audit.draw(other, 30, seed=1)
    assert audit.draw(lake, 30, seed=1) != audit.draw(lake, 30, seed=2)


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(st.sampled_from([("a", ""), ("a", "b"), ("c", ""), ("d", "")]), st.integers(1, 90)),
    st.integers(0, 99),
)
def test_what_is_allotted_adds_up_and_asks_for_no_more_than_there_is(sizes: dict[tuple[str, str], int], n: int) -> None:
    shares = audit.allotted(sizes, n)
    assert sum(shares.values()) == min(n, sum(sizes.values()))
    assert all(0 < share <= sizes[key] for key, share in shares.items())
    if sizes and n >= audit.FEWEST * len(sizes):
        assert all(shares[key] >= min(size, audit.FEWEST) for key, size in sizes.items())


def test_a_line_tells_what_happened_in_order(tmp_path: Path) -> None:
    lake = take(tmp_path, [shown("a", 1, dwell_ms=2500.0), rated("a", -1, 2, comment="No."), rated("b", 1, 3)])
    later = NOON + timedelta(minutes=3)
    store(lake, "signals", [signal("a", "correction", "correction", text="No, the name is missing.")])
    after = exchange("c", conversation="talk-a", time=later, request="No, the name is missing.", response="Anna: yes.")
    store(lake, "exchanges", [exchange("a"), after])
    (line,) = audit.draw(lake, 5, seed=0)
    assert line["label"] is None
    assert line["says"] == audit_line.SAYS["correction"]
    assert (line["request"], line["response"]) == ("Where is order a?", "On its way.")
    assert line["wrote"] == "No, the name is missing."
    assert line["then"] == [
        "+60 s: on screen for 2.5 s",
        "+120 s: rated -1: No.",
        "+180 s: wrote: No, the name is missing.; answered: Anna: yes.",
    ]


def test_nothing_to_draw_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no signal that nobody labelled yet; saw `0 signals`"):
        audit.draw(Lake(tmp_path), 10, seed=0)


# ---- take -----------------------------------------------------------------------------------------------------------


def filled(lines: Sequence[Mapping[str, Any]], label: bool | None) -> list[str]:
    return [json.dumps({**line, "label": label}) for line in lines]


def test_labels_are_kept_and_what_is_labelled_is_not_drawn_again(lake: Lake) -> None:
    drawn = audit.draw(lake, 30, seed=0)
    taken = audit.take(lake, [*filled(drawn[:20], True), *filled(drawn[20:], None)])
    assert taken == audit.Taken(20, 10, [])
    stored = lake.read("audits")
    assert set(stored["answer"]) == {line["answer"] for line in drawn[:20]}
    assert stored["label"].all()
    assert stored["confidence"].to_list() == [0.8] * 20
    again = audit.draw(lake, 99, seed=0)
    assert not {line["answer"] for line in again} & set(stored["answer"])
    assert len(again) == sum(COUNTS.values()) - 20


def test_when_all_is_labelled_nothing_is_left_to_draw(lake: Lake) -> None:
    audit.take(lake, filled(audit.draw(lake, 999, seed=0), True))
    with pytest.raises(BadInput, match="nobody labelled yet; saw `99 signals`"):
        audit.draw(lake, 1, seed=0)


def test_a_label_given_again_replaces_the_one_before(lake: Lake) -> None:
    drawn = audit.draw(lake, 5, seed=0)
    audit.take(lake, filled(drawn, True))
    audit.take(lake, filled(drawn[:2], False))
    stored = lake.read("audits")
    assert len(stored) == 5
    assert set(stored.filter(~pl.col("label"))["answer"]) == {line["answer"] for line in drawn[:2]}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("yes", "line 2: it is not JSON; saw `yes`"),
        ("[" * 100_000, "line 2: it is not JSON"),
        ("[1]", "line 2: the line: Input should be"),
        ('{"label": true}', "line 2: workload: Field required"),
        ('"maybe"', "the label must be true, false or null; saw `\"maybe\"`"),
        ("1", "the label must be true, false or null; saw `1`"),
    ],
)  # fmt: skip
def test_a_bad_line_is_one_sentence_and_the_others_are_taken(lake: Lake, line: str, says: str) -> None:
    first, second = audit.draw(lake, 2, seed=0)
    if "label must" in says:
        line = json.dumps({**second, "label": json.loads(line)})
    taken = audit.take(lake, [json.dumps({**first, "label": True}), line, ""])
    assert taken.labelled == 1
    (sentence,) = taken.bad
    assert says in sentence
    assert "\n" not in sentence
    assert len(sentence) < 300


@pytest.mark.parametrize("change", [{"detector": "edit@9"}, {"answer": "nobody"}, {"detail": "of another kind"}])
def test_a_label_of_a_signal_that_is_not_there_is_one_sentence(lake: Lake, change: dict[str, str]) -> None:
    first, second = audit.draw(lake, 2, seed=0)
    taken = audit.take(lake, [json.dumps({**second, "label": True, **change}), *filled([first], False)])
    assert taken == audit.Taken(1, 0, ["line 1: there is no such signal now; draw again."])
    assert lake.read("audits")["answer"].to_list() == [first["answer"]]


@settings(deadline=None, max_examples=60)
@given(
    st.one_of(st.text(), st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps))
)
def test_no_line_is_a_traceback(line: str) -> None:
    assert isinstance(audit_line.read(line), str)


@pytest.mark.parametrize(
    ("field", "value"), [("confidence", 1.5), ("confidence", "high"), ("answer", 3), ("confidence", float("nan"))]
)
def test_what_names_the_signal_must_be_as_drawn(lake: Lake, field: str, value: object) -> None:
    (line,) = audit.draw(lake, 1, seed=0)
    read = audit_line.read(json.dumps({**line, "label": True, field: value}))
    assert isinstance(read, str)
    assert field in read


# ---- the page -------------------------------------------------------------------------------------------------------


def test_the_page_holds_every_line_and_no_text_leaves_its_place() -> None:
    hostile = "</script><script>alert(1)</script> {name} {lines} \u2028 & <b>"
    lines = [{"label": None, "request": hostile, "answer": f"a-{number}"} for number in range(3)]
    page = audit.page(lines, "draw-0.jsonl")
    assert hostile not in page
    assert page.count("<script") == 3
    assert page.count("</script") == 3
    data = page.split('<script id="lines" type="application/json">')[1].split("</script>")[0]
    assert json.loads(data) == lines
    assert '<script id="name" type="application/json">"draw-0.jsonl"</script>' in page


def test_the_page_asks_nothing_of_any_network() -> None:
    page = audit.page([], "draw-0.jsonl")
    assert "default-src 'none'" in page
    assert "http:" not in page
    assert "https:" not in page
    assert "innerHTML" not in page


# ---- calibration ----------------------------------------------------------------------------------------------------


def label(answer: str, right: bool, kind: str = "edit", detail: str | None = None, **fields: Any) -> dict[str, Any]:
    given = {"workload": "drafts", "answer": answer, "kind": kind, "about": "", "detector": f"{kind}@1"}
    return given | {"detail": detail, "confidence": 0.8, "label": right} | fields


def audited(
    right: int, wrong: int, kind: str = "edit", detail: str | None = None, **fields: Any
) -> list[dict[str, Any]]:
    return [
        label(f"{kind}-{detail}-{number}", number < right, kind, detail, **fields) for number in range(right + wrong)
    ]


def test_without_labels_everything_stays_as_its_detector_said() -> None:
    signals = frame("signals", [signal("a")])
    assert calibrated(signals, frame("audits", audited(1, 0)).clear()).equals(signals)


def test_labels_move_their_own_reading_and_no_other() -> None:
    signals = frame("signals", [signal("a"), signal("b", "edit", "small"), signal("c", "refusal")])
    made = calibrated(signals, frame("audits", audited(1, 19)))
    assert made["audited"].to_list() == [True, False, False]
    assert made["confidence"][0] < 0.2
    assert made["confidence"][1:].to_list() == [0.8, 0.8]
    assert made.drop("confidence", "audited").equals(signals.drop("confidence", "audited"))


def test_labels_of_an_older_detector_count_for_nothing() -> None:
    signals = frame("signals", [signal("a", detector="edit@2")])
    assert calibrated(signals, frame("audits", audited(0, 20))).equals(signals)
    fresh = audited(3, 3, detector="edit@2")
    beside = calibrated(signals, frame("audits", fresh + audited(0, 20)))
    assert beside.equals(calibrated(signals, frame("audits", fresh)))
    assert beside["audited"].all()


@pytest.mark.parametrize(("right", "wrong"), [(0, 1), (1, 0), (3, 1), (30, 10), (300, 100), (3000, 1000)])
def test_confidence_moves_from_the_default_towards_the_share_that_is_right(right: int, wrong: int) -> None:
    made = calibrated(frame("signals", [signal("a", confidence=0.5)]), frame("audits", audited(right, wrong)))
    share, left = right / (right + wrong), abs(made["confidence"][0] - right / (right + wrong))
    assert left < abs(0.5 - share)
    assert min(0.5, share) <= made["confidence"][0] <= max(0.5, share)
    assert left < 0.02 or right + wrong < 40
    assert left < 0.001 or right + wrong < 400


def test_few_labels_lean_on_the_rest_of_their_kind_and_of_all_readings() -> None:
    signals = frame("signals", [signal("a", "edit", "small", confidence=0.5)])
    few = audited(1, 1, detail="small")
    alone, with_others, with_kind = (
        calibrated(signals, frame("audits", few + more))["confidence"][0]
        for more in ([], audited(40, 0, "refusal"), audited(40, 0))
    )
    assert alone < with_others < with_kind


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from([None, "small"]), st.booleans()), min_size=1, max_size=30), st.integers(0, 20)
)
def test_a_part_is_calibrated_as_the_whole_is(labels: list[tuple[str | None, bool]], cut: int) -> None:
    """Each signal by itself: deriving some conversations gives what deriving all of them gives."""
    audits = frame(
        "audits", [label(f"l{number}", right, detail=detail) for number, (detail, right) in enumerate(labels)]
    )
    details = [None, "small", "other"]
    signals = frame("signals", [signal(f"a{number}", "edit", details[number % 3]) for number in range(20)])
    whole = calibrated(signals, audits)
    assert whole[:cut].equals(calibrated(signals[:cut], audits))
    assert whole["confidence"].is_between(0, 1).all()


def test_the_digest_changes_with_the_labels_and_not_with_their_order() -> None:
    rows = audited(3, 2) + audited(1, 1, "refusal")
    audits = frame("audits", rows)
    assert digest(audits) == digest(audits.reverse())
    assert digest(audits) != digest(frame("audits", audited(2, 3) + audited(1, 1, "refusal")))
    assert digest(audits.clear()) == ""


def test_the_error_is_how_far_confidence_lies_from_what_is_right() -> None:
    right = pl.Series([True] * 3 + [False] * 7)
    assert error(pl.Series([0.3] * 10), right) == pytest.approx(0.0)
    assert error(pl.Series([0.85] * 10), right) == pytest.approx(0.55)
    assert error(pl.Series([1.0] * 3 + [0.0] * 7), right) == 0.0
    assert error(pl.Series([0.85, 0.15]), pl.Series([True, False]), pl.Series([3.0, 1.0])) == pytest.approx(0.15)


def test_the_estimated_error_falls_when_labels_contradict_the_default() -> None:
    sizes = pl.DataFrame([("edit", None, "edit@1", 900)], ["kind", "detail", "detector", "n"], orient="row")
    sizes = sizes.with_columns(pl.col("detail").cast(pl.String))
    before, after = estimated_errors(sizes, frame("audits", audited(20, 60)))
    assert before == pytest.approx(0.55)
    assert after is not None
    assert after < 0.1
    assert estimated_errors(sizes, frame("audits", audited(2, 6, detector="edit@0"))) == (None, None)


@pytest.mark.parametrize(
    ("right", "n", "low", "high"), [(0, 10, 0.0, 0.278), (10, 10, 0.722, 1.0), (50, 100, 0.404, 0.596)]
)
def test_the_interval_is_wilsons(right: int, n: int, low: float, high: float) -> None:
    rate = wilson(right, n)
    assert (rate.low, rate.high) == (pytest.approx(low, abs=1e-3), pytest.approx(high, abs=1e-3))


# ---- what is shown --------------------------------------------------------------------------------------------------


def test_the_summary_tells_each_reading_with_its_n_and_says_what_nobody_audited(lake: Lake) -> None:
    told = audit.summary(lake)
    assert (told.labels, told.error_before, told.error_after) == (0, None, None)
    assert set(told.readings["audited"]) == {"default, not audited"}
    lines = audit.draw(lake, 60, seed=0)
    edits = [line for line in lines if line["kind"] == "edit" and line["detail"] is None]
    audit.take(lake, filled(edits[:4], True) + filled(edits[4:], False))
    told = audit.summary(lake)
    rows = {(row["kind"], row["detail"]): row for row in told.readings.to_dicts()}
    assert {key: row["n"] for key, row in rows.items()} == COUNTS
    row = rows["edit", None]
    assert (row["labelled"], row["audited"]) == (len(edits), "audited")
    assert row["low"] < row["share"] == 4 / len(edits) < row["high"]
    assert row["after"] < row["confidence"] == pytest.approx(0.8)
    assert rows["refusal", None]["audited"] == "default, not audited"
    assert rows["refusal", None]["share"] is None
    assert told.error_before is not None
    assert told.error_after is not None
    assert told.error_after < told.error_before


# ---- the command line -----------------------------------------------------------------------------------------------


def flywheel(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    written = home / "flywheel.toml"
    written.write_text('start = 2026-01-05\nsources = []\n[workloads.drafts]\nbase_model = "none"\n')
    own = {"FLYWHEEL_HOME": str(home), "FLYWHEEL_SETTINGS": str(written)}
    command = [sys.executable, "-m", "flywheel.cli", "audit", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, env=os.environ | own, check=False, capture_output=True, text=True)


def test_drawn_labelled_taken_and_shown_from_the_command_line(lake: Lake) -> None:
    drawn = json.loads(flywheel(lake.home, "draw", "--n", "12", "--html", "--json").stdout)
    file, page = Path(drawn["file"]), Path(drawn["page"])
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(lines) == drawn["drawn"] == 12
    assert all(line["answer"] in page.read_text() for line in lines)
    file.write_text("\n".join([*filled(lines, True), "nonsense", '{"label": 3}']))
    taken = flywheel(lake.home, "take", str(file), "--json")
    assert taken.returncode == 2
    assert json.loads(taken.stdout) == {"labelled": 12, "unlabelled": 0, "bad": 2}
    assert "line 13: it is not JSON" in taken.stderr
    assert "line 14: " in taken.stderr
    assert "Traceback" not in taken.stderr
    shown = json.loads(flywheel(lake.home, "show", "--json").stdout)
    assert shown["labels"] == sum(row["labelled"] for row in shown["readings"]) == 12
    assert shown["error"]["after"] is not None
    told = flywheel(lake.home, "show")
    assert told.returncode == 0
    assert "estimated from 12 labels" in told.stderr


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    if content:
        (tmp_path / "labels.jsonl").write_bytes(content)
    ended = flywheel(tmp_path, "take", str(tmp_path / "labels.jsonl"))
    assert ended.returncode == 2
    assert "the labels cannot be read" in ended.stderr
    assert "Traceback" not in ended.stderr
