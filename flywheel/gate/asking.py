"""Asking models: which questions are still open, what may be spent on them, and the answers put into the lake.

Answers are kept by content: of this model, to this item, under these settings. A process that makes them leaves them
in a file as they come (`kept`); they are taken over here after it ended, however it ended, and before the next begins.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from flywheel.checkpoint import endpoint, is_endpoint
from flywheel.gate.kept import Kept
from flywheel.gate.sendings import spent
from flywheel.gate.spending import Spending, counted
from flywheel.lake import Lake
from flywheel.process import Job, Run
from flywheel.settings import Budget, Endpoint, Gate
from flywheel.tables import Answers, Sendings


def ask(
    lake: Lake,
    items: pl.DataFrame,
    models: Mapping[str, Path],
    *,
    workload: str,
    gate: Gate,
    budget: Budget,
    run: Run,
) -> None:
    """Have each model answer what it has not answered yet; `items` has `item` and `prompt`, `models` fingerprints."""
    cycle = current_cycle(lake, workload)
    for model, folder in models.items():
        place = lake.home / "gate" / workload / model
        take_over(lake, place)
        if asked := unanswered(lake, items, model, gate):
            spending = spent(lake, workload, cycle, budget)
            spending.require(endpoint=is_endpoint(folder), done=len(items) - len(asked), of=len(items))
            row = {"workload": workload, "cycle": cycle, "model": model, "decoding": decoding(gate)}
            job = questions(folder, asked, gate, row=row, kept=place, spending=spending)
            try:
                run("gate", place, job | {"others": len(asked) < len(items)})
            finally:
                take_over(lake, place)


def questions(
    folder: Path, asked: list[dict[str, str]], gate: Gate, *, row: dict[str, Any], kept: Path, spending: Spending
) -> Job:
    """The job of asking one model; the seed is fixed, so that every model meets the same draws."""
    return {
        "work": "answers",
        "model": str(folder),
        "decoding": {"temperature": gate.temperature, "max_new_tokens": gate.max_new_tokens, "seed": 0},
        "items": asked,
        "row": row,
        "kept": str(kept),
        "spending": spending.told(),
        "others": False,
    }


def unanswered(lake: Lake, items: pl.DataFrame, model: str, gate: Gate) -> list[dict[str, str]]:
    """The items this model has not answered yet under these settings."""
    asked = items.select("item", "prompt").join(answers_of(lake, model, gate), on="item", how="anti")
    return asked.sort("item").to_dicts()


def answers_of(lake: Lake, model: str, gate: Gate) -> pl.DataFrame:
    """All that this model answered under these settings."""
    return lake.read("answers").filter((pl.col("model") == model) & (pl.col("decoding") == decoding(gate)))


def decoding(gate: Gate) -> str:
    """The name of the settings an answer was given under."""
    return f"t{gate.temperature:g}-n{gate.max_new_tokens}"


# ---- what it costs --------------------------------------------------------------------------------------------------


def current_cycle(lake: Lake, workload: str) -> int:
    """The cycle that pays: of the workload's latest dataset; 0 before there is one."""
    told = lake.scan("datasets").filter(pl.col("workload") == workload).select(pl.col("cycle").max()).collect()
    return told.item() or 0


# ---- what came of it ------------------------------------------------------------------------------------------------


def take_over(lake: Lake, place: Path) -> None:
    """Put into the lake what a process has answered and sent, even if it was killed; doing it again changes nothing."""
    job, kept = place / "job.json", Kept(place)
    if not kept.path.exists() or not job.exists():
        return
    asked = json.loads(job.read_text())
    folder, row, answers = Path(asked["model"]), asked["row"], kept.read("answer")
    with lake.writing():
        if is_endpoint(folder):
            _keep_sendings(lake, row, endpoint(folder), kept.read("sending"), answers)
        keep_answers(lake, row, answers, paid=not is_endpoint(folder))
    kept.forget()


def keep_answers(lake: Lake, row: Mapping[str, Any], answers: list[dict[str, Any]], *, paid: bool = True) -> None:
    """Keep answers of `row`'s model under its settings; where `paid`, they took machine time of its cycle."""
    turn = {"workload": row["workload"], "cycle": row["cycle"]} if paid else {"workload": None, "cycle": None}
    named = {"model": row["model"], "decoding": row["decoding"], **turn}
    told = {answer["item"]: {**answer, **named} for answer in answers}
    rows = pl.DataFrame(list(told.values()), schema=Answers.create_empty().schema, strict=False)
    lake.replace("answers", rows, {"model": [row["model"]], "item": list(told), "decoding": [row["decoding"]]})


def _keep_sendings(
    lake: Lake,
    row: Mapping[str, Any],
    named: Endpoint,
    sent: list[dict[str, Any]],
    answers: list[dict[str, Any]],
) -> None:
    """One row for each text that went out, with the tokens of its answer where one came and was counted."""
    tokens = {each["item"]: counted(each) for each in answers}
    went = {"workload": row["workload"], "endpoint": named.url, "model": named.model, "purpose": "answer"}
    told = {
        (each["item"], each["digest"]): {**went, "cycle": row["cycle"], "tokens": tokens.get(each["item"]), **each}
        for each in sent
    }
    rows = pl.DataFrame(list(told.values()), schema=Sendings.create_empty().schema, strict=False)
    lake.remove("sendings", rows.select(Sendings.primary_key()).cast({"purpose": pl.String}))
    if len(rows):
        lake.add("sendings", rows)
