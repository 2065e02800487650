"""One whole cycle through Dagster: a week is played, ingested, derived, trained on, judged, concluded, measured."""

import json

import dagster as dg
import pytest

from flywheel.lake import Lake
from flywheel.settings import REPOSITORY
from tests.e2e.wheel import Wheel, light_wheel


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Wheel:
    wheel = light_wheel(tmp_path_factory.mktemp("wheel"))
    ended = wheel.flywheel("demo", "--weeks", "1")
    assert ended.returncode == 0, ended.stderr[-3000:]
    return wheel


def test_status_tells_the_cycle(turned: Wheel) -> None:
    told = turned.told("status")
    (cycle,) = told["cycles"]
    assert (cycle["workload"], cycle["cycle"]) == ("reply-drafts", 1)
    assert cycle["verdict"] in ("promote", "hold", "reject")
    assert cycle["events"] == len(Lake(turned.home).read("events").filter(workload="reply-drafts"))
    assert cycle["records"]["pairs"] == len(Lake(turned.home).read("pairs").filter(workload="reply-drafts"))
    assert set(cycle["rates"]) == {"edit", "regeneration", "rephrase", "abandonment"}
    assert 0 <= cycle["true_satisfaction"] <= 1
    assert cycle["interval"][0] <= cycle["gain"] <= cycle["interval"][1]
    assert set(told["champion"]) == {"reply-drafts", "call-notes"}
    routes = json.loads((turned.home / "routes" / "reply-drafts.json").read_text())
    assert routes["eval_set"] == Lake(turned.home).read("verdicts").filter(workload="reply-drafts")["eval_set"][-1]


def test_every_asset_of_the_turn_is_materialised_on_the_instance(
    turned: Wheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLYWHEEL_HOME", str(turned.home))
    monkeypatch.setenv("DAGSTER_HOME", str(REPOSITORY))
    with dg.DagsterInstance.get() as instance:
        seen = {key.to_user_string() for key in instance.all_asset_keys()}
        runs = instance.get_runs()
    assert seen >= {
        "week",
        "events",
        "exchanges",
        "signals/edit",
        "signals/abandonment",
        "pairs",
        "knowledge_gaps",
        "failure_map",
        "eval_items",
        "dataset_rows",
        "checkpoints",
        "verdicts",
        "cycles",
        "deployments",
        "rates",
    }
    assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}


def test_nothing_is_written_outside_the_state_folder(turned: Wheel) -> None:
    stray = [
        name for name in ("mlflow.db", "mlruns", "mlartifacts", "history", "storage") if (REPOSITORY / name).exists()
    ]
    assert stray == []
    assert (turned.home / "mlflow.db").exists()


def test_the_dataset_leads_back_to_logged_events(turned: Wheel) -> None:
    lake = Lake(turned.home)
    logged = set(lake.read("events")["key"])
    rows = lake.read("dataset_rows")
    assert len(rows) > 0
    assert all(set(ids) <= logged for ids in rows["event_ids"])


def test_running_the_stages_again_without_dagster_changes_nothing(turned: Wheel) -> None:
    tables = ("events", "signals", "pairs", "dataset_rows", "eval_items", "verdicts", "looks")
    before = {table: Lake(turned.home).read(table).height for table in tables}
    assert turned.told("ingest")["accepted"] == 0
    assert turned.told("derive")["days"] == 0
    trained = turned.told("train", "reply-drafts")
    judged = turned.told("gate", "run", "reply-drafts")
    assert {table: Lake(turned.home).read(table).height for table in tables} == before
    assert trained["fingerprint"] == judged["candidate"]
    assert len(turned.told("status")["cycles"]) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("show", "nothing"), "no such table"),
        (("show", "pairs", "--where", "what is this"), "not SQL"),
        (("train", "nobody"), "no such workload"),
    ],
)
def test_bad_input_is_one_sentence(turned: Wheel, arguments: tuple[str, ...], says: str) -> None:
    ended = turned.flywheel(*arguments)
    assert ended.returncode == 2
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_show_reads_a_table(turned: Wheel) -> None:
    told = turned.told("show", "signals", "--where", "kind = 'edit'", "--limit", "3")
    assert [row["kind"] for row in told["rows"]] == ["edit"] * 3


def acts(wheel: Wheel) -> dict[str, dict[tuple[str, str], str]]:
    """What people truly did and meant, by act, then by (workload, answer)."""
    found: dict[str, dict[tuple[str, str], str]] = {}
    for week in (wheel.home / "playground" / "truth").glob("week-*.jsonl"):
        for told in map(json.loads, week.read_text().splitlines()):
            for act in told["acts"]:
                found.setdefault(act["act"], {})[told["workload"], told["answer"]] = act["means"]
    return found


@pytest.mark.parametrize(
    ("kind", "act"), [("edit", "edit"), ("regeneration", "regenerate"), ("rating", "rate"), ("rephrase", "rephrase")]
)
def test_each_signal_finds_the_acts_that_truly_happened_and_no_others(turned: Wheel, kind: str, act: str) -> None:
    read = set(Lake(turned.home).read("signals").filter(kind=kind).select("workload", "answer").iter_rows())
    true = set(acts(turned)[act])
    assert len(true) > 5
    assert len(read & true) / len(true) > 0.95
    assert len(read & true) / len(read) > 0.95


def test_signals_mean_what_people_meant(turned: Wheel) -> None:
    """Careless and hostile people are part of the world, so most, not all, of the acts that look unhappy are."""
    truth = acts(turned)
    for act in ("edit", "regenerate"):
        meant = list(truth[act].values())
        assert meant.count("dislike") / len(meant) > 0.7, act
    ratings = Lake(turned.home).read("signals").filter(kind="rating").select("workload", "answer", "value").iter_rows()
    agree = [(value > 0) == (truth["rate"][workload, answer] == "like") for workload, answer, value in ratings]
    assert sum(agree) / len(agree) > 0.7


def test_who_walked_away_is_found_but_so_is_who_read_and_went(turned: Wheel) -> None:
    lake, truth = Lake(turned.home), acts(turned)
    closed = set(lake.read("exchanges").filter("closed").select("workload", "answer").iter_rows())
    read = set(lake.read("signals").filter(kind="abandonment").select("workload", "answer").iter_rows())
    walked = set(truth["walk_away"]) & closed
    # Who stays with an answer before walking away cannot be told from who was served by reading it.
    assert len(walked & read) / len(walked) > 0.5
    assert read <= walked | set(truth["ignore"]) | set(truth.get("rate", {}))
