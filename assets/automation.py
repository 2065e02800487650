"""Jobs, schedules and sensors: when the wheel turns. Cheap stages follow by themselves; training never starts unasked.

https://docs.dagster.io/guides/automate
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from glob import glob
from pathlib import Path

import dagster as dg
from flywheel import records, signals
from flywheel.registry import fail, void

from assets.partitions import WORKLOADS
from assets.resources import Wheel

RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
"""The run tags that ask for a range of days in one run."""


HARVEST = timedelta(minutes=10)
"""Between two looks at a live source, which nobody tells when it has grown."""
PAUSE = timedelta(minutes=15)
"""Between a derivation that failed and the next try."""


@dg.failure_hook(name="tell_failure", required_resource_keys={"wheel"})
def tell_failure(context: dg.HookContext) -> None:
    """A cycle that failed leaves one sentence in `cycles`, where `status` and people find it."""
    error = context.op_exception
    sentence = getattr(error, "description", None) or str(error)
    workload = context._step_execution_context.partition_key
    fail(context.resources.wheel.lake(), workload, sentence, run=context.run_id)


ingest = dg.define_asset_job(
    "ingest", selection=dg.AssetSelection.groups("ingest"), description="Take what is new in the logs."
)
derive = dg.define_asset_job(
    "derive",
    selection=dg.AssetSelection.groups("signals", "records") - dg.AssetSelection.assets("failure_map"),
    description="Signals and records of some days; runs by itself when the log has outgrown them.",
)
cycle = dg.define_asset_job(
    "cycle",
    selection=dg.AssetSelection.groups("datasets", "training", "gate", "health")
    | dg.AssetSelection.assets("cycles", "failure_map"),
    hooks={tell_failure},
    description="One turn of the wheel for one workload: dataset, checkpoint, verdict, registration, rates, failures.",
)
regate = dg.define_asset_job(
    "regate",
    selection=dg.AssetSelection.groups("gate") | dg.AssetSelection.assets("cycles"),
    hooks={tell_failure},
    description="Judge a winner anew, against the champion that serves now; runs by itself when a verdict became void.",
)
play = dg.define_asset_job(
    "play",
    selection=dg.AssetSelection.groups("playground"),
    description="One simulated week of the playground's product.",
)
deployment = dg.define_asset_job(
    "deployment", selection=dg.AssetSelection.assets("deployments"), description="Write down where `champion` points."
)
JOBS = [ingest, derive, cycle, regate, play, deployment]

daily = dg.ScheduleDefinition(
    name="daily_ingest",
    job=ingest,
    cron_schedule="0 3 * * *",
    execution_timezone="UTC",
    description="Each night at three.",
)


@dg.schedule(
    job=cycle, cron_schedule="0 5 * * 1", execution_timezone="UTC", description="Each Monday at five, every workload."
)
def weekly_cycle() -> Iterator[dg.RunRequest]:
    for workload in WORKLOADS.get_partition_keys():
        yield dg.RunRequest(partition_key=workload)


@dg.sensor(job=ingest, minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
def new_logs(context: dg.SensorEvaluationContext, wheel: Wheel) -> dg.SensorResult | dg.SkipReason:
    """Ask for an ingest when a source's files have grown or changed, and now and then for what is live."""
    home, sources = wheel.settings().home, wheel.settings().sources
    globs = [source.files.format(home=home) for source in sources]
    files = sorted({path for each in globs for path in glob(each, recursive=True)})  # noqa: PTH207  globs are absolute  # noqa: PTH207
    live = [datetime.now(UTC).timestamp() // HARVEST.total_seconds() for source in sources if source.live]
    told = [(path, Path(path).stat().st_size) for path in files]
    state = hashlib.sha256(repr([told, *live]).encode()).hexdigest()[:16]
    if not (files or live) or state == context.cursor:
        return dg.SkipReason("no source has changed")
    return dg.SensorResult(run_requests=[dg.RunRequest()], cursor=state)


@dg.sensor(job=derive, minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
def stale_days(context: dg.SensorEvaluationContext, wheel: Wheel) -> dg.SensorResult | dg.SkipReason:
    """Ask for a derivation of the days that the log, or a rule, has outgrown."""
    if _running(context.instance, "derive"):
        return dg.SkipReason("a derivation is under way")
    days = to_derive(wheel)
    if not days:
        return dg.SkipReason("every day is derived")
    # No run key: the days are stale until a run succeeds, so one that failed on a bad setting is asked for again.
    # After a failure the next try waits, so that a setting nobody mends does not fill the list of runs.
    if _failed_lately(context.instance, "derive"):
        return dg.SkipReason(f"the last derivation failed; the next try comes {PAUSE} after it")
    return dg.SensorResult(run_requests=[dg.RunRequest(tags=day_range(days))])


@dg.sensor(job=deployment, minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
def champion_moved(context: dg.SensorEvaluationContext, wheel: Wheel) -> dg.SensorResult | dg.SkipReason:
    """Notice when a person moves the alias `champion` in MLflow; the product's next answers are that version's."""
    if not (wheel.settings().home / "mlflow.db").exists():
        return dg.SkipReason("nothing is registered yet")
    registry = wheel.registry()
    champions = {workload: registry.champion(workload) for workload in WORKLOADS.get_partition_keys()}
    state = " ".join(f"{workload}@{champion.version}" for workload, champion in champions.items() if champion)
    if state in ("", context.cursor):
        return dg.SkipReason("no alias has moved")
    return dg.SensorResult(run_requests=[dg.RunRequest()], cursor=state)


@dg.sensor(job=regate, minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
def void_verdicts(context: dg.SensorEvaluationContext, wheel: Wheel) -> dg.SensorResult | dg.SkipReason:
    """Ask for a new judgement of a winner whose champion was replaced before it was registered."""
    if not (wheel.settings().home / "mlflow.db").exists():
        return dg.SkipReason("nothing is registered yet")
    if any(_running(context.instance, job) for job in ("cycle", "regate")):
        return dg.SkipReason("a cycle is under way")
    waiting = [name for name in WORKLOADS.get_partition_keys() if void(wheel.lake(), wheel.registry(), name)]
    if not waiting:
        return dg.SkipReason("no verdict is void")
    if _failed_lately(context.instance, "regate"):
        return dg.SkipReason(f"the last one failed; the next try comes {PAUSE} after it")
    return dg.SensorResult(run_requests=[dg.RunRequest(partition_key=name) for name in waiting])


def to_derive(wheel: Wheel) -> list:
    """The days whose signals or records are not what the log and the rules say now."""
    lake, settings = wheel.lake(), wheel.settings()
    stale = {*signals.stale_days(lake, settings), *records.stale_days(lake, settings)}
    return sorted(
        {max(day, settings.start) for day in stale}
    )  # older days have no partition, but are derived all the same


def day_range(days: list) -> dict[str, str]:
    """The tags of one run over all days from the first to the last."""
    return dict(zip(RANGE, (days[0].isoformat(), days[-1].isoformat()), strict=True))


def _running(instance: dg.DagsterInstance, job: str) -> bool:
    unfinished = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
    return bool(instance.get_runs(dg.RunsFilter(job_name=job, statuses=unfinished), limit=1))


def _failed_lately(instance: dg.DagsterInstance, job: str) -> bool:
    records = instance.get_run_records(dg.RunsFilter(job_name=job), limit=1)
    ended = [record.end_time for record in records if record.dagster_run.status == dg.DagsterRunStatus.FAILURE]
    return any(end and end > (datetime.now(UTC) - PAUSE).timestamp() for end in ended)
