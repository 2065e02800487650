"""The playground's product and its users, in a process of their own: nothing of the playground is imported here."""

import dagster as dg
from flywheel import settings

from assets import processes
from assets.metadata import table
from assets.resources import Wheel

OPTIONS = {"group_name": "playground", "owners": ["team:product"], "kinds": {"transformers", "pytorch"}, "pool": "gpu"}


@dg.asset(description="The small base model of the playground, trained from nothing once and kept.", **OPTIONS)
def base_model(
    context: dg.AssetExecutionContext, wheel: Wheel, pipes: dg.PipesSubprocessClient
) -> dg.MaterializeResult:
    read = wheel.settings()
    job = {"do": "base", "home": str(read.home), "out": str(base_folder(read)), "playground": read.playground}
    made = processes.run(context, pipes, "playground", read.home / "playground" / "base", job)
    return dg.MaterializeResult(metadata={"fingerprint": made["fingerprint"], "cached": made["cached"]})


@dg.asset(
    deps=[base_model],
    description="One simulated week of the product: people ask, champions answer, logs are written.",
    **OPTIONS,
)
def week(context: dg.AssetExecutionContext, wheel: Wheel, pipes: dg.PipesSubprocessClient) -> dg.MaterializeResult:
    read = wheel.settings()
    champions = {workload: wheel.champion(workload) for workload in read.workloads}
    serve = {name: {"path": str(each.path), "version": each.version} for name, each in champions.items()}
    job = {
        "do": "week",
        "home": str(read.home),
        "logs": str(read.home / "logs"),
        "playground": read.playground,
        "serve": serve,
    }
    played = processes.run(context, pipes, "playground", read.home / "playground" / "week", job)
    return dg.MaterializeResult(metadata={"week": played["week"], "played": table([played])})


def base_folder(read: settings.Settings) -> str:
    """Every workload of the playground stands on one base model."""
    return read.base_model(next(iter(read.workloads)))
