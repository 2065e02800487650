"""The controls: what they take away, and what they leave."""

import polars as pl
import pytest

from flywheel.lake import Lake
from flywheel.training.control import controlled
from flywheel.training.rows import Rows, read
from tests import tiny

LONG = tiny.dataset_rows("pair", "train", range(100, 160), chosen="No.", rejected="Hello, yes of course.")
ROWS = pl.concat([
    tiny.dataset_rows("demonstration", "train", range(60)),
    tiny.dataset_rows("pair", "train", range(60, 100)),
    LONG,
    tiny.dataset_rows("pair", "development", range(160, 170)),
])  # fmt: skip


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    home = tmp_path_factory.mktemp("rows")
    Lake(home).append("dataset_rows", ROWS, "batch")
    return read(home, "w", "d")


def sides(row: dict) -> frozenset[str]:
    return frozenset(row[side][0]["content"] for side in ("chosen", "rejected"))


def test_without_a_control_rows_are_what_they_are(rows: Rows) -> None:
    assert controlled(rows, None, 0) is rows


def test_shuffled_turns_about_half_of_the_pairs_and_keeps_both_sides(rows: Rows) -> None:
    found = controlled(rows, "shuffled", 0)
    turned = sum(now["chosen"] != was["chosen"] for now, was in zip(found.pairs, rows.pairs, strict=True))
    assert 30 <= turned <= 70
    assert [sides(row) for row in found.pairs] == [sides(row) for row in rows.pairs]
    assert found == controlled(rows, "shuffled", 0) != controlled(rows, "shuffled", 1)


def test_shuffled_gives_every_prompt_the_answer_of_another(rows: Rows) -> None:
    found = controlled(rows, "shuffled", 0)
    own = {str(row["prompt"]): row["completion"] for row in rows.demonstrations}
    names = [(row["completion"][0]["content"].split()[1], row["prompt"][0]["content"].split()[0]) for row in
             found.demonstrations]  # fmt: skip
    assert sorted(map(str, (row["completion"] for row in found.demonstrations))) == sorted(map(str, own.values()))
    assert sum(said.strip(",") != asked for said, asked in names) > 40


def test_length_prefers_the_longer_side_and_teaches_no_texts(rows: Rows) -> None:
    found = controlled(rows, "length", 0)
    assert found.demonstrations == []
    assert all(len(row["chosen"][0]["content"]) > len(row["rejected"][0]["content"]) for row in found.pairs)


@pytest.mark.parametrize("control", ["shuffled", "length"])
def test_what_is_only_measured_stays(rows: Rows, control: str) -> None:
    found = controlled(rows, control, 0)  # pyright: ignore[reportArgumentType]
    assert found.development_pairs == rows.development_pairs
