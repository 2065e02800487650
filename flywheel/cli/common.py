"""What all commands share: where they print, how they read the wheel, and their common options."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from flywheel import settings
from flywheel.errors import BadInput
from flywheel.lake import Lake
from flywheel.status import as_json

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


def wheel() -> tuple[settings.Settings, Lake]:
    read = settings.load()
    return read, Lake(read.home)


def say(told: dict[str, Any], json_out: bool) -> None:
    if json_out:
        typer.echo(as_json(told))
        return
    for name, value in told.items():
        people.print(f"{name:>15}  {value}", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress() -> Iterator[Callable[[str], Callable[[int, int], None]]]:
    """Bars for long work, on a terminal only: `tell("signals")(done, of)`."""
    with Progress(console=people, transient=True, disable=not sys.stderr.isatty()) as shown:

        def tell(what: str) -> Callable[[int, int], None]:
            task = shown.add_task(what, total=None)
            return lambda done, of: shown.update(task, completed=done, total=of)

        yield tell


def listed(found: pl.DataFrame, title: str, most: int = 50) -> Table:
    """The first rows as a table for people."""
    table = Table(*found.columns, title=f"{title}: {len(found)}", title_justify="left")
    for row in found.head(most).iter_rows():
        table.add_row(*(escape(str(value)) for value in row))
    return table


def drawn(path: Path, text: str) -> None:
    """Write what people shall label; a file that is there already may hold their labels and stays as it is."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        if path.read_text(encoding="utf-8") != text:
            what = "the file is there already, perhaps with labels"
            raise BadInput(what, seen=path, do="take it, or move it; --out names another") from None
    except OSError as error:
        what = f"the draw cannot be written ({error.strerror})"
        raise BadInput(what, seen=path, do="give another --out") from None
