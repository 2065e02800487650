"""Everything Dagster knows of the wheel, in one place. `dagster.yaml` and `workspace.yaml` beside this folder say the
rest.
"""

import dagster as dg

from assets import automation, datasets, gate, health, ingest, playground, records, registry, signals, training
from assets.checks import CHECKS
from assets.resources import Wheel

ASSETS = [
    playground.base_model,
    playground.week,
    ingest.ingest_logs,
    signals.derive_signals,
    records.derive_records,
    records.failure_map,
    datasets.eval_items,
    datasets.dataset_rows,
    datasets.cards,
    training.checkpoints,
    gate.answers,
    gate.verdicts,
    registry.cycles,
    registry.deployments,
    health.rates,
]


@dg.definitions
def definitions() -> dg.Definitions:
    return dg.Definitions(
        assets=ASSETS,
        asset_checks=CHECKS,
        jobs=automation.JOBS,
        schedules=[automation.daily, automation.weekly_cycle],
        sensors=[automation.new_logs, automation.stale_days, automation.champion_moved, automation.void_verdicts],
        resources={"wheel": Wheel(), "pipes": dg.PipesSubprocessClient(termination_timeout_seconds=40)},
        executor=dg.in_process_executor,
    )
