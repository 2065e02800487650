"""A cycle's gate in the lake's terms: who is compared on which items, and the verdict on their answers."""

from pathlib import Path
from typing import Any

import polars as pl

from flywheel.errors import Terminal
from flywheel.gate.asking import answers_of
from flywheel.gate.verdict import Judged, judge
from flywheel.lake import Lake
from flywheel.settings import Gate, Workload


def eval_items(lake: Lake, workload: str) -> pl.DataFrame:
    return lake.read("eval_items").filter(pl.col("workload") == workload).sort("item")


def contestants(lake: Lake, workload: str, champion: str, champion_folder: Path) -> dict[str, Path]:
    """The models to ask: the champion, and the candidate if the cycle trained one."""
    trained = lake.read("checkpoints").filter(pl.col("workload") == workload).sort("cycle").tail(1)
    candidate = {row["fingerprint"]: Path(row["folder"]) for row in trained.iter_rows(named=True) if row["fingerprint"]}
    return {champion: champion_folder} | candidate


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


def _texts(lake: Lake, model: str, gate: Gate) -> dict[str, str]:
    return dict(answers_of(lake, model, gate).select("item", "text").iter_rows())
