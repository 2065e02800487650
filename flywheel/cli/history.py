"""Existing work as if it had been logged: tickets, transcripts, edited documents; the wheel turns on day one."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from flywheel import settings
from flywheel.cli.common import AsJson, app, people, say, wheel
from flywheel.errors import BadInput

Of = Annotated[str | None, typer.Option(help="Its column, or `a.b` inside an object; none: by its well-known names.")]


@app.command()
def backfill(
    files: Annotated[list[Path], typer.Argument(help="Tables: .csv, .tsv, .jsonl, .json or .parquet.")],
    workload: Annotated[str, typer.Option(help="The job that this work was.")],
    question: Of = None,
    draft: Of = None,
    final: Of = None,
    user: Of = None,
    at: Of = None,
    conversation: Of = None,
    id: Of = None,
    model: Of = None,
    rated: Of = None,
    day: Annotated[str, typer.Option(help="The day of rows without a time; none: the first of flywheel.toml.")] = "",
    json_out: AsJson = False,
) -> None:
    """Take existing work: what was asked, what was drafted, and what went out in the end, one row each.

    Every row counts as sent. Without --draft the --final text is what a person wrote: the answer as it should be.
    """
    from flywheel.ingest import ingest_paths, reasons

    read, lake = wheel()
    read.workload(workload)
    mapped = {"prompt": question, "user": user, "at": at, "conversation": conversation, "id": id}
    mapped |= {"model": model, "rated": rated, **_answer(draft, final)}
    columns: dict[str, Any] = {name: column for name, column in mapped.items() if column is not None}
    by_hand = draft is None and final is not None
    columns |= {"sent": True, "how": "written" if by_hand else "sent", "epoch": _day(day) or read.start}
    written = {"name": f"history-{workload}", "path": "", "format": "table", "workload": workload, "columns": columns}
    taken = ingest_paths(lake, files, settings.source(written), now=datetime.now(UTC), salt=read.salt)
    say(taken.as_json(), json_out)
    if taken.quarantined:
        people.print(f"{taken.quarantined} rows could not be read; flywheel quarantine list names them. Most often:")
        people.print(reasons(lake)["reason"][0], markup=False, soft_wrap=True)
    if not json_out:
        people.print(f"Then: flywheel train {workload}, which derives signals and records and cuts a dataset first.")


def _answer(draft: str | None, final: str | None) -> dict[str, str | None]:
    """The columns of the answer and of what was made of it; a final text with no draft is the answer itself."""
    if draft is None and final is not None:
        return {"text": final, "edited": ""}
    return {"text": draft, "edited": final}


def _day(written: str) -> date | None:
    try:
        return date.fromisoformat(written) if written else None
    except ValueError:
        raise BadInput("not a day", seen=written, allowed="YYYY-MM-DD", do="mend --day") from None
