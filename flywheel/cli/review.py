"""The review of doubtful records: draw some for a person to decide about, take the labels back."""

import hashlib
import json
from pathlib import Path
from typing import Annotated

import typer

from flywheel.cli.common import AsJson, Named, app, drawn, people, say, wheel
from flywheel.errors import BadInput

review = typer.Typer(no_args_is_help=True, help="Doubtful records for a person to decide about: draw some, take them.")
app.add_typer(review, name="review")


@review.command()
def draw(
    workload: Named,
    n: Annotated[int, typer.Option(min=1, help="How many records.")] = 50,
    out: Annotated[Path | None, typer.Option(help="Where to; none: review/ in the state folder.")] = None,
    json_out: AsJson = False,
) -> None:
    """Draw the records the wheel is least sure of, one JSON line each."""
    from flywheel.datasets import review as records

    read, lake = wheel()
    lines = records.draw(lake, workload, read.workload(workload), n)
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    path = out or read.home / "review" / f"{workload}-{hashlib.sha256(text.encode()).hexdigest()[:8]}.jsonl"
    drawn(path, text)
    say({"drawn": len(lines), "file": str(path)}, json_out)
    if not json_out:
        people.print(f"{records.HOW} Then: flywheel review take {workload} {path}", markup=False, soft_wrap=True)


@review.command()
def take(
    workload: Named,
    file: Annotated[Path, typer.Argument(help="A file that `draw` wrote, with labels filled in.")],
    json_out: AsJson = False,
) -> None:
    """Read the labels back; the next dataset follows them."""
    from flywheel.datasets import review as records

    read, lake = wheel()
    read.workload(workload)
    try:
        lines = file.read_text(encoding="utf-8").split("\n")  # not `splitlines`: a text may hold other line ends
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the labels cannot be read ({error})", seen=file, do="name the file that was drawn") from None
    taken = records.take(lake, workload, lines)
    say({"labelled": taken.labelled, "unlabelled": taken.unlabelled, "bad": len(taken.bad)}, json_out)
    for sentence in taken.bad:
        people.print(f"{file.name}, {sentence}", markup=False, highlight=False, soft_wrap=True)
    if taken.bad:
        raise typer.Exit(2)
