"""A team's own scorer: a function, or a scorer of MLflow, named as `module:function` in flywheel.toml.

MLflow's convention (`@mlflow.genai.scorer`): it takes any of `inputs` ({"messages": [...]}), `outputs` (the answer's
text), `expectations` ({"expected_response": what the user finally sent}) and `trace`, and gives a bool, a number, a
yes or no, a `Feedback` or a list of them, which counts as their mean. A plain function of the same arguments works
without MLflow. Greater must be better. What it cannot score is a hole with the error's one line.
"""

import importlib
import inspect
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import polars as pl

from flywheel.errors import BadInput
from flywheel.gate.scorers.rows import Hole, Row, Score, each
from flywheel.settings import REPOSITORY

TAKES = ("inputs", "outputs", "expectations", "trace")
SAYS = {"yes": 1.0, "true": 1.0, "pass": 1.0, "no": 0.0, "false": 0.0, "fail": 0.0}


def score(items: pl.DataFrame, answers: pl.DataFrame, named: str) -> pl.DataFrame:
    """Each answer as the scorer `module:function` finds it."""
    call, takes = _calling(load(named))

    def one(item: Row, answer: Row) -> Score:
        told = {name: _TOLD[name](item, answer) for name in takes}
        return read(call(**told))

    return each(items, answers, one)


def load(named: str) -> Any:
    """What `module:function` names; modules beside the settings are found from the working folder or the repository."""
    module, _, name = named.partition(":")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # a scorer of MLflow would report each call elsewhere
    for folder in (str(Path.cwd()), str(REPOSITORY)):
        if folder not in sys.path:
            sys.path.append(folder)
    try:
        found = getattr(importlib.import_module(module), name)
    except Exception as error:  # importing somebody's module may raise anything
        said = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        what, do = f"a scorer cannot be loaded ({said})", "mend `python` in flywheel.toml or its module"
        raise BadInput(what, seen=named, allowed="module:function", do=do) from error
    made = found() if isinstance(found, type) else found
    if not callable(made):
        raise BadInput("a scorer is no function", seen=named, allowed="a function, or a scorer of MLflow")
    return made


def source(named: str) -> bytes:
    """The code that decides what it says: the file of its module. What that file imports is not seen."""
    file = getattr(sys.modules[named.partition(":")[0]] if load(named) else None, "__file__", None)
    return Path(file).read_bytes() if file else named.encode()


def read(said: Any) -> Score:
    """A score from whatever a scorer may return."""
    if isinstance(said, list):
        if not said:
            raise Hole("the scorer gave an empty list")
        parts = [read(part) for part in said]
        return Score(fmean(part.score for part in parts), "; ".join(part.why for part in parts if part.why) or None)
    if hasattr(said, "rationale") and hasattr(said, "value"):  # a Feedback, known without importing MLflow
        if error := getattr(said, "error", None):
            raise Hole(str(getattr(error, "error_message", None) or error))
        return Score(_number(said.value), said.rationale)
    return Score(_number(said))


def _number(value: Any) -> float:
    if isinstance(value, str) and value.strip().casefold() in SAYS:
        return SAYS[value.strip().casefold()]
    if isinstance(value, (bool, int, float, np.number, np.bool_)):
        return float(value)
    raise Hole(f"the scorer said {value!r}, which is no bool, no number and no yes or no")


def _calling(found: Any) -> tuple[Callable[..., Any], list[str]]:
    """How to call it, and with which of the four things it asks for."""
    base = sys.modules.get("mlflow.genai.scorers.base")  # loaded if this is a scorer of MLflow
    asked = inspect.signature(found).parameters
    if "session" in asked:
        raise BadInput("a scorer asks for whole sessions", seen=found, allowed=", ".join(TAKES))
    free = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in asked.values())
    takes = [name for name in TAKES if free or name in asked]
    # Its `run` keeps the time that MLflow gives a scorer.
    return (found.run if base and isinstance(found, base.Scorer) else found), takes


def _trace(item: Row, answer: Row) -> Any:
    """The request as MLflow traces one, without spans: the wheel saw the answer, not how it came about."""
    from mlflow.entities import Trace, TraceData, TraceInfo, TraceLocation, TraceState  # only who asks for it pays

    seconds = answer["seconds"]
    used = {"input_tokens": answer["tokens_in"], "output_tokens": answer["tokens_out"]}
    info = TraceInfo(
        trace_id=f"tr-{item['item']}",
        trace_location=TraceLocation.from_experiment_id("0"),
        request_time=0,
        state=TraceState.OK,
        request_preview=item["prompt"],
        response_preview=answer["text"],
        execution_duration=None if seconds is None else round(seconds * 1000),
        trace_metadata={"mlflow.trace.tokenUsage": json.dumps(used)},
    )
    return Trace(info=info, data=TraceData(spans=[]))


_TOLD: dict[str, Callable[[Row, Row], Any]] = {
    "inputs": lambda item, answer: {"messages": json.loads(item["prompt"])},
    "outputs": lambda item, answer: answer["text"],
    "expectations": lambda item, answer: {"expected_response": item["reference"]},
    "trace": _trace,
}
