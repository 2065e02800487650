"""The gate by itself: judge a cycle, write its page, compare two files of scores, look at the ledger, ask what an eval
set can tell.
"""

from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

from flywheel import checkpoint, process, settings
from flywheel.cli.common import AsJson, Named, app, listed, people, say, wheel
from flywheel.status import as_json

gate = typer.Typer(no_args_is_help=True, help="Is it better? Judge a cycle or two files of scores; looks and power.")
app.add_typer(gate, name="gate")

DEFAULT = settings.Gate()
COLOUR = {"promote": "bold green", "hold": "bold yellow", "reject": "bold red"}
Scores = Annotated[Path, typer.Option(help="JSONL or Parquet: item_id, score; user_id, slice, output, eval_hash.")]
Share = Annotated[float, typer.Option(min=1e-9, max=0.499, help="The chance of a false promotion over all looks.")]


@gate.command()
def run(workload: Named, json_out: AsJson = False) -> None:
    """Judge the workload's latest candidate against its champion, and register it if it won."""
    from flywheel.datasets import frozen, sealed
    from flywheel.gate import report, stage, telling
    from flywheel.gate.sendings import Desk
    from flywheel.health import measure
    from flywheel.registry import Registry, conclude

    read, lake = wheel()
    rules, registry = read.workload(workload), Registry(read.home)
    champion = registry.ensure_champion(workload, checkpoint.champion_zero(read, workload))
    models = stage.contestants(lake, workload, champion.fingerprint, registry.path(champion))
    desk = Desk(lake=lake, settings=read, workload=workload, cycle=stage.current_cycle(lake, workload))
    items = frozen(lake, workload, rules)
    stage.ask(desk, items, models, process.run)
    items = pl.concat([items, sealed(lake, workload)])
    judged = stage.judge_cycle(desk, items, models, champion=champion.fingerprint, run=process.run)
    page = report.written(read.home, telling.told(lake, workload, rules))
    ended = conclude(lake, registry, workload, read)
    serving = registry.champion(workload) or champion
    telling.rerouted(lake, workload, rules, champion=serving.fingerprint)
    measure(lake, workload)
    say({**judged.verdict.row(0, named=True), "registered": ended["registered"], "page": str(page)}, json_out)


@gate.command(name="report")
def page(
    workload: Named,
    cycle: Annotated[int | None, typer.Option(min=1, help="The cycle; none: the latest with a verdict.")] = None,
    json_out: AsJson = False,
) -> None:
    """Write the page of a verdict: one HTML file, the verdict first, then why."""
    from flywheel.gate import report, telling

    read, lake = wheel()
    told = telling.told(lake, workload, read.workload(workload), cycle=cycle)
    written = report.written(read.home, told)
    shown = {name: told.verdict[name] for name in ("workload", "cycle", "verdict", "reason")}
    say(shown | {"page": str(written)}, json_out)


@gate.command()
def compare(
    champion: Scores,
    candidate: Scores,
    policy: Annotated[Path | None, typer.Option(help="TOML with the fields of [workloads.X.gate].")] = None,
    json_out: AsJson = False,
) -> None:
    """Judge two files of anybody's scores of the same items by the gate's own rule."""
    from flywheel.gate import by_hand

    rule = settings.policy(policy) if policy else DEFAULT
    told = by_hand.judged(by_hand.scores(champion), by_hand.scores(candidate), rule)
    if json_out:
        typer.echo(as_json(told))
        return
    people.print(told["verdict"], style=COLOUR[told["verdict"]])
    for reason in told["reasons"]:
        people.print(f"- {reason}", markup=False, highlight=False, soft_wrap=True)
    numbers = ["items", "users", "gain", "low", "high", "harm"]
    rows = [{"slice": name, **{key: row[key] for key in numbers}} for name, row in told["slices"].items()]
    if len(rows) > 1:
        people.print(listed(pl.DataFrame(rows).with_columns(pl.selectors.float().round(3)), "slices"))


@gate.command()
def ledger(workload: Named, json_out: AsJson = False) -> None:
    """Every look at the workload's eval items, what is left of the budget, and whether the ledger is whole."""
    from flywheel.gate.ledger import broken, budget_left

    read, lake = wheel()
    read.workload(workload)
    looks = lake.read("looks").filter(workload=workload).sort("look")
    items = lake.read("eval_items").filter(workload=workload, role="eval")["item"].to_list()
    wrong = broken(looks, lake.read("verdicts"), workload=workload)
    left = budget_left(looks, workload=workload, items=items)
    rows = looks.with_columns(items=pl.col("items").list.len()).drop("workload")
    told: dict[str, Any] = {"workload": workload, "items": len(items), "left": left, "broken": wrong}
    if json_out:
        typer.echo(as_json({**told, "looks": rows.to_dicts()}))
        return
    people.print(listed(rows.select("look", "role", "cycle", "candidate", "champion", "items", "alpha"), "looks"))
    if not items:
        people.print("No eval set is frozen yet: nothing was spent.")
    else:
        people.print(f"{left:.1%} of the budget of today's {len(items)} eval items is left.", highlight=False)
    for sentence in wrong:
        people.print(f"{sentence}; nothing is promoted.", style="red", markup=False, soft_wrap=True)


@gate.command()
def power(
    n: Annotated[int, typer.Option(min=10, help="Items, each of another user.")],
    sd: Annotated[float, typer.Option(min=1e-9, help="Standard deviation of the paired gains.")],
    gain: Annotated[float | None, typer.Option(min=1e-9, help="A true gain; none: the least that is seen.")] = None,
    look: Annotated[int, typer.Option(min=1, help="The number of this look at the same items.")] = 1,
    alpha: Share = DEFAULT.alpha,
    json_out: AsJson = False,
) -> None:
    """What an eval set can tell: the chance to see a gain, or the least gain that is seen; and the items it takes."""
    from flywheel.gate.ledger import spend
    from flywheel.gate.power import items_needed, least_gain
    from flywheel.gate.power import power as chance

    spent = spend(look, alpha)
    least = least_gain(n=n, sd=sd, alpha=spent)
    target = least if gain is None else gain
    seen, needed = chance(n=n, sd=sd, gain=target, alpha=spent), items_needed(sd=sd, gain=target, alpha=spent)
    told = {"n": n, "sd": sd, "look": look, "alpha": spent, "gain": target, "power": seen, "n_needed": needed}
    if json_out:
        say({**told, "least_gain": least}, json_out)
        return
    people.print(
        f"A true gain of {target:.3f} is seen {seen:.0%} of the time: n = {n}, deviation {sd:g}, look {look} at these"
        f" items (alpha {spent:.4f}).\n{needed} items see it four times out of five; {n} see one of {least:.3f}.",
        highlight=False,
        soft_wrap=True,
    )
