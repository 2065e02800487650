"""A cycle's gate in the lake's terms: which questions are still to be answered, and the verdict on the answers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from flywheel.errors import Terminal
from flywheel.gate.verdict import Judged, judge
from flywheel.lake import Lake
from flywheel.settings import Gate, Workload


def eval_items(lake: Lake, workload: str) -> pl.DataFrame:
    return lake.read("eval_items").filter(workload=workload, role="eval").sort("item")


def contestants(lake: Lake, workload: str, champion: str, champion_folder: Path) -> dict[str, Path]:
    """The models to ask: the champion, and the candidate if the cycle trained one."""
    trained = lake.read("checkpoints").filter(pl.col("workload") == workload).sort("cycle").tail(1)
    candidate = {row["fingerprint"]: Path(row["folder"]) for row in trained.iter_rows(named=True) if row["fingerprint"]}
    return {champion: champion_folder} | candidate


def questions(folder: Path, asked: list[dict[str, str]], gate: Gate) -> dict[str, Any]:
    """The job of asking one model; the seed is fixed, so that every model meets the same draws."""
    sampling = {"temperature": gate.temperature, "max_new_tokens": gate.max_new_tokens, "seed": 0}
    return {"model": str(folder), "decoding": sampling, "items": asked}


def unanswered(lake: Lake, items: pl.DataFrame, model: str, gate: Gate) -> list[dict[str, str]]:
    """The items this model has not answered yet under these settings."""
    asked = items.select("item", "prompt").join(_answers(lake, model, gate), on="item", how="anti")
    return asked.to_dicts()


def keep_answers(lake: Lake, model: str, gate: Gate, answers: Mapping[str, str]) -> None:
    """Keep answers by what they are answers of, so that no model is asked twice."""
    rows = pl.DataFrame(
        {"model": model, "item": list(answers), "decoding": decoding(gate), "text": list(answers.values())}
    ).with_columns(tokens_in=None, tokens_out=None, seconds=None)
    with lake.writing():
        lake.replace("answers", rows, {"model": [model], "item": list(answers), "decoding": [decoding(gate)]})


def judge_cycle(lake: Lake, workload: str, rules: Workload, champion: str) -> Judged:
    """The verdict on the workload's latest checkpoint against this champion; the look is written before the verdict."""
    checkpoint = lake.read("checkpoints").filter(pl.col("workload") == workload).sort("cycle").tail(1)
    if checkpoint.is_empty():
        raise Terminal(f"{workload} has no checkpoint to judge", do="run the training first")
    trained = checkpoint.row(0, named=True)
    dataset = lake.read("datasets").filter(pl.col("workload") == workload)["cycle"].max()
    if trained["cycle"] != dataset:
        raise Terminal(f"cycle {dataset} of {workload} has trained nothing to judge", do="run its training first")
    candidate = trained["fingerprint"] or champion
    if candidate == champion and (given := _given(lake, trained)) is not None:
        return given
    items = eval_items(lake, workload)
    judged = judge(
        items=items,
        candidate_answers=_texts(lake, candidate, rules.gate),
        champion_answers=_texts(lake, champion, rules.gate),
        candidate=candidate,
        champion=champion,
        looks=lake.read("looks"),
        workload=workload,
        cycle=trained["cycle"],
        dataset=trained["dataset"],
        checks=rules.checks,
        gate=rules.gate,
    )
    if trained["reason"]:
        judged = judged.because(trained["reason"])
    with lake.writing():
        for look in judged.look.iter_rows(named=True):
            lake.replace("looks", judged.look, {key: [look[key]] for key in ("workload", "look")})
        lake.replace("verdicts", judged.verdict, {"workload": [workload], "cycle": [trained["cycle"]]})
    return judged


def _given(lake: Lake, trained: dict[str, Any]) -> Judged | None:
    """The verdict by which this candidate became champion, if it did: a cycle run again gives the same answer."""
    same = [pl.col(key) == trained[key] for key in ("workload", "cycle", "dataset")]
    verdict = lake.read("verdicts").filter(*same, pl.col("candidate") == trained["fingerprint"])
    return None if verdict.is_empty() else Judged.of(verdict)


def decoding(gate: Gate) -> str:
    """The name of the settings an answer was given under."""
    return f"t{gate.temperature:g}-n{gate.max_new_tokens}"


def _answers(lake: Lake, model: str, gate: Gate) -> pl.DataFrame:
    return lake.read("answers").filter((pl.col("model") == model) & (pl.col("decoding") == decoding(gate)))


def _texts(lake: Lake, model: str, gate: Gate) -> dict[str, str]:
    return dict(_answers(lake, model, gate).select("item", "text").iter_rows())
