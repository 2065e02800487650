"""A cycle that was won: what the tests of its end start from."""

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from safetensors.numpy import save_file

from flywheel.checkpoint import fingerprint
from flywheel.lake import Lake
from flywheel.registry import Registry, conclude, observe
from tests.product import answer, read, take

CUTOFF = datetime(2026, 1, 11, tzinfo=UTC)


class Won(NamedTuple):
    """A state folder in which the candidate of cycle 1 has beaten the base."""

    home: Path
    lake: Lake
    registry: Registry

    def conclude(self, promotion: str = "auto") -> dict:
        rules = read(self.home, workloads={"drafts": {"base_model": "{home}/base", "promotion": promotion}})
        return conclude(self.lake, self.registry, "drafts", rules, run="run-1")


def a_model(folder: Path, weight: float) -> Path:
    folder.mkdir(parents=True)
    save_file({"w": np.full(3, weight, dtype=np.float32)}, folder / "model.safetensors")
    (folder / "config.json").write_text("{}")
    return folder


def a_win(home: Path, workload: str = "drafts") -> Won:
    """The candidate of cycle 1 has beaten the base; nothing was concluded from it yet."""
    lake, registry = take(home, [answer("a")]), Registry(home)
    base = registry.ensure_champion(workload, a_model(home / "base", 0.0))
    observe(lake, registry, [workload])
    winner = a_model(home / "winner", 1.0)
    made = {"workload": [workload], "cycle": [1], "dataset": ["d1"], "eval_set": ["e1"]}
    counted = ("events", "pairs", "rankings", "labels", "demonstrations", "train_pairs", "train_demonstrations")
    counted += ("train_labels", "train_desirable", "trajectories")
    counts = {name: [9] for name in counted}
    where = {"workload": [workload], "cycle": [1]}
    lake.replace("datasets", pl.DataFrame(made | counts | {"cutoff": [CUTOFF]}), where)
    trained = {"start": ["x"], "folder": [str(winner)], "fingerprint": [fingerprint(winner)], "reason": [None]}
    trained |= {"metrics": ["{}"], "history": ["[]"], "mlflow_run": [None], "seconds": [1.0]}
    lake.replace("checkpoints", pl.DataFrame(made | trained), where)
    verdict = {"candidate": [fingerprint(winner)], "champion": [base.fingerprint], "verdict": ["promote"]}
    numbers = {"gain": [0.1], "low": [0.05], "high": [0.15], "level": [0.03], "items": [90], "users": [30], "look": [1]}
    scores = {"candidate_score": [0.6], "champion_score": [0.5], "reason": ["better"]}
    scores |= {"reasons": [["better"]], "n_needed": [None], "details": ["{}"]}
    lake.replace("verdicts", pl.DataFrame(made | verdict | numbers | scores), where)
    return Won(home, lake, registry)
