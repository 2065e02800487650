"""What the gate tells products: which model serves which slice."""

import json

import typer
from rich.table import Table

from flywheel.cli.common import AsJson, Named, app, people, wheel
from flywheel.errors import BadInput
from flywheel.status import as_json


@app.command()
def route(workload: Named, json_out: AsJson = False) -> None:
    """Which model serves which slice: the cheapest that surely meets the bar; written as JSON for the product."""
    from flywheel.gate import telling
    from flywheel.registry import Registry

    read, lake = wheel()
    rules, champion = read.workload(workload), Registry(read.home).champion(workload)
    if champion is None:
        raise BadInput(f"{workload} has no champion yet", seen="none", do="judge a cycle of it first")
    out = telling.rerouted(lake, workload, rules, champion=champion.fingerprint)
    made = json.loads(out.read_text())
    if json_out:
        typer.echo(as_json(made | {"file": str(out)}))
        return
    table = Table("slice", "model", "kind", "cost", "success", "n", "why", box=None, header_style="bold")
    for name, one in [*made["slices"].items(), ("any other", made["default"])]:
        success = "-" if one["interval"] is None else f"{one['success']:.0%} (at least {one['interval'][0]:.0%})"
        table.add_row(name, one["model"] or "-", one["kind"], f"{one['cost']:.3g}", success, str(one["n"]), one["why"])
    people.print(table)
    people.print(f"Written to {out}", markup=False, highlight=False, soft_wrap=True)
