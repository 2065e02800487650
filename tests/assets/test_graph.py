"""The asset graph as people know it: keys, dependencies, groups, kinds, partitions, job selections, as a committed
snapshot.
"""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.checks import CHECKS
from assets.definitions import definitions

SNAPSHOT = Path(__file__).parent / "graph.json"


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    return definitions()


def graph(defs: dg.Definitions) -> dict[str, Any]:
    known = defs.resolve_asset_graph()
    assets = {}
    for key in sorted(known.get_all_asset_keys()):
        node = known.get(key)
        assets[key.to_user_string()] = {
            "group": node.group_name,
            "deps": sorted(parent.to_user_string() for parent in node.parent_keys),
            "kinds": sorted(node.kinds),
            "owners": sorted(node.owners),
            "partitions": type(node.partitions_def).__name__ if node.partitions_def else None,
            "checks": sorted(check.name for check in node.check_keys),
        }
    repository = defs.get_repository_def()
    jobs = {
        job.name: sorted(key.to_user_string() for key in job.asset_layer.selected_asset_keys)
        for job in repository.get_all_jobs()
        if not job.name.startswith("__")
    }
    sensors = {sensor.name: sensor.default_status.value for sensor in repository.sensor_defs}
    schedules = {schedule.name: schedule.cron_schedule for schedule in repository.schedule_defs}
    return {"assets": assets, "jobs": jobs, "sensors": sensors, "schedules": schedules}


def test_the_graph_is_what_was_agreed(defs: dg.Definitions) -> None:
    """If the change is meant: delete graph.json, run this test once, read the difference, commit it."""
    now = graph(defs)
    if not SNAPSHOT.exists():
        SNAPSHOT.write_text(json.dumps(now, indent=1, sort_keys=True) + "\n")
    assert now == json.loads(SNAPSHOT.read_text())


def test_every_asset_says_what_it_is_and_whose(defs: dg.Definitions) -> None:
    for spec in defs.resolve_all_asset_specs():
        assert spec.description, spec.key
        assert spec.owners, spec.key
        assert spec.kinds, spec.key
        if spec.group_name != "playground":
            assert len(spec.metadata["dagster/column_schema"].columns) > 2, spec.key


def test_broken_promises_block(defs: dg.Definitions) -> None:
    checks = {spec.name: spec.blocking for check in CHECKS for spec in check.check_specs}
    assert set(checks) == {"conservation", "only_what_may_train", "eval_set_is_frozen", "no_leakage"}
    assert all(checks.values())


def test_training_and_generation_share_one_place_on_the_gpu(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    pools = {key.to_user_string(): graph.get(key).pools for key in graph.get_all_asset_keys()}
    loading = {"checkpoints", "answers", "verdicts", "base_model", "week"}  # a verdict asks sealed items of both models
    assert {key for key, pool in pools.items() if pool == {"gpu"}} == loading
