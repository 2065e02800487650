"""A planted breach turns its blocking check red."""

from pathlib import Path

import polars as pl
import pytest

from assets.checks import only_what_may_train
from assets.resources import Wheel
from flywheel import records, signals
from tests.product import accepted, answer, edited, read, take

BETTER = "Your order is on its way."


@pytest.mark.parametrize("allowed", [True, False])
def test_a_record_of_what_must_not_be_trained_on_is_found(
    allowed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLYWHEEL_HOME", str(tmp_path))
    lake = take(tmp_path, [answer("a", may_train=allowed), edited("a", BETTER, 1), accepted("a", 2)])
    signals.catch_up(lake, read(tmp_path))
    records.catch_up(lake, read(tmp_path))
    check = only_what_may_train("demonstrations")
    assert check(Wheel()).passed  # pyright: ignore[reportAttributeAccessIssue]
    assert len(lake.read("demonstrations")) == allowed
    if not allowed:
        exchange = lake.read("exchanges").row(0, named=True)
        row = {name: exchange[name] for name in ("workload", "day", "conversation", "user", "slice", "prompt")}
        row |= {"id": "r", "unit": f"conversation {exchange['conversation']}", "model_version": None, "weight": 1.0}
        row |= {"confidence": 0.5, "rule": "edit_demonstration", "rule_version": 1, "event_ids": exchange["event_ids"]}
        planted = pl.DataFrame([row | {"completion": BETTER, "trajectory": False}])
        lake.replace("demonstrations", planted, {"day": [exchange["day"]]})
        assert not check(Wheel()).passed  # pyright: ignore[reportAttributeAccessIssue]
