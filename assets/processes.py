"""Stages that need torch run in a process of their own; this starts them through Dagster Pipes and reads how they
ended.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterPipesExecutionError  # the one error Dagster does not export
from flywheel import process
from flywheel.errors import FlywheelError, Transient


def run(
    context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient, stage: str, folder: Path, job: Mapping[str, Any]
) -> process.Result:
    """The result of `python -m flywheel.<stage> FOLDER`; its progress is in the run's log while it works."""
    command = process.prepare(stage, folder, job)
    try:
        pipes.run(command=command, context=context)
    except DagsterPipesExecutionError as error:
        # What it left says why; without a word from it, it was killed.
        context.log.debug(str(error))
    try:
        return process.result(folder)
    except FlywheelError as error:
        raise failure(error) from None


def failure(error: FlywheelError) -> dg.Failure:
    """The error as Dagster shows it: its sentence, and whether trying again can help."""
    return dg.Failure(description=str(error), allow_retries=isinstance(error, Transient))
