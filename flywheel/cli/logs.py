"""Logs in: take them, see what waits and what could not be read."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from flywheel import settings
from flywheel.cli.common import AsJson, app, listed, people, say, wheel
from flywheel.lake import Lake
from flywheel.process import Report
from flywheel.settings import Format
from flywheel.status import as_json

OfFormat = Annotated[Format, typer.Option(help="What the records look like; auto looks at each.")]
OfWorkload = Annotated[str, typer.Option(help="The workload of records that name none.")]
OfSource = Annotated[str, typer.Option(help="The source they are from; one of flywheel.toml brings its mapping.")]


@app.command()
def ingest(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files and folders; none: the sources of flywheel.toml.")
    ] = None,
    format: OfFormat = "auto",
    workload: OfWorkload = "",
    source: OfSource = "",
    json_out: AsJson = False,
) -> None:
    """Take what is new in log files: .jsonl, .json, .csv, .tsv, .parquet, plain, .gz or .zst."""
    from flywheel.ingest import ingest as take
    from flywheel.ingest import ingest_paths, reasons

    read, lake = wheel()
    options = {"now": datetime.now(UTC), "salt": read.salt}
    with _progress() as progress:
        if paths:
            taken = ingest_paths(lake, paths, _source(read, source, format, workload), **options, progress=progress)
        else:
            taken = take(lake, read.sources, **options, progress=progress)
    say(taken.as_json(), json_out)
    if taken.quarantined:
        people.print(f"{taken.quarantined} records could not be read; flywheel quarantine list names them. Most often:")
        people.print(reasons(lake)["reason"][0], markup=False, soft_wrap=True)
    if taken.pending:
        people.print(f"{taken.pending} files end in an incomplete record: ingest again when they are complete.")
    if taken.waiting:
        people.print(f"{taken.waiting} events wait for an answer nobody logged yet; flywheel waiting names them.")


def _source(read: settings.Settings, name: str, format: Format, workload: str) -> settings.Source:
    """The named source of flywheel.toml, or one made from the options; options win."""
    known = {each.name: each for each in read.sources}.get(name)
    name = name or re.sub(r"[^a-z0-9_-]+", "-", workload.lower()).strip("-_") or "logs"
    written = known.model_dump(exclude_unset=True) if known else {"name": name, "path": ""}
    written |= {"format": format} if format != "auto" else {}
    written |= {"workload": workload} if workload else {}
    return settings.source(written)


def _only_workload(lake: Lake, source: str) -> str:
    """The workload that all events of a source have; the records beside them were logged for no other."""
    found = lake.scan("events").filter(pl.col("source") == source).select(pl.col("workload").unique()).collect()
    return found.item() if len(found) == 1 else ""


@contextmanager
def _progress() -> Iterator[Report]:
    """A bar for people at a terminal; silence for programs."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=people, transient=True, disable=not people.is_terminal) as bar:
        task = bar.add_task("ingest", total=None)

        def progress(message: str, **numbers: float) -> None:
            bar.update(task, total=numbers.get("bytes"), completed=numbers.get("bytes_read"))

        yield progress


@app.command()
def waiting(json_out: AsJson = False) -> None:
    """Feedback whose answer nobody logged yet; it is joined when the answer arrives."""
    from flywheel.ingest import waiting as still

    found = still(wheel()[1])
    if json_out:
        typer.echo(as_json({"waiting": found.to_dicts()}))
    else:
        people.print(listed(found, "Feedback that waits for its answer"))


quarantine = typer.Typer(no_args_is_help=True, help="Records that could not be read: list, show, retry.")
app.add_typer(quarantine, name="quarantine")


@quarantine.command(name="list")
def quarantine_list(json_out: AsJson = False) -> None:
    """Which records could not be read, where they lie and why."""
    from flywheel.ingest import quarantined

    columns = ["id", "source", "file", "record", "offset", "reason"]
    found = quarantined(wheel()[1]).select(columns)
    if json_out:
        typer.echo(as_json({"quarantined": len(found), "records": found.to_dicts()}))
    else:
        people.print(listed(found, "Quarantine"))


@quarantine.command(name="show")
def quarantine_show(id: Annotated[str, typer.Argument(help="An id from the list, or how it begins.")]) -> None:
    """The record as it lies in its file, unmasked, on stdout."""
    from flywheel.ingest import one

    found = one(wheel()[1], id)
    people.print(
        f"{found['file']}, record {found['record']}, byte {found['offset']}: {found['reason']}",
        markup=False,
        soft_wrap=True,
    )
    sys.stdout.buffer.write(found["raw"] + b"\n")


@quarantine.command(name="retry")
def quarantine_retry(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids from the list; none: all of them.")] = None,
    format: OfFormat = "auto",
    workload: OfWorkload = "",
    source: OfSource = "",
    json_out: AsJson = False,
) -> None:
    """Read them once more, after a mapping or a reader was mended; what is still bad stays."""
    from flywheel.ingest import one, quarantined, retry

    read, lake = wheel()
    chosen = [one(lake, id)["id"] for id in ids or []]
    names = [source] if source else quarantined(lake)["source"].unique(maintain_order=True).to_list()
    sources = [_source(read, name, format, workload or _only_workload(lake, name)) for name in names]
    taken = retry(lake, sources, now=datetime.now(UTC), salt=read.salt, ids=chosen)
    left = len(quarantined(lake))
    say(taken.as_json() | {"left": left}, json_out)
