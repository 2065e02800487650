"""A cycle's gate in the lake's terms: who is asked what, what is written before what, and the verdict that comes of it.

The order is the promise. Answers and scores are kept as they come; the look is in the ledger before anything is
compared; only a winner opens the sealed items, and their opening is in the ledger before they are scored; the verdict
is written last. How a verdict is found belongs in `verdict`.
"""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from flywheel.checkpoint import endpoint, is_endpoint
from flywheel.errors import Terminal
from flywheel.gate import asking, bridge, capability, costs
from flywheel.gate.asking import answers_of, current_cycle
from flywheel.gate.forgetting import Forgetting, flips
from flywheel.gate.length import control, inseparable
from flywheel.gate.pairing import Scored, Trial, of_role
from flywheel.gate.sanity import faults
from flywheel.gate.scorers.checks import said
from flywheel.gate.scoring import SENT, Contender, may_not_decide, scores
from flywheel.gate.sendings import Desk
from flywheel.gate.verdict import Judged, confirmed, judge, look_at
from flywheel.lake import Lake
from flywheel.process import Run
from flywheel.settings import REPOSITORY, Endpoint, Scorer

__all__ = ["Bench", "ask", "contestants", "current_cycle", "judge_cycle"]


def contestants(lake: Lake, workload: str, champion: str, champion_folder: Path) -> dict[str, Path]:
    """The models to ask: the champion, and the candidate if the cycle trained one."""
    trained = lake.read("checkpoints").filter(pl.col("workload") == workload).sort("cycle").tail(1)
    candidate = {row["fingerprint"]: Path(row["folder"]) for row in trained.iter_rows(named=True) if row["fingerprint"]}
    return {champion: champion_folder} | candidate


def ask(desk: Desk, items: pl.DataFrame, models: dict[str, Path], run: Run) -> None:
    """Have all models answer the eval items, and what they must not forget; sealed items stay unasked."""
    asked = items.filter(pl.col("role") == "eval").select("item", "prompt")
    if desk.rules.gate.capability:
        asked = pl.concat([asked, _capability(desk).select("item", "prompt")])
    _ask(desk, asked, models, run)


def judge_cycle(desk: Desk, items: pl.DataFrame, models: dict[str, Path], *, champion: str, run: Run) -> Judged:
    """The verdict on the workload's latest checkpoint against this champion; `items` are eval and sealed ones."""
    lake, workload, gate = desk.lake, desk.workload, desk.rules.gate
    trained = _trained(lake, workload)
    candidate = trained["fingerprint"] or champion
    if candidate == champion and (given := _given(lake, trained)) is not None:
        return given
    trial = Trial(
        workload=workload, cycle=trained["cycle"], dataset=trained["dataset"], candidate=candidate, champion=champion
    )
    bench = Bench(desk, trial, models, run)
    asked, _ = of_role(items, "eval", workload)
    primary = bench.primary(asked)
    why_not = [*primary.doubts, *_newer(items, lake, trained)]
    items = _scored_ones(items, primary, "eval")
    with lake.writing():  # no other look may come between reading the ledger and writing this one
        looks, verdicts = lake.read("looks"), lake.read("verdicts")
        look = look_at(
            items=items, primary=primary, trial=trial, looks=looks, verdicts=verdicts, gate=gate, broken=why_not
        )
        if look and look.is_new:
            lake.replace("looks", look.row, {"workload": [workload], "look": [look.look]})
    judged = judge(
        items=items,
        primary=primary,
        trial=trial,
        looks=lake.read("looks"),
        verdicts=verdicts,
        faults=bench.faults(asked),
        gate=gate,
        guards=bench.guards(asked),
        forgetting=bench.forgetting(),
        broken=why_not,
    )
    judged = _priced(bench, asked, _sealed(bench, items, judged))
    if trained["reason"]:
        judged = judged.because(trained["reason"])
    _bridged(bench, asked, primary)
    _write(lake, "verdicts", judged.verdict, {"workload": [workload], "cycle": [trained["cycle"]]})
    return judged


class Bench:
    """Two models on the bench of one trial: what they answered, and what the scorers say of it."""

    def __init__(self, desk: Desk, trial: Trial, models: dict[str, Path], run: Run) -> None:
        self.desk, self.trial, self.models, self.run = desk, trial, models, run
        self.gate = desk.rules.gate
        self.scorers = {"sent": SENT} | {scorer.name: scorer for scorer in self.gate.scorers}

    def side(self, model: str) -> Contender:
        return Contender(model=model, folder=self.models[model], answers=answers_of(self.desk.lake, model, self.gate))

    def sides(self) -> tuple[Contender, Contender]:
        return self.side(self.trial.candidate), self.side(self.trial.champion)

    def primary(self, items: pl.DataFrame) -> Scored:
        """What the deciding scorer says."""
        if self.gate.primary not in self.scorers:
            what, known = f"no scorer of {self.trial.workload} is called {self.gate.primary}", ", ".join(self.scorers)
            raise Terminal(what, seen=self.gate.primary, allowed=known, do="mend gate.primary in flywheel.toml")
        return self.doubted(self.scorers[self.gate.primary], items)

    def guards(self, items: pl.DataFrame) -> dict[str, Scored]:
        """What the other scorers say, those that report and those that guard."""
        return {name: self.doubted(each, items) for name, each in self.scorers.items() if name != self.gate.primary}

    def doubted(self, scorer: Scorer, items: pl.DataFrame) -> Scored:
        """What it says, and why it may neither decide nor guard, if it may not."""
        found = self.scored(scorer, items)
        if scorer.kind == "latency" and len({is_endpoint(each.folder) for each in self.sides()}) > 1:
            return replace(found, doubts=("seconds behind an endpoint and seconds of this machine are not compared",))
        if scorer.kind != "judge" or (scorer.name != self.gate.primary and scorer.margin is None):
            return found
        why = may_not_decide(self.desk, scorer, run=self.run)
        longer = inseparable(found.candidate["control"].drop_nulls())
        return replace(found, doubts=tuple(sentence for sentence in (why, longer) if sentence))

    def scored(self, scorer: Scorer, items: pl.DataFrame) -> Scored:
        ours, theirs = self.sides()
        score = partial(scores, self.desk, scorer, items, run=self.run)
        if scorer.kind != "judge":
            return Scored(candidate=score(ours), champion=score(theirs))
        sides = score(ours, theirs)
        longer = control(items, ours.answers, theirs.answers)
        return Scored.of_judge(sides.join(longer, on="item", how="left"))

    def faults(self, items: pl.DataFrame) -> list[str]:
        """What sanity says of the items that both answered, whatever they score."""
        ours, theirs = (each.answers.select("item", "text", "tokens_out") for each in self.sides())
        both = items.select("item", "prompt", "reference").join(ours, on="item").join(theirs, on="item", suffix="_was")
        both, most = both.sort("item"), self.gate.max_new_tokens
        cut_off = [both[name].ge(most).fill_null(value=False).to_list() for name in ("tokens_out", "tokens_out_was")]
        texts = (both[name].to_list() for name in ("text", "text_was", "reference"))
        return faults(*texts, prompts=[said(prompt) for prompt in both["prompt"]], at_limit=(cut_off[0], cut_off[1]))

    def forgetting(self) -> Forgetting | None:
        if not self.gate.capability:
            return None
        asked = _capability(self.desk)
        ours, theirs = (capability.score(asked, each.answers) for each in self.sides())
        return flips(ours, theirs)


def _newer(items: pl.DataFrame, lake: Lake, trained: dict[str, Any]) -> list[str]:
    """Items that came after the dataset: it was not kept away from them, so they may know what was trained on."""
    cutoffs = lake.read("datasets").filter(workload=trained["workload"], cycle=trained["cycle"])["cutoff"]
    newer = len(items.filter(pl.col("since") > cutoffs.max()))
    what = f"{newer} items of the frozen sets came after the dataset of cycle {trained['cycle']}, which was not kept"
    return [f"{what} away from them: cut and train anew"] if newer else []


def _scored_ones(items: pl.DataFrame, primary: Scored, role: str) -> pl.DataFrame:
    """Without items of this role that the deciding scorer has no row of: `preference` has none where none changed."""
    if primary.candidate.is_empty():
        return items  # all of them are holes then
    told = pl.col("item").is_in(primary.candidate["item"].implode())
    return items.filter(told | (pl.col("role") != role))


def _sealed(bench: Bench, items: pl.DataFrame, judged: Judged) -> Judged:
    """A winner opens the sealed items: the opening is written, then they are asked, scored, and confirm or not."""
    if not judged.opens:
        return judged
    desk = bench.desk
    if len(judged.opening):
        number = judged.opening["look"][0]
        _write(desk.lake, "looks", judged.opening, {"workload": [desk.workload], "look": [number]})
    opened = items.filter(pl.col("item").is_in(judged.opens))
    _ask(desk, opened.select("item", "prompt"), bench.models, bench.run)
    scored = bench.primary(opened)
    told, items = [*scored.doubts, *bench.faults(opened)], _scored_ones(items, scored, "sealed")
    return confirmed(judged, items=items, scored=scored, looks=desk.lake.read("looks"), faults=told, gate=bench.gate)


def _bridged(bench: Bench, asked: pl.DataFrame, primary: Scored) -> None:
    """Write down how the champion scores on the version of the last verdict and on this one, where they differ."""
    trial, scorer = bench.trial, bench.scorers[bench.gate.primary]
    ours = bench.side(trial.champion)

    def old(items: pl.DataFrame) -> pl.DataFrame:
        return scores(bench.desk, scorer, items, ours, run=bench.run)

    found = bridge.of(bench.desk.lake, trial, asked, scorer=scorer, now=primary.champion, old=old)
    if len(found):
        _write(bench.desk.lake, "bridges", found, {"workload": [trial.workload], "eval_set": [found["eval_set"][0]]})


def _priced(bench: Bench, items: pl.DataFrame, judged: Judged) -> Judged:
    """The verdict with what a success costs beside the champion and beside no AI."""
    rules, row = bench.desk.rules, judged.verdict.row(0, named=True)
    ours, theirs = (
        costs.outcomes(items, each.answers, checks=rules.checks, policy=rules.policy, endpoint=_endpoint(each.folder))
        for each in bench.sides()
    )
    details = json.loads(row["details"]) | {"costs": costs.priced(items, ours, theirs, rules.policy)}
    return replace(judged, verdict=judged.verdict.with_columns(details=pl.lit(json.dumps(details))))


def _trained(lake: Lake, workload: str) -> dict[str, Any]:
    """The checkpoint to judge: of the latest dataset, not of one before it."""
    checkpoint = lake.read("checkpoints").filter(pl.col("workload") == workload).sort("cycle").tail(1)
    if checkpoint.is_empty():
        raise Terminal(f"{workload} has no checkpoint to judge", do="run the training first")
    trained = checkpoint.row(0, named=True)
    dataset = lake.read("datasets").filter(pl.col("workload") == workload)["cycle"].max()
    if trained["cycle"] != dataset:
        raise Terminal(f"cycle {dataset} of {workload} has trained nothing to judge", do="run its training first")
    return trained


def _given(lake: Lake, trained: dict[str, Any]) -> Judged | None:
    """The verdict by which this candidate became champion, if it did: a cycle run again gives the same answer."""
    same = [pl.col(key) == trained[key] for key in ("workload", "cycle", "dataset")]
    verdict = lake.read("verdicts").filter(*same, pl.col("candidate") == trained["fingerprint"])
    return None if verdict.is_empty() else Judged.of(verdict)


def _ask(desk: Desk, asked: pl.DataFrame, models: dict[str, Path], run: Run) -> None:
    gate, budget = desk.rules.gate, desk.settings.budget
    asking.ask(desk.lake, asked, models, workload=desk.workload, gate=gate, budget=budget, run=run)


def _capability(desk: Desk) -> pl.DataFrame:
    return capability.items(REPOSITORY / desk.rules.gate.capability.format(home=desk.settings.home))


def _endpoint(folder: Path) -> Endpoint | None:
    return endpoint(folder) if is_endpoint(folder) else None


def _write(lake: Lake, table: str, rows: pl.DataFrame, where: dict[str, list[Any]]) -> None:
    with lake.writing():
        lake.replace(table, rows, where)
