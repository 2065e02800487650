"""Curation of what other people wrote and preferred: counts that were taken by hand."""

import json
import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flywheel.datasets.curation.conflicts import conflicts
from flywheel.datasets.curation.length_bias import length_bias
from flywheel.datasets.curation.near_identical import near_identical
from flywheel.settings import Curation, Workload
from tests.flywheel.datasets.rows import frame, pair, prompt

pytestmark = pytest.mark.skipif(
    "FLYWHEEL_REAL_DATA" not in os.environ, reason="FLYWHEEL_REAL_DATA names no folder of real logs"
)
REAL = Path(os.environ.get("FLYWHEEL_REAL_DATA", ".")).absolute()
RULES = Workload(base_model="none")


def read(name: str) -> list[dict[str, Any]]:
    return json.loads((REAL / name).read_text())


def choices() -> pl.DataFrame:
    """What three annotators chose of two answers, ties left out."""
    rows = []
    for item in read("pandalm/testset-v1.json"):
        asked = prompt(f"{item['instruction']}\n{item['input']}", system=item["idx"])
        answers = {"1": str(item["response1"]), "2": str(item["response2"])}
        for who in ("1", "2", "3"):
            if (vote := str(item[f"annotator{who}"])) in answers:
                sides = {"chosen": answers[vote], "rejected": answers["2" if vote == "1" else "1"]}
                rows.append(pair(f"{item['idx']} {who}", user=who, prompt=asked, rule="sample_pair", **sides))
    return frame(rows)


def test_pandalm_has_69_conflicts_and_a_majority_of_two_in_894_items() -> None:
    votes = choices()
    found = conflicts(votes, RULES)
    assert found.detail == "69 questions on which people disagree"
    assert len(found.kept.group_by("prompt").len().filter(pl.col("len") >= 2)) == 894
    assert len(found.kept) + len(found.rejected) == len(votes)


def test_writers_shorten_what_they_edit_and_are_not_balanced_for_it() -> None:
    edits = [edit for name in ("W3", "W12", "W16") for edit in read(f"creativity_eval/{name}_edits.json")]
    rows = [
        pair(edit["id"] + str(number), chosen=edit["postedit"], rejected=edit["preedit"])
        for number, edit in enumerate(edits)
    ]
    found = length_bias(frame(rows), RULES)
    assert len(found.kept) == 150
    assert found.detail == "not balanced: longer preferred in 0.23 (n = 150)"
    assert near_identical(frame(rows), RULES).rejected.is_empty()
    balanced = length_bias(frame(rows), Workload(base_model="none", curation=Curation(length_exempt=())))
    assert share(balanced.kept) == pytest.approx(0.45, abs=0.01)
    assert balanced.detail.startswith("longer preferred in 0.23 (n = 150), now in 0.4")


def test_what_annotators_chose_is_brought_into_the_band() -> None:
    before = choices()
    found = length_bias(before, RULES)
    assert share(before) > 0.6
    assert 0.45 <= share(found.kept) <= 0.55
    assert f"longer preferred in {share(before):.2f}" in found.detail


def share(pairs: pl.DataFrame) -> float:
    lengths = pairs.select(pl.col("chosen", "rejected").str.len_chars()).filter(pl.col("chosen") != pl.col("rejected"))
    return lengths.select((pl.col("chosen") > pl.col("rejected")).mean()).item()
