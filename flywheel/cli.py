"""The command line: every stage without Dagster, and the doors to the demo and the two UIs.

Results for programs go to stdout (`--json`: one object), everything for people to stderr. What a person got wrong is
one sentence and exit code 2.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import duckdb
import polars as pl
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from flywheel import checkpoint, process, settings
from flywheel.errors import BadInput, FlywheelError
from flywheel.lake import Lake
from flywheel.process import Report
from flywheel.settings import Format
from flywheel.status import as_json, status

# A log file has no width of its own; the closing table needs this much.
people = Console(stderr=True, width=None if sys.stderr.isatty() else 120)
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The wheel from the command line: every stage without Dagster, the demo, and the two UIs.",
)
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Named = Annotated[str, typer.Argument(help="A workload of flywheel.toml.")]


def main() -> None:
    """The entry point: errors that a person can act on are sentences, never tracebacks."""
    try:
        environment()
        app()
    except FlywheelError as error:
        people.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2 if isinstance(error, BadInput) else 1)


def environment() -> None:
    """Where Dagster and the state folder are, for this process and those it starts."""
    os.environ["FLYWHEEL_HOME"] = str(settings.home())
    os.environ["DAGSTER_HOME"] = str(settings.REPOSITORY)
    try:
        settings.home().mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"the state folder cannot be made ({error.strerror})", seen=settings.home(), do="set FLYWHEEL_HOME"
        ) from None


# ---- the doors ------------------------------------------------------------------------------------------------------


@app.command()
def demo(
    fresh: Annotated[bool, typer.Option("--fresh", help="Start anew; the cached base model is kept.")] = False,
    weeks: Annotated[int, typer.Option(min=1, help="How many simulated weeks to play.")] = 3,
) -> None:
    """Play simulated weeks and turn the wheel after each: the playground's product, its users, and what they teach."""
    settings.load()  # a mistake in it is a sentence here; the code location would show a traceback
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "assets.demo",
        "--weeks",
        str(weeks),
        *(["--fresh"] if fresh else []),
    ]
    raise typer.Exit(subprocess.run(command, cwd=settings.REPOSITORY, check=False).returncode)


@app.command()
def ui(dagster_port: int = 3000, mlflow_port: int = 5000) -> None:
    """Serve the Dagster and MLflow UIs on loopback until Ctrl-C."""
    settings.load()
    command = [sys.executable, "-m", "assets.ui", str(dagster_port), str(mlflow_port)]
    raise typer.Exit(subprocess.run(command, cwd=settings.REPOSITORY, check=False).returncode)


# ---- the stages -----------------------------------------------------------------------------------------------------


@app.command()
def ingest(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files and folders; none: the sources of flywheel.toml.")
    ] = None,
    format: Annotated[Format, typer.Option(help="What the records look like; auto looks at each.")] = "auto",
    workload: Annotated[str, typer.Option(help="The workload of records that name none.")] = "",
    source: Annotated[str, typer.Option(help="A source of flywheel.toml whose mapping to use, or a new name.")] = "",
    json_out: AsJson = False,
) -> None:
    """Take what is new in log files: .jsonl, .json, .csv, .tsv, .parquet, plain, .gz or .zst."""
    from flywheel.ingest import ingest as take
    from flywheel.ingest import ingest_paths, reasons

    read, lake = _wheel()
    options = {"now": datetime.now(UTC), "salt": read.salt}
    with _progress() as progress:
        if paths:
            taken = ingest_paths(lake, paths, _source(read, source, format, workload), **options, progress=progress)
        else:
            taken = take(lake, read.sources, **options, progress=progress)
    _say(taken.as_json(), json_out)
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

    found = still(_wheel()[1])
    if json_out:
        typer.echo(as_json({"waiting": found.to_dicts()}))
    else:
        people.print(_rows(found, "Feedback that waits for its answer"))


quarantine = typer.Typer(no_args_is_help=True, help="Records that could not be read: list, show, retry.")
app.add_typer(quarantine, name="quarantine")


@quarantine.command(name="list")
def quarantine_list(json_out: AsJson = False) -> None:
    """Which records could not be read, where they lie and why."""
    from flywheel.ingest import quarantined

    columns = ["id", "source", "file", "record", "offset", "reason"]
    found = quarantined(_wheel()[1]).select(columns)
    if json_out:
        typer.echo(as_json({"quarantined": len(found), "records": found.to_dicts()}))
    else:
        people.print(_rows(found, "Quarantine"))


@quarantine.command(name="show")
def quarantine_show(id: Annotated[str, typer.Argument(help="An id from the list, or how it begins.")]) -> None:
    """The record as it lies in its file, unmasked, on stdout."""
    from flywheel.ingest import one

    found = one(_wheel()[1], id)
    people.print(
        f"{found['file']}, record {found['record']}, byte {found['offset']}: {found['reason']}",
        markup=False,
        soft_wrap=True,
    )
    sys.stdout.buffer.write(found["raw"] + b"\n")


@quarantine.command(name="retry")
def quarantine_retry(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids from the list; none: all of them.")] = None,
    format: Annotated[Format, typer.Option(help="What the records look like.")] = "auto",
    workload: Annotated[str, typer.Option(help="The workload of records that name none.")] = "",
    source: Annotated[str, typer.Option(help="Only records of this source.")] = "",
    json_out: AsJson = False,
) -> None:
    """Read them once more, after a mapping or a reader was mended; what is still bad stays."""
    from flywheel.ingest import one, quarantined, retry

    read, lake = _wheel()
    chosen = [one(lake, id)["id"] for id in ids or []]
    names = [source] if source else quarantined(lake)["source"].unique(maintain_order=True).to_list()
    sources = [_source(read, name, format, workload or _only_workload(lake, name)) for name in names]
    taken = retry(lake, sources, now=datetime.now(UTC), salt=read.salt, ids=chosen)
    left = len(quarantined(lake))
    _say(taken.as_json() | {"left": left}, json_out)


@app.command()
def derive(json_out: AsJson = False) -> None:
    """Signals and records of every day that the log or a rule has outgrown."""
    read, lake = _wheel()
    _say(_derive(lake, read), json_out)


@app.command()
def train(workload: Named, json_out: AsJson = False) -> None:
    """Cut the workload's dataset at its cutoff and train a candidate on it."""
    from flywheel.datasets import cut
    from flywheel.registry import Registry, fail
    from flywheel.training.stage import keep, plan

    read, lake = _wheel()
    rules, registry = read.workload(workload), Registry(read.home)
    _derive(lake, read)
    made = cut(lake, workload, rules)
    base = checkpoint.locate(read.base_model(workload))
    champion = registry.ensure_champion(workload, base)
    start = registry.path(champion) if rules.start_from == "champion" else base
    training = plan(lake, workload, rules, start=start, tracking_uri=registry.tracking_uri)
    try:
        result = process.run("training", training.folder, training.job) if training.job else None
    except FlywheelError as error:
        fail(lake, workload, str(error))
        raise
    kept = keep(lake, training, result).row(0, named=True)
    told = {key: kept[key] for key in ("workload", "cycle", "dataset", "folder", "fingerprint", "reason", "seconds")}
    _say(told | {"rows": len(made.rows), "metrics": json.loads(kept["metrics"])}, json_out)


@app.command()
def gate(workload: Named, json_out: AsJson = False) -> None:
    """Judge the workload's latest candidate against its champion, and register it if it won."""
    from flywheel.datasets import frozen
    from flywheel.gate import stage
    from flywheel.health import measure
    from flywheel.registry import Registry, conclude

    read, lake = _wheel()
    rules, registry = read.workload(workload), Registry(read.home)
    champion = registry.ensure_champion(workload, checkpoint.locate(read.base_model(workload)))
    items = frozen(lake, workload, rules)
    for model, folder in stage.contestants(lake, workload, champion.fingerprint, registry.path(champion)).items():
        if asked := stage.unanswered(lake, items, model, rules.gate):
            result = process.run("gate", read.home / "gate" / model, stage.questions(folder, asked, rules.gate))
            stage.keep_answers(lake, model, rules.gate, result["answers"])
    judged = stage.judge_cycle(lake, workload, rules, champion.fingerprint)
    ended = conclude(lake, registry, workload, read)
    measure(lake, workload)
    _say({**judged.verdict.row(0, named=True), "registered": ended["registered"]}, json_out)


# ---- looking --------------------------------------------------------------------------------------------------------


@app.command(name="status")
def status_(json_out: AsJson = False) -> None:
    """Where the wheel stands: every cycle, its verdict, what people did, and the champions."""
    read, lake = _wheel()
    told = current(lake, read)
    if json_out:
        typer.echo(as_json(told))
    else:
        people.print(status_table(told))
        people.print(
            *(f"{workload}: champion is version {one['version']}" for workload, one in told["champion"].items()),
            sep="\n",
        )


@app.command()
def show(
    table: Annotated[str, typer.Argument(help="A table of the lake.")],
    where: Annotated[str, typer.Option(help="A SQL condition.")] = "true",
    limit: Annotated[int, typer.Option(min=1, help="No more rows than this.")] = 20,
    json_out: AsJson = False,
) -> None:
    """Look into a table; columns in which these rows hold nothing are left out for people."""
    _, lake = _wheel()
    lake.version(table)
    try:
        rows = lake.sql(f"SELECT * FROM {table} WHERE {where} LIMIT {limit}")
    except duckdb.Error as error:
        raise BadInput(f"the condition is not SQL that {table} understands ({error})", seen=where) from None
    if json_out:
        typer.echo(as_json({"table": table, "rows": rows.to_dicts()}))
    else:
        rows = rows.select(name for name in rows.columns if rows[name].null_count() < len(rows) or rows.is_empty())
        with pl.Config(
            tbl_rows=limit, tbl_cols=-1, fmt_str_lengths=40, tbl_width_chars=people.width, tbl_hide_dataframe_shape=True
        ):
            people.print(str(rows), markup=False, highlight=False, soft_wrap=True)


# ---- shared ---------------------------------------------------------------------------------------------------------


def status_table(told: dict[str, Any]) -> Table:
    """The closing table: one row a cycle."""
    table = Table(box=None, header_style="bold")
    for heading in (
        "workload",
        "cycle",
        "events",
        "records",
        "verdict",
        "gain",
        "edit",
        "regen.",
        "rephr.",
        "aband.",
        "satisfied",
    ):
        table.add_column(heading, justify="left" if heading in ("workload", "verdict", "gain") else "right")
    for one in told["cycles"]:
        rates = [
            f"{one['rates'][kind]['rate']:.0%}" if kind in one["rates"] else "-"
            for kind in ("edit", "regeneration", "rephrase", "abandonment")
        ]
        records = sum(count or 0 for count in one["records"].values())
        gain = (
            "-"
            if one["interval"] is None
            else f"{one['gain']:+.3f} ({one['interval'][0]:+.3f} to {one['interval'][1]:+.3f})"
        )
        true = "-" if one["true_satisfaction"] is None else f"{one['true_satisfaction']:.0%}"
        shown = [
            one["workload"],
            str(one["cycle"]),
            str(one["events"] or "-"),
            str(records),
            one["verdict"],
            gain,
            *rates,
            true,
        ]
        table.add_row(*shown)
        if one["verdict"] == "failed":
            table.add_row("", "", "", "", one["reason"])
    return table


def _rows(found: pl.DataFrame, title: str, most: int = 50) -> Table:
    """The first rows as a table for people."""
    table = Table(*found.columns, title=f"{title}: {len(found)}", title_justify="left")
    for row in found.head(most).iter_rows():
        table.add_row(*(escape(str(value)) for value in row))
    return table


def _wheel() -> tuple[settings.Settings, Lake]:
    read = settings.load()
    return read, Lake(read.home)


def _derive(lake: Lake, read: settings.Settings) -> dict[str, Any]:
    from flywheel import records, signals

    days = signals.stale_days(lake, read)
    derived = signals.derive_days(lake, read, days) if days else None
    again = records.stale_days(lake, read)
    made = records.derive_days(lake, read, again) if again else {}
    counts = {"exchanges": len(derived.exchanges), "signals": len(derived.signals)} if derived else {}
    return {
        "days": [str(day) for day in sorted({*days, *again})],
        **counts,
        **{kind: len(rows) for kind, rows in made.items()},
    }


def current(lake: Lake, read: settings.Settings) -> dict[str, Any]:
    champions: dict[str, dict[str, str]] = {}
    if (read.home / "mlflow.db").exists():
        from flywheel.registry import Registry

        registry = Registry(read.home)
        for workload in read.workloads:
            if champion := registry.champion(workload):
                champions[workload] = {"version": champion.version, "fingerprint": champion.fingerprint}
    return status(lake, read, champions, _truth(read.home))


def _truth(home: Path) -> pl.DataFrame | None:
    """What the playground knows of its users; nothing but this report reads it."""
    if not (home / "playground" / "truth").exists():
        return None
    from flywheel.playground.truth import satisfaction  # noqa: TID251  the one report that shows it

    return satisfaction(home)


def _say(told: dict[str, Any], json_out: bool) -> None:
    if json_out:
        typer.echo(as_json(told))
        return
    for name, value in told.items():
        people.print(f"{name:>15}  {value}", markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
