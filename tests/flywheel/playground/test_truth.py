"""How satisfied people really were, by week, and whether that improved."""

import json
from pathlib import Path

import pytest

from flywheel.errors import BadInput
from flywheel.playground.truth import improvement, satisfaction


def tell(home: Path, week: int, *said: tuple[str, int, float]) -> None:
    """Write a week's truth: user, attempt, satisfaction."""
    path = home / "playground" / "truth" / f"week-{week:03}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {"workload": "notes", "week": week, "user": user, "attempt": attempt, "satisfaction": value, "acts": []}
        for user, attempt, value in said
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_before_the_first_week_there_is_nothing(tmp_path: Path) -> None:
    assert satisfaction(tmp_path).columns == ["workload", "week", "user", "satisfaction", "n"]
    assert satisfaction(tmp_path).is_empty()


def test_only_the_first_answer_to_a_request_counts(tmp_path: Path) -> None:
    tell(tmp_path, 1, ("a", 0, 0.5), ("a", 0, 0.0), ("a", 1, 1.0), ("b", 0, 1.0))
    assert satisfaction(tmp_path).rows() == [("notes", 1, "a", 0.25, 2), ("notes", 1, "b", 1.0, 1)]


def test_improvement_is_paired_by_user(tmp_path: Path) -> None:
    tell(tmp_path, 1, ("a", 0, 0.0), ("b", 0, 0.5), ("c", 0, 0.5), ("gone", 0, 1.0))
    tell(tmp_path, 3, ("a", 0, 0.5), ("b", 0, 1.0), ("c", 0, 1.0), ("new", 0, 0.0))
    assert improvement(tmp_path, "notes", 1, 3) == (0.5, 0.5, 0.5, 3)


def test_the_interval_is_as_wide_as_users_differ(tmp_path: Path) -> None:
    tell(tmp_path, 1, ("a", 0, 0.0), ("b", 0, 0.0))
    tell(tmp_path, 2, ("a", 0, 0.0), ("b", 0, 1.0))
    found = improvement(tmp_path, "notes", 1, 2)
    assert found.mean == 0.5
    assert found.high - found.mean == pytest.approx(1.96 * 0.5**0.5 / 2**0.5)
    assert found.low == pytest.approx(1 - found.high)


def test_too_few_users_is_one_sentence(tmp_path: Path) -> None:
    tell(tmp_path, 1, ("a", 0, 0.0))
    with pytest.raises(BadInput, match="too few users of notes"):
        improvement(tmp_path, "notes", 1, 2)
