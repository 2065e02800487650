"""A team's own signal: a query or a function, named in the settings, and every way in which it can be wrong."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flywheel import signals
from flywheel.errors import BadInput
from flywheel.lake import Lake
from flywheel.signals.derive import rules_digest
from tests.product import accepted, answer, read, take

SQL = """
-- Answers that shout.
SELECT workload, answer, 1.0 AS value, 'loud' AS detail, 0.9 AS confidence, event_ids
FROM exchanges WHERE response = upper(response)
"""
PYTHON = """
import polars as pl

def loud(exchanges: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    assert len(events) > len(exchanges)
    shouted = exchanges.filter(pl.col("response") == pl.col("response").str.to_uppercase())
    return shouted.select("workload", "answer", "event_ids", value=pl.lit(-1), confidence=pl.lit(0.9))
"""


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that the team's modules can be imported from."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("team_")]:
        del sys.modules[name]


def written(folder: Path, sql: str = SQL) -> dict[str, Any]:
    (folder / "loud.sql").write_text(sql)
    return {"name": "loud", "sql": str(folder / "loud.sql")}


def derive(home: Path, *own: dict[str, Any], **changes: Any) -> pl.DataFrame:
    lake = take(home, [answer("a", text="IT LEFT."), answer("b", 1), accepted("b", 2)])
    signals.catch_up(lake, read(home, signals={"own": list(own), **changes}))
    return lake.read("signals").filter(pl.col("kind") == "loud")


def test_a_query_of_the_team_s_is_a_signal_like_any_other(team: Path) -> None:
    [row] = derive(team, written(team)).to_dicts()
    assert (row["answer"], row["value"], row["detail"], row["weight"]) == ("a", 1, "loud", 1)
    assert row["detector"].startswith("loud@")
    assert row["slice"] == "retail"


def test_so_is_a_function(team: Path) -> None:
    (team / "team_loud.py").write_text(PYTHON)
    [row] = derive(team, {"name": "loud", "python": "team_loud:loud"}).to_dicts()
    assert (row["answer"], row["value"], row["audited"]) == ("a", -1, False)


def test_one_switched_off_is_not_run(team: Path) -> None:
    assert derive(team, written(team, "this is no SQL"), off=["loud"]).is_empty()


GOOD = "SELECT workload, answer, 1.0 AS value, 0.9 AS confidence, event_ids FROM exchanges"
WRONG = {
    "SELECT workload, answer, event_ids FROM exchanges": r"lacks the column value, confidence",
    GOOD.replace(" FROM", ", 1 AS mood FROM"): r"has the odd column mood",
    GOOD.replace("1.0 AS", "'much' AS"): r"has an odd column value; saw `String`",
    GOOD.replace("1.0 AS", "NULL::DOUBLE AS"): r"leaves value empty",
    GOOD.replace("1.0 AS", "'nan'::DOUBLE AS"): r"leaves value empty",
    GOOD.replace("0.9 AS", "1.5 AS"): r"has a confidence outside 0 to 1",
    f"{GOOD} UNION ALL {GOOD}": r"has several rows for one answer",
    "SELECT nothing FROM exchanges": r"stopped with BinderException",
    "SELECT": r"stopped with ParserException",
    "": r"gave no rows",
}


@pytest.mark.parametrize(("sql", "told"), WRONG.items(), ids=list(WRONG.values()))
def test_a_query_that_is_wrong_is_one_sentence_that_names_the_signal(team: Path, sql: str, told: str) -> None:
    with pytest.raises(BadInput, match=f"signal loud {told}") as raised:
        derive(team, written(team, sql))
    assert "\n" not in str(raised.value)


FUNCTIONS = {
    "def loud(exchanges, events):\n    return 1 / 0": r"stopped with ZeroDivisionError",
    "def loud(exchanges, events):\n    return None": r"gave no rows; saw `NoneType`",
    "def quiet(exchanges, events):\n    return None": r"names a function that is not there",
    "import nowhere_to_be_found\ndef loud(*tables): ...": r"stopped with ModuleNotFoundError",
}


@pytest.mark.parametrize(("source", "told"), FUNCTIONS.items(), ids=list(FUNCTIONS.values()))
def test_so_is_a_function_that_is_wrong(team: Path, source: str, told: str) -> None:
    (team / "team_wrong.py").write_text(source)
    with pytest.raises(BadInput, match=f"signal loud {told}"):
        derive(team, {"name": "loud", "python": "team_wrong:loud"})


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"name": "loud", "sql": "/nowhere/loud.sql"}, "a file that is not there"),
        ({"name": "loud", "python": "team_nowhere:loud"}, "a module that is not there"),
        ({"name": "rating", "sql": "{folder}/loud.sql"}, "the name of a built-in signal"),
    ],
)
def test_what_is_not_there_is_one_sentence(team: Path, own: dict[str, str], told: str) -> None:
    written(team)
    with pytest.raises(BadInput, match=told):
        derive(team, {name: value.format(folder=team) for name, value in own.items()})


def test_changed_code_makes_everything_stale_and_the_rest_of_the_settings_does_not(team: Path) -> None:
    (team / "team_loud.py").write_text(PYTHON)
    own = [written(team), {"name": "louder", "python": "team_loud:loud"}]
    told = read(team, signals={"own": own})
    digests = {rules_digest(told)}
    written(team, SQL.replace("0.9", "0.8"))
    digests.add(rules_digest(told))
    (team / "team_loud.py").write_text(PYTHON.replace("-1", "-2"))
    digests.add(rules_digest(told))
    digests.add(rules_digest(read(team, signals={"own": own, "edit_pair": 0.2})))
    assert len(digests) == 4
    reached = {"kind": "rules", "key": "OTHER", "timeout_seconds": 5}
    assert rules_digest(read(team, signals={"own": own, "classifier": reached})) == rules_digest(told)


def test_derivation_follows_the_changed_query(team: Path) -> None:
    assert len(derive(team, written(team))) == 1
    lake, told = Lake(team), read(team, signals={"own": [written(team, GOOD)]})
    signals.catch_up(lake, told)
    assert len(lake.read("signals").filter(kind="loud")) == 2
