"""Datasets for people: the card of the latest one, its export, and the versions of the frozen sets."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from flywheel.cli.common import AsJson, Named, app, listed, people, say, wheel
from flywheel.errors import BadInput, Transient
from flywheel.status import as_json


class Format(StrEnum):
    """What `flywheel.datasets.export` can write."""

    SFT = "trl-sft"
    DPO = "trl-dpo"
    KTO = "trl-kto"
    JSONL = "jsonl"


@app.command()
def card(workload: Named, json_out: AsJson = False) -> None:
    """What the workload's latest dataset is made of."""
    from flywheel.datasets import keep_card

    read, lake = wheel()
    read.workload(workload)
    say(keep_card(lake, workload), json_out)


@app.command()
def export(
    workload: Named,
    format: Annotated[Format, typer.Option(help="TRL's formats, or every row as it is.")] = Format.JSONL,
    out: Annotated[Path | None, typer.Option(help="A folder; none: exports/ in the state folder.")] = None,
    json_out: AsJson = False,
) -> None:
    """The latest dataset as JSONL and as a Hugging Face `datasets` folder.

    In TRL's formats the base model's control tokens that people typed get a space inside and stay text.
    """
    from flywheel.checkpoint import control_tokens
    from flywheel.datasets.card import latest
    from flywheel.datasets.export import write

    read, lake = wheel()
    base = read.base_model(workload)
    dataset, rows, labels = latest(lake, workload)
    folder = out or read.home / "exports" / workload / dataset["dataset"] / format.value
    control = None if format is Format.JSONL else control_tokens(base)
    lines = write(rows, labels, format.value, folder, control=control or ())
    texts = "as people wrote them, control tokens too"
    if control is not None:
        texts = f"control tokens of {base} made harmless"
    elif format is not Format.JSONL:
        texts += f": {base} has no tokenizer.json at hand"
    told = {"workload": workload, "dataset": dataset["dataset"], "folder": str(folder), "lines": lines, "texts": texts}
    say(told, json_out)


sets = typer.Typer(no_args_is_help=True, help="The frozen eval and sealed sets: their versions, and who must leave.")
app.add_typer(sets, name="eval-set")


@sets.command(name="show")
def show_sets(workload: Named, json_out: AsJson = False) -> None:
    """Every version of both sets: its hash, how many items came, retired and were forgotten, and why."""
    read, lake = wheel()
    read.workload(workload)
    found = lake.read("eval_sets").filter(workload=workload).sort("role", "version")
    counts = pl.col("items", "added", "retired", "forgotten").list.len()
    shown = found.select("role", "version", "eval_set", counts, "cutoff", "why")
    if json_out:
        typer.echo(as_json({"workload": workload, "sets": shown.to_dicts()}))
    else:
        people.print(listed(shown, "versions"))


@sets.command()
def forget(
    workload: Named,
    items: Annotated[list[str], typer.Argument(help="Items that must leave, by id.")],
    json_out: AsJson = False,
) -> None:
    """Take items out for good, because someone asked to be forgotten: a new version of the set without them.

    Their users' other rows stay where they are: how many there still are is said, and how they go.
    """
    from flywheel import records, signals
    from flywheel.datasets import advance
    from flywheel.datasets.held import still_held

    read, lake = wheel()
    rules = read.workload(workload)
    held = lake.read("eval_items").filter(workload=workload)
    if strangers := sorted(set(items) - set(held["item"])):
        raise BadInput("no such item", seen=", ".join(strangers), do="name items of the table eval_items, by id")
    if stale := sorted({*signals.stale_days(lake, read), *records.stale_days(lake, read)}):
        what, seen = "some days are not derived yet, and may hold what was asked to be forgotten", map(str, stale[:5])
        raise Transient(what, seen=", ".join(seen), do="run flywheel derive, then this again")
    users = held.filter(pl.col("item").is_in(items))["user"].unique().to_list()
    with lake.writing():
        left = advance(lake, workload, rules, forget=items)
    found = still_held(lake, workload, users)
    told = {"workload": workload, "eval_set": left["eval_set"][0], "items": len(left), "still_held": found}
    if found:
        told["do"] = "log may_train = false for their conversations and derive; the next dataset is made without them"
    say(told, json_out)
