"""Routes: the cheapest model that surely meets the bar serves a slice; a product never reads half a table."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flywheel.gate import costs, routes
from flywheel.gate.routes import Contender
from flywheel.settings import Endpoint, Policy, Prices
from tests.flywheel.gate.workbench import eval_items

NOON = datetime(2026, 1, 11, 12, tzinfo=UTC)
ITEMS = eval_items(60, 5)
SENT = dict(ITEMS.select("item", "reference").iter_rows())
SLICE = dict(ITEMS.select("item", "slice").iter_rows())
POLICY = Policy(prices=Prices(word=0.02, by_hand=1.0), bar=0.8)


def contender(name: str, wrong: dict[str, int], *, price: float = 0.0, holes: int = 0) -> Contender:
    """Of five answers in a slice so many are of no use; a request costs `price`."""
    texts = {
        item: "no use" if int(item[1:]) % 5 < wrong.get(SLICE[item], 0) else sent
        for item, sent in list(SENT.items())[holes:]
    }
    told = pl.DataFrame({"item": list(texts), "text": list(texts.values())})
    told = told.with_columns(tokens_in=pl.lit(1000), tokens_out=pl.lit(0), seconds=None)
    endpoint = Endpoint(url="http://127.0.0.1:1", model="m", price_in=1000 * price)
    found = costs.outcomes(ITEMS, told, checks=(), policy=POLICY, endpoint=endpoint)
    return Contender(model=name, kind="endpoint" if price else "own", outcomes=found)


def table(*contenders: Contender, policy: Policy = POLICY, made: datetime = NOON) -> dict[str, Any]:
    return routes.table(ITEMS, contenders, policy=policy, workload="replies", made=made)


def test_each_slice_gets_the_cheapest_model_that_meets_the_bar() -> None:
    own, hosted = contender("ab12", {"bank": 3}), contender("large", {}, price=0.25)
    found = table(own, hosted)
    assert json.loads(json.dumps(found)) == found
    assert {name: route["model"] for name, route in found["slices"].items()} == {"bank": "large", "shop": "ab12"}
    assert found["slices"]["bank"]["kind"] == "endpoint"
    assert found["slices"]["bank"]["cost"] == pytest.approx(0.25)
    assert (found["slices"]["shop"]["success"], found["slices"]["shop"]["n"]) == (1.0, 200)
    assert 0.8 <= found["slices"]["shop"]["interval"][0] < found["slices"]["shop"]["interval"][1] <= 1.0
    assert found["default"]["model"] == "large"
    assert table(hosted, own) == found


def test_a_bar_is_met_surely_or_not_at_all() -> None:
    often = table(contender("ab12", {"bank": 1, "shop": 1}))["slices"]["shop"]
    assert (often["model"], often["kind"], often["cost"]) == (None, "none", 1.0)
    assert "80%" in often["why"]
    lower = POLICY.model_copy(update={"bar": 0.7})
    assert table(contender("ab12", {"bank": 1, "shop": 1}), policy=lower)["slices"]["shop"]["model"] == "ab12"


def test_a_model_dearer_than_the_work_by_hand_serves_nobody() -> None:
    found = table(contender("large", {}, price=1.5))
    assert found["default"]["kind"] == "none"
    assert "by hand it is cheaper" in found["default"]["why"]


@pytest.mark.parametrize(("holes", "serves"), [(15, "ab12"), (16, None)])
def test_who_left_out_too_much_serves_nobody(holes: int, serves: str | None) -> None:
    assert table(contender("ab12", {}, holes=holes))["default"]["model"] == serves


def test_without_contenders_everything_is_done_by_hand() -> None:
    assert {route["kind"] for route in table()["slices"].values()} == {"none"}


def test_the_same_table_is_written_once_and_leaves_nothing_half(tmp_path: Path) -> None:
    later = NOON.replace(hour=13)
    out = routes.write(tmp_path, table(contender("ab12", {})))
    routes.write(tmp_path, table(contender("ab12", {}), made=later))
    assert json.loads(out.read_text())["made"] == NOON.isoformat()
    routes.write(tmp_path, table(made=later))
    assert json.loads(out.read_text())["made"] == later.isoformat()
    assert [each.name for each in out.parent.iterdir()] == ["replies.json"]
