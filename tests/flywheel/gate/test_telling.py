"""Pages and routes from the tables alone: the scores that decided, prices by endpoint, and who may serve."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flywheel.checkpoint import endpoint_folder, fingerprint
from flywheel.errors import BadInput
from flywheel.gate import report, routes, telling
from flywheel.gate.asking import decoding
from flywheel.lake import Lake
from flywheel.settings import Endpoint, Gate, Policy, Scorer, Workload
from flywheel.tables import EvalSets
from tests.flywheel.gate.workbench import eval_items, model

ROOT = Path(__file__).parents[3]
NOON = datetime(2026, 1, 11, 12, tzinfo=UTC)
ITEMS = eval_items(60, 5)
SENT = dict(ITEMS.select("item", "reference").iter_rows())
LARGE = Endpoint(url="http://127.0.0.1:1/v1", model="large", price_in=0.0, price_out=2_000.0)
RULES = Workload(base_model="none", endpoints={"large": LARGE}, policy=Policy(bar=0.8))
SETTINGS = """
start = 2026-01-05
sources = []

[workloads.replies]
base_model = "none"
"""


def answer(lake: Lake, name: str, texts: dict[str, str]) -> None:
    rows = pl.DataFrame({"item": list(texts), "text": list(texts.values())}).with_columns(
        model=pl.lit(name),
        decoding=pl.lit(decoding(RULES.gate)),
        tokens_in=10,
        tokens_out=100,
        seconds=0.5,
        workload=pl.lit("replies"),
        cycle=3,
    )
    lake.replace("answers", rows, {"model": [name]})


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Cycle 3 held a candidate; half of what the champion says in the shop is of no use."""
    made = Lake(tmp_path)
    sealed = ITEMS.head(1).with_columns(role=pl.lit("sealed", ITEMS.schema["role"]), item=pl.lit("sealed-0"))
    made.replace("eval_items", pl.concat([ITEMS, sealed]), {"workload": ["replies"]})
    in_shop = set(ITEMS.filter(slice="shop")["item"])
    answer(made, "new", model(ITEMS, right=0.99))
    answer(made, "old", {item: "no" if item in in_shop and int(item[1:]) % 2 else said for item, said in SENT.items()})
    row: dict[str, Any] = {"workload": "replies", "cycle": 3, "candidate": "new", "champion": "old", "eval_set": "e1"}
    row |= {
        "dataset": "d",
        "verdict": "hold",
        "reason": "few",
        "reasons": ["few"],
        "gain": 0.1,
        "low": 0.0,
        "high": 0.2,
    }
    row |= {"level": 0.97, "items": 300, "users": 60, "look": 1, "candidate_score": 0.9, "champion_score": 0.8}
    verdict = pl.DataFrame([row | {"n_needed": 900, "details": "{}"}])
    made.replace("verdicts", verdict, {"workload": ["replies"], "cycle": [3]})
    return made


def test_a_page_is_told_from_the_tables(lake: Lake) -> None:
    told = telling.told(lake, "replies", RULES)
    assert (len(told.items), len(told.pairs), len(told.candidate)) == (300, 300, 300)
    assert told.counts["better"] + told.counts["worse"] + told.counts["same"] == 300
    assert "replies, cycle 3" in report.page(told)


def test_costs_that_the_verdict_told_stay_as_they_were(lake: Lake) -> None:
    given = lake.read("verdicts").with_columns(details=pl.lit(json.dumps({"costs": {"candidate": {"items": 7}}})))
    lake.replace("verdicts", given, {"workload": ["replies"], "cycle": [3]})
    assert telling.told(lake, "replies", RULES).details["costs"] == {"candidate": {"items": 7}}


@pytest.mark.parametrize(("kind", "against", "champion"), [("reward", "", 0.25), ("judge", "old", 0.0)])
def test_scores_of_another_scorer_are_read_as_they_were_kept(
    lake: Lake, kind: Any, against: str, champion: float
) -> None:
    rules = RULES.model_copy(update={"gate": Gate(primary="own", scorers=(Scorer(name="own", kind=kind),))})
    kept = [("new", against, 0.5), ("new", "older", -1.0)] + ([("old", "", 0.25)] if kind == "reward" else [])
    for name, other, value in kept:
        rows = ITEMS.select("workload", "item").with_columns(
            model=pl.lit(name), against=pl.lit(other), scorer=pl.lit("own"), identity=pl.lit("i"), score=value, why=None
        )
        where = {"workload": ["replies"], "model": [name], "against": [other]}
        lake.replace("scores", rows.with_columns(pl.col("why").cast(pl.String)), where)
    pairs = telling.told(lake, "replies", rules).pairs
    assert pairs["score"].unique().to_list() == [0.5]
    assert pairs["score_champion"].unique().to_list() == [champion]


@pytest.mark.parametrize(("workload", "cycle"), [("replies", 9), ("sql", None)])
def test_a_verdict_that_is_not_there_is_a_sentence(lake: Lake, workload: str, cycle: int | None) -> None:
    with pytest.raises(BadInput, match="has no verdict"):
        telling.told(lake, workload, RULES, cycle=cycle)


def test_routes_price_endpoints_and_leave_out_who_was_not_promoted(lake: Lake) -> None:
    large = fingerprint(endpoint_folder(lake.home, LARGE))
    answer(lake, large, SENT)
    found = telling.routes(lake, "replies", RULES, champion="old", made=NOON)
    served = {name: (route["model"], route["kind"]) for name, route in found["slices"].items()}
    assert served == {"bank": ("old", "own"), "shop": ("large", "endpoint")}
    assert found["slices"]["shop"]["cost"] == pytest.approx(0.2)
    assert "new" not in json.dumps(found)
    promoted = telling.routes(lake, "replies", RULES, champion="new", made=NOON)
    assert promoted["default"]["model"] == "new"


def test_an_endpoint_that_is_champion_goes_by_its_name(lake: Lake) -> None:
    large = fingerprint(endpoint_folder(lake.home, LARGE))
    answer(lake, large, SENT)
    found = telling.routes(lake, "replies", RULES, champion=large, made=NOON)
    assert (found["default"]["model"], found["default"]["kind"]) == ("large", "endpoint")


def test_a_champion_that_was_never_asked_has_no_routes(lake: Lake) -> None:
    with pytest.raises(BadInput, match="has answered no item"):
        telling.routes(lake, "replies", RULES, champion="unknown", made=NOON)


def rotated(lake: Lake) -> None:
    """The next cycle's set stands: ten items retired, ten fresh ones came."""
    now, left = ITEMS[10:], ITEMS[:10].with_columns(role=pl.lit("retired", ITEMS.schema["role"]))
    fresh = ITEMS[:10].with_columns(pl.format("fresh-{}", pl.col("item")).alias("item"))
    stand = pl.concat([now, fresh]).with_columns(eval_set=pl.lit("e2"))
    lake.replace("eval_items", pl.concat([stand, left]), {"workload": ["replies"]})
    for number, (name, items) in enumerate([("e1", ITEMS), ("e2", stand)], start=1):
        told = dict.fromkeys(EvalSets.columns()) | {"workload": "replies", "role": "eval", "version": number}
        told |= {"eval_set": name, "items": items["item"].to_list(), "cutoff": NOON, "why": "", "checks": "[]"}
        told |= {"strata": "{}", "added": [], "retired": [], "left_as": [], "forgotten": [], "forms": []}
        row = pl.DataFrame([told], schema=dict(EvalSets.create_empty().schema))
        lake.replace("eval_sets", row, {"workload": ["replies"], "role": ["eval"], "version": [number]})


def test_a_verdict_is_told_on_its_own_items_when_the_next_set_stands(lake: Lake) -> None:
    before, served = telling.told(lake, "replies", RULES), route(lake)
    rotated(lake)
    after = telling.told(lake, "replies", RULES)
    assert after.pairs.equals(before.pairs)
    assert report.page(after) == report.page(before)
    assert route(lake) == served


def test_where_no_item_of_a_verdict_is_left_that_is_a_sentence(lake: Lake) -> None:
    lake.replace("eval_items", ITEMS.clear(), {"workload": ["replies"]})
    with pytest.raises(BadInput, match="no item is left"):
        telling.told(lake, "replies", RULES)


def route(lake: Lake, champion: str = "old") -> dict[str, Any]:
    return telling.routes(lake, "replies", RULES, champion=champion, made=NOON)


def test_a_champion_that_was_asked_of_a_part_only_has_no_routes(lake: Lake) -> None:
    """A version a person went back to: that nobody asked it of the new items is no fault of its answers."""
    answer(lake, "older", dict(list(SENT.items())[:280]))
    with pytest.raises(BadInput, match="280 of 300 items"):
        route(lake, "older")


def test_the_routes_follow_the_champion(lake: Lake) -> None:
    telling.rerouted(lake, "replies", RULES, champion="old")
    out = telling.rerouted(lake, "replies", RULES, champion="new")
    assert out == routes.path(lake.home, "replies")
    assert json.loads(out.read_text())["default"]["model"] == "new"


def flywheel(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (home / "flywheel.toml").write_text(SETTINGS)
    own = {"FLYWHEEL_HOME": str(home), "FLYWHEEL_SETTINGS": str(home / "flywheel.toml")}
    command = [sys.executable, "-m", "flywheel.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, env=os.environ | own, check=False, capture_output=True, text=True)


def test_the_command_writes_the_page_and_says_where(lake: Lake) -> None:
    ended = flywheel(lake.home, "gate", "report", "replies", "--json")
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert (told["verdict"], told["cycle"]) == ("hold", 3)
    assert Path(told["page"]) == report.path(lake.home, "replies", 3)
    assert "Hold" in Path(told["page"]).read_text()
    missing = flywheel(lake.home, "gate", "report", "replies", "--cycle", "9")
    assert (missing.returncode, "has no verdict of that cycle" in missing.stderr) == (2, True)


@pytest.mark.slow
def test_the_command_writes_the_routes_a_product_reads(lake: Lake) -> None:
    assert flywheel(lake.home, "route", "replies").returncode == 2  # no champion yet

    from flywheel.registry import Registry
    from tests.flywheel.registry.test_conclude import a_model

    champion = Registry(lake.home).ensure_champion("replies", a_model(lake.home / "base", 0.0))
    answer(lake, champion.fingerprint, SENT)
    ended = flywheel(lake.home, "route", "replies", "--json")
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["default"]["model"] == champion.fingerprint
    assert json.loads(routes.path(lake.home, "replies").read_text()) | {"file": told["file"]} == told
