"""Training by hand: what a run would learn and cost, the run itself, and the runs beside it that are no candidates."""

import json
from collections.abc import Iterable
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import polars as pl
import typer

from flywheel import checkpoint, process, settings
from flywheel.cli.common import AsJson, Named, app, listed, people, say, wheel
from flywheel.cli.stages import derived
from flywheel.errors import BadInput, FlywheelError
from flywheel.lake import Lake

if TYPE_CHECKING:
    from flywheel.registry import Registry
    from flywheel.training.stage import Aside


class Control(StrEnum):
    """What is taken away from what people meant."""

    SHUFFLED = "shuffled"
    LENGTH = "length"


@app.command()
def train(
    workload: Named,
    control: Annotated[
        Control | None, typer.Option(help="Train a control: sides by chance, or the longer one chosen.")
    ] = None,
    reward: Annotated[bool, typer.Option("--reward", help="Train a reward model, which the gate can score with.")] = (
        False
    ),
    json_out: AsJson = False,
) -> None:
    """Cut the workload's dataset and train a candidate on it; or what is none: a control, a reward model."""
    from flywheel.registry import fail
    from flywheel.training.stage import keep, plan

    if control and reward:
        raise BadInput("a control and a reward model are two runs", seen=f"--control {control} --reward", do="name one")
    read, lake, registry, start = _ready(workload)
    if control or reward:
        _beside(read, lake, registry, workload, start, control.value if control else "reward", json_out)
        return
    asked = {"tracking_uri": registry.tracking_uri, "minutes": read.budget.training_minutes}
    training = plan(lake, workload, read.workload(workload), start=start, **asked)
    try:
        result = process.run("training", training.folder, training.job) if training.job else None
    except FlywheelError as error:
        fail(lake, workload, str(error))
        raise
    kept = keep(lake, training, result).row(0, named=True)
    told = {key: kept[key] for key in ("workload", "cycle", "dataset", "folder", "fingerprint", "reason", "seconds")}
    rows = lake.read("dataset_rows").filter(workload=workload, dataset=kept["dataset"])
    say(told | {"rows": len(rows), "metrics": json.loads(kept["metrics"])}, json_out)


@app.command()
def preflight(workload: Named, json_out: AsJson = False) -> None:
    """What the next training would learn, token by token, and what it would cost: two steps that are thrown away."""
    from flywheel.training.recipe import require_affordable
    from flywheel.training.stage import aside

    read, lake, _, start = _ready(workload)
    asked = {"tracking_uri": None, "minutes": read.budget.training_minutes}
    training = aside(lake, workload, read.workload(workload), start=start, kind="preflight", **asked)
    assert training.job is not None
    ahead = process.run("training", training.folder, training.job)["preflight"]
    if json_out:
        say({"workload": workload, **ahead}, json_out)
    else:
        _show(ahead)
    require_affordable(ahead, read.budget.training_minutes)


def _ready(workload: str) -> tuple[settings.Settings, Lake, "Registry", Path]:
    """Records derived, the dataset cut, a champion there; and the folder that training starts from."""
    from flywheel.datasets import cut
    from flywheel.registry import Registry

    read, lake = wheel()
    rules, registry = read.workload(workload), Registry(read.home)
    derived(lake, read)
    cut(lake, workload, rules)
    base = checkpoint.locate(read.base_model(workload))
    champion = registry.ensure_champion(workload, checkpoint.champion_zero(read, workload))
    start, word = base, ""
    if rules.start_from == "champion":
        start, word = checkpoint.starting_point(registry.path(champion), base)
    if word:
        people.print(word, markup=False)
    return read, lake, registry, start


def _beside(
    read: settings.Settings,
    lake: Lake,
    registry: "Registry",
    workload: str,
    start: Path,
    kind: "Aside",
    json_out: bool,
) -> None:
    """A run that is no candidate, and its numbers beside the candidate's of the same dataset, if there is one."""
    from flywheel.training.stage import aside

    asked = {"tracking_uri": registry.tracking_uri, "minutes": read.budget.training_minutes}
    training = aside(lake, workload, read.workload(workload), start=start, kind=kind, **asked)
    assert training.job is not None
    result = process.run("training", training.folder, training.job)
    candidate = lake.read("checkpoints").filter(workload=workload, dataset=training.row["dataset"])
    real = [json.loads(metrics) for metrics in candidate["metrics"]]
    told = {"workload": workload, "cycle": training.row["cycle"], "kind": kind, "folder": result["checkpoint"]}
    say(told | {"seconds": result["seconds"], "metrics": result["metrics"]}, json_out)
    if real and kind != "reward" and not json_out:
        people.print(listed(pl.DataFrame(_compared({"candidate": real[-1], kind: result["metrics"]})), "beside"))


def _compared(runs: dict[str, dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """What the development rows say of each run."""
    for name, metrics in runs.items():
        numbers = {
            key.split("/")[1]: round(value, 3) for key, value in metrics.items() if key.startswith("development/")
        }
        yield {"run": name, **numbers}


def _reasons(why: dict[str, int]) -> str:
    return ": " + "; ".join(f"{count} {reason}" for reason, count in why.items()) if why else ""


def _show(ahead: dict[str, Any]) -> None:
    """The page for people: the conversation with what is learned of it, then what each phase costs."""
    people.print("One conversation of the dataset; green and between brackets is what the model learns to say:\n")
    for learned, tokens in groupby(ahead["conversation"], key=lambda token: token[1]):
        text = "".join(token for token, _ in tokens)
        people.print(f"[{text}]" if learned else text, style="green" if learned else "dim", markup=False, end="")
    people.print("\n")
    phases = pl.DataFrame(ahead["phases"]).with_columns(pl.selectors.float().round(3))
    people.print(listed(phases, "phases"))
    gpu = f", {ahead['gpu_minutes']:.3g} GPU minutes" if ahead["gpu_minutes"] else ""
    people.print(
        f"About {ahead['minutes']:.3g} minutes{gpu}; at most {ahead['memory_gb']:.2f} GB of"
        f" {ahead['memory_of_gb']:.0f}; {ahead['left_out']} records are left out{_reasons(ahead['why_left_out'])}.",
        highlight=False,
        soft_wrap=True,
    )
