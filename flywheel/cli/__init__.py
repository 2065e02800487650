"""The command line: every stage without Dagster, and the doors to the demo and the two UIs.

`common` is what commands share, `doors` starts the demo and the UIs, `logs` takes logs and shows what became of them,
`history` takes work of before, `stages` derives, `training` trains, `datasets` tells and exports what was cut, `gate`
judges, `route` tells products who serves, `audit` has people label signals, `review` decide about doubtful records,
`looking` shows tables and where the wheel stands. Results for programs go to stdout (`--json`: one object), everything
for people to stderr. What a person got wrong is one sentence and exit code 2.
"""

import os
import sys

from flywheel import settings
from flywheel.cli import (  # noqa: F401  their commands
    audit,
    datasets,
    doors,
    gate,
    history,
    logs,
    looking,
    review,
    route,
    stages,
    training,
)
from flywheel.cli.common import app, people
from flywheel.cli.looking import current, status_table
from flywheel.errors import BadInput, FlywheelError

__all__ = ["current", "environment", "main", "people", "status_table"]


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
