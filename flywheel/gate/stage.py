"""A cycle's gate in the lake's terms: who is compared on which items, and the verdict on their answers."""

from pathlib import Path
from typing import Any

import polars as pl

from flywheel.errors import Terminal
from flywheel.gate.asking import answers_of
from flywheel.gate.pairing import Scored, Trial
from flywheel.gate.sanity import faults
from flywheel.gate.scorers.sent import score
from flywheel.gate.verdict import Judged, judge, look_at
from flywheel.lake import Lake
from flywheel.settings import Gate, Workload


def eval_items(lake: Lake, workload: str) -> pl.DataFrame:
    return lake.read("eval_items").filter(workload=workload, role="eval").sort("item")


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
    texts = {model: _texts(lake, model, rules.gate) for model in (candidate, champion)}
    asked = items.filter(role="eval")
    primary = Scored(
        candidate=score(asked, texts[candidate], rules.checks), champion=score(asked, texts[champion], rules.checks)
    )
    trial = Trial(
        workload=workload,
        cycle=trained["cycle"],
        dataset=trained["dataset"],
        candidate=candidate,
        champion=champion,
    )
    verdicts = lake.read("verdicts")
    look = look_at(
        items=items, primary=primary, trial=trial, looks=lake.read("looks"), verdicts=verdicts, gate=rules.gate
    )
    if look and look.is_new:
        with lake.writing():
            lake.replace("looks", look.row, {"workload": [workload], "look": [look.look]})
    judged = judge(
        items=items,
        primary=primary,
        trial=trial,
        looks=lake.read("looks"),
        verdicts=verdicts,
        faults=_faults(items, texts[candidate], texts[champion]),
        gate=rules.gate,
    )
    if trained["reason"]:
        judged = judged.because(trained["reason"])
    with lake.writing():
        lake.replace("verdicts", judged.verdict, {"workload": [workload], "cycle": [trained["cycle"]]})
    return judged


def _given(lake: Lake, trained: dict[str, Any]) -> Judged | None:
    """The verdict by which this candidate became champion, if it did: a cycle run again gives the same answer."""
    same = [pl.col(key) == trained[key] for key in ("workload", "cycle", "dataset")]
    verdict = lake.read("verdicts").filter(*same, pl.col("candidate") == trained["fingerprint"])
    return None if verdict.is_empty() else Judged.of(verdict)


def _faults(items: pl.DataFrame, candidate: Mapping[str, str], champion: Mapping[str, str]) -> list[str]:
    """What sanity says of the items that both answered."""
    sent = dict(items.filter(role="eval").select("item", "reference").iter_rows())
    answered = [item for item in sorted(sent) if item in candidate and item in champion]
    return faults(*([texts[item] for item in answered] for texts in (candidate, champion, sent)))


def _texts(lake: Lake, model: str, gate: Gate) -> dict[str, str]:
    return dict(answers_of(lake, model, gate).select("item", "text").iter_rows())
