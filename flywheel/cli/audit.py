"""The audit of signals: draw some for a person to label, take the labels back, show what they tell."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from flywheel.cli.common import AsJson, app, drawn, people, say, wheel
from flywheel.errors import BadInput
from flywheel.status import as_json

audit = typer.Typer(no_args_is_help=True, help="How far to trust each signal: draw some to label, take them, show.")
app.add_typer(audit, name="audit")


@audit.command()
def draw(
    n: Annotated[int, typer.Option(min=1, help="How many signals.")] = 200,
    seed: Annotated[int, typer.Option(help="The same seed draws the same signals.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Where to; none: audit/ in the state folder.")] = None,
    html: Annotated[bool, typer.Option("--html", help="Also a page with buttons that saves the same file.")] = False,
    json_out: AsJson = False,
) -> None:
    """Draw signals of every kind for a person to label, one JSON line each."""
    from flywheel.signals import audit as signals

    read, lake = wheel()
    lines = signals.draw(lake, n, seed)
    path = out or read.home / "audit" / f"draw-{seed}.jsonl"
    drawn(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    if html:
        path.with_suffix(".html").write_text(signals.page(lines, path.name), encoding="utf-8")
    say({"drawn": len(lines), "file": str(path)} | ({"page": str(path.with_suffix(".html"))} if html else {}), json_out)
    if not json_out:
        people.print(f"{signals.HOW} Then: flywheel audit take {path}", markup=False, soft_wrap=True)


@audit.command()
def take(
    file: Annotated[Path, typer.Argument(help="A file that `draw` wrote, with labels filled in.")],
    json_out: AsJson = False,
) -> None:
    """Read the labels back; the next derive calibrates every confidence by them."""
    from flywheel.signals import audit as signals

    _, lake = wheel()
    try:
        lines = file.read_text(encoding="utf-8").split("\n")  # not `splitlines`: a text may hold other line ends
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the labels cannot be read ({error})", seen=file, do="name the file that was drawn") from None
    taken = signals.take(lake, lines)
    say({"labelled": taken.labelled, "unlabelled": taken.unlabelled, "bad": len(taken.bad)}, json_out)
    for sentence in taken.bad:
        people.print(f"{file.name}, {sentence}", markup=False, highlight=False, soft_wrap=True)
    if taken.labelled and not json_out:
        people.print("Run flywheel derive to calibrate the confidence of every signal by them.")
    if taken.bad:
        raise typer.Exit(2)


@audit.command()
def show(json_out: AsJson = False) -> None:
    """How right each reading is by the labels, with n and interval, and how sure the wheel was and is."""
    from flywheel.signals import audit as signals

    told = signals.summary(wheel()[1])
    if json_out:
        errors = {"before": told.error_before, "after": told.error_after}
        typer.echo(as_json({"labels": told.labels, "error": errors, "readings": told.readings.to_dicts()}))
        return
    table = Table(
        *("kind", "detail", "signals", "labels", "right", "95 %", "was", "is", "", "detector"),
        box=None,
        header_style="bold",
    )
    for one in told.readings.to_dicts():
        share, wide = f"{one['share'] or 0:.2f}", f"{one['low']:.2f} to {one['high']:.2f}"
        sure = (f"{one['confidence']:.2f}", f"{one['after']:.2f}")
        counts = (str(one["n"]), str(one["labelled"]))
        table.add_row(
            one["kind"],
            one["detail"] or "",
            *counts,
            *((share, wide) if one["labelled"] else ("-", "-")),
            *sure,
            one["audited"],
            one["detector"],
        )
    people.print(table)
    if told.error_before is None or told.error_after is None:
        people.print("No labels yet: every confidence is its default. Start with flywheel audit draw.")
        return
    changed = f"{told.error_before:.3f} before, {told.error_after:.3f} after"
    people.print(f"Expected calibration error, estimated from {told.labels} labels: {changed}.", highlight=False)
