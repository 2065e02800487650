"""What the gate tells people and products: the page of a verdict, and the routes."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table

from flywheel.cli.common import AsJson, Named, app, people, say, wheel
from flywheel.errors import BadInput
from flywheel.status import as_json


@app.command(name="gate-report")
def gate_report(
    workload: Named,
    cycle: Annotated[int | None, typer.Option(min=1, help="The cycle; none: the latest with a verdict.")] = None,
    json_out: AsJson = False,
) -> None:
    """Write the page of a verdict: one HTML file, the verdict first, then why."""
    from flywheel.gate import report, telling

    read, lake = wheel()
    told = telling.told(lake, workload, read.workload(workload), cycle=cycle)
    page = report.written(read.home, told)
    shown = {name: told.verdict[name] for name in ("workload", "cycle", "verdict", "reason")}
    say(shown | {"page": str(page)}, json_out)


@app.command()
def route(workload: Named, json_out: AsJson = False) -> None:
    """Which model serves which slice: the cheapest that surely meets the bar; written as JSON for the product."""
    from flywheel.gate import routes, telling
    from flywheel.registry import Registry

    read, lake = wheel()
    rules, champion = read.workload(workload), Registry(read.home).champion(workload)
    if champion is None:
        raise BadInput(f"{workload} has no champion yet", seen="none", do="judge a cycle of it first")
    made = telling.routes(lake, workload, rules, champion=champion.fingerprint, made=datetime.now(UTC))
    out = routes.write(read.home, made)
    if json_out:
        typer.echo(as_json(json.loads(out.read_text()) | {"file": str(out)}))
        return
    table = Table("slice", "model", "kind", "cost", "success", "n", "why", box=None, header_style="bold")
    for name, one in [*made["slices"].items(), ("any other", made["default"])]:
        success = "-" if one["interval"] is None else f"{one['success']:.0%} (at least {one['interval'][0]:.0%})"
        table.add_row(name, one["model"] or "-", one["kind"], f"{one['cost']:.3g}", success, str(one["n"]), one["why"])
    people.print(table)
    people.print(f"Written to {out}", markup=False, highlight=False, soft_wrap=True)
