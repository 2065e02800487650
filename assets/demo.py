"""The demo: simulated weeks, and the wheel turned after each, as real Dagster runs on the instance that `make ui`
shows.
"""

import argparse
import logging
import re
import shutil
import time
import warnings
from collections.abc import Mapping
from typing import NamedTuple

import dagster as dg
from flywheel import cli, process

from assets.automation import day_range, to_derive
from assets.definitions import definitions
from assets.partitions import WORKLOADS
from assets.resources import Wheel

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
people = cli.people
# What a wheel writes into its state folder: its own names, and those of Dagster's storage, where each run has a folder.
OURS = {
    "lake",
    "logs",
    "ingest",
    "playground",
    "training",
    "checkpoints",
    "controls",
    "rewards",
    "endpoints",
    "gate",
    "locks",
    "mlflow.db",
    "mlartifacts",
}
OURS |= {"artifacts", "history", "schedules", "storage", "logs", ".nux", ".telemetry"}
RUN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Turn(NamedTuple):
    """Runs jobs on one instance and says what they did."""

    wheel: Wheel
    defs: dg.Definitions
    instance: dg.DagsterInstance

    def run(
        self,
        job: str,
        *,
        assets: list[str] | None = None,
        partition: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> bool:
        result = self.defs.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            partition_key=partition,
            tags=dict(tags or {}),
            asset_selection=[dg.AssetKey(name) for name in assets] if assets else None,
            run_config=QUIET,
            raise_on_error=False,
        )
        return result.success

    def say(self, line: str) -> None:
        people.print(line, highlight=False)


def main() -> None:
    read = argparse.ArgumentParser()
    read.add_argument("--weeks", type=int, default=3)
    read.add_argument("--fresh", action="store_true")
    asked = read.parse_args()
    cli.environment()
    _quiet()
    wheel, began = Wheel(), time.monotonic()
    if asked.fresh:
        forget(wheel)
    with dg.DagsterInstance.get() as instance:
        turn = Turn(wheel, definitions(), instance)
        for number in range(1, asked.weeks + 1):
            people.rule(f"week {number} of {asked.weeks}", align="left")
            week(turn)
    closing(wheel, time.monotonic() - began)


def week(turn: Turn) -> None:
    """One simulated week, and a cycle of every workload that has waited long enough for its first."""
    turn.say("people use the product")
    _must(turn.run("play"), "the playground's week could not be played")
    _must(turn.run("ingest"), "the logs could not be ingested")
    days = to_derive(turn.wheel)
    turn.say(f"{turn.wheel.lake().read('events').height} events; deriving {len(days)} days")
    _must(turn.run("derive", tags=day_range(days)), "signals and records could not be derived")
    for workload in started(process.result(turn.wheel.settings().home / "playground" / "week")["week"]):
        turn.say(f"[bold]{workload}[/]: a turn of the wheel")
        turn.run("cycle", partition=workload)
        ended = turn.wheel.lake().read("cycles").filter(workload=workload).sort("cycle").row(-1, named=True)
        turn.say(f"[bold]{workload}[/]: cycle {ended['cycle']} [bold]{ended['outcome']}[/]: {ended['reason']}")
    _must(turn.run("deployment"), "where `champion` points could not be written down")


def started(number: int) -> list[str]:
    """The first workload turns from the first week on; the others join a week later, as a second team would."""
    first, *others = WORKLOADS.get_partition_keys()
    return [first, *others] if number > 1 else [first]


def forget(wheel: Wheel) -> None:
    """Everything that a wheel has written but the cached base model; a folder that is no wheel's is left alone."""
    home = wheel.settings().home
    if any(home.iterdir()) and not any((home / name).exists() for name in ("lake", "playground", "cache")):
        people.print(
            f"{home} holds no wheel, so nothing is deleted; set FLYWHEEL_HOME to a wheel's folder", style="red"
        )
        raise SystemExit(2)
    for path in home.iterdir():
        if path.name in OURS or RUN.fullmatch(path.name):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def closing(wheel: Wheel, seconds: float) -> None:
    people.rule("what came of it", align="left")
    people.print(cli.status_table(cli.current(wheel.lake(), wheel.settings())))
    people.print(
        f"\n{seconds / 60:.1f} minutes. The four rates are what people had to do; satisfied is what they truly felt."
    )
    people.print("make ui            every asset, run and plot in Dagster; models, aliases and lineage in MLflow")
    people.print("make demo          three more weeks; flywheel demo --fresh starts anew")


def _must(succeeded: bool, sentence: str) -> None:
    if not succeeded:
        people.print(f"{sentence}; `make ui` shows the run and its error", style="red")
        raise SystemExit(1)


def _quiet() -> None:
    """People want the wheel's own words; Dagster's are in its UI."""
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", category=dg.BetaWarning)


if __name__ == "__main__":
    main()
