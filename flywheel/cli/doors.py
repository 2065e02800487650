"""The doors to the demo and to the two UIs: processes of their own, which Dagster lives in."""

import subprocess
import sys
from typing import Annotated

import typer

from flywheel import settings
from flywheel.cli.common import app


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
