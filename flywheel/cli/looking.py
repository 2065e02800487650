"""Looking at what is there: where the wheel stands, and the rows of a table. Nothing is written here."""

from pathlib import Path
from typing import Annotated, Any

import duckdb
import polars as pl
import typer
from rich.table import Table

from flywheel import settings
from flywheel.cli.common import AsJson, Named, app, listed, people, wheel
from flywheel.errors import BadInput
from flywheel.lake import Lake
from flywheel.records import grouped
from flywheel.status import as_json, status


@app.command(name="status")
def status_(json_out: AsJson = False) -> None:
    """Where the wheel stands: every cycle, its verdict, what people did, and the champions."""
    read, lake = wheel()
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
    _, lake = wheel()
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


@app.command()
def failures(workload: Named, json_out: AsJson = False) -> None:
    """The failure map of a workload: where, how often and for whom it fails, and which slice loses most."""
    lake = _derived(workload)
    found = lake.read("failure_map").filter(workload=workload).sort("rate", "slice", descending=[True, False])
    if json_out:
        typer.echo(as_json({"workload": workload, "failures": found.to_dicts()}))
        return
    rates = found.with_columns(pl.col("rate", "low", "high").mul(100).round(1), pl.col("trend").mul(100).round(1))
    shown = ["slice", "failure", "cases", "users", "exchanges", "rate", "low", "high", "trend", "loses_most"]
    people.print(listed(rates.select(shown), "rates in percent of exchanges, with 95 % intervals"))


@app.command()
def gaps(workload: Named, json_out: AsJson = False) -> None:
    """What people had to tell the product because it could not know it: work for retrieval, not for training."""
    lake = _derived(workload)
    found = grouped(lake.read("knowledge_gaps").filter(workload=workload))
    if json_out:
        typer.echo(as_json({"workload": workload, "gaps": found.to_dicts()}))
        return
    shown = ["slice", "missing", "about", "gaps", "users", "doubtful", "facts", "said"]
    people.print(listed(found.select(shown), "groups of gaps"))


def _derived(workload: str) -> Lake:
    """The lake, if anything was derived of this workload; it need not be one that trains."""
    _, lake = wheel()
    known = lake.scan("exchanges").select(pl.col("workload").unique().sort()).collect()["workload"].to_list()
    if workload not in known:
        raise BadInput(
            "nothing is derived of this workload",
            seen=workload,
            allowed=", ".join(known) or "none yet",
            do="flywheel ingest, then flywheel derive",
        )
    return lake


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
