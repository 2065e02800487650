"""Verdicts and routes in the lake's terms: what a page tells of a cycle, and who may serve a workload.

Reading belongs here; what costs, routes and pages are made of belongs in `costs`, `routes` and `report`.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl

from flywheel.checkpoint import endpoint_folder, fingerprint
from flywheel.errors import BadInput
from flywheel.gate import costs
from flywheel.gate.asking import decoding
from flywheel.gate.report import Told
from flywheel.gate.routes import Contender, table
from flywheel.gate.scorers import sent
from flywheel.lake import Lake
from flywheel.settings import Endpoint, Workload


def told(lake: Lake, workload: str, rules: Workload, *, cycle: int | None = None) -> Told:
    """What a page tells of the verdict of a cycle, of the latest where none is named."""
    verdict = _verdict(lake, workload, cycle)
    items = _items(lake, workload, verdict["eval_set"])
    given = {side: _answers(lake, verdict[side], rules) for side in ("candidate", "champion")}
    details = json.loads(verdict["details"] or "{}")
    if not details.get("costs"):
        verdict["details"] = json.dumps(details | {"costs": priced(lake, verdict, rules)})
    texts = {side: dict(answers.select("item", "text").iter_rows()) for side, answers in given.items()}
    return Told(verdict=verdict, pairs=_pairs(lake, items, verdict, given, rules), items=items, rules=rules, **texts)


def priced(lake: Lake, verdict: Mapping[str, Any], rules: Workload) -> dict[str, Any]:
    """The `costs` of a verdict: both models beside no AI, on the items of its eval set."""
    items, named = _items(lake, verdict["workload"], verdict["eval_set"]), endpoints(lake, rules)
    candidate, champion = (
        _outcomes(items, _answers(lake, verdict[side], rules), rules, named.get(verdict[side]))
        for side in ("candidate", "champion")
    )
    return costs.priced(items, candidate, champion, rules.policy)


def routes(lake: Lake, workload: str, rules: Workload, *, champion: str, made: datetime) -> dict[str, Any]:
    """The route table on the eval set of the latest verdict: the champion, and the endpoints that have answered it.

    A candidate that won is no contender before somebody promoted it, and is the champion then.
    """
    eval_set = _verdict(lake, workload, None)["eval_set"]
    items, named = _items(lake, workload, eval_set), endpoints(lake, rules)
    contenders = []
    for model in dict.fromkeys([champion, *named]):
        answers = _answers(lake, model, rules).join(items, on="item", how="semi")
        if model == champion and answers.is_empty():
            what = f"the champion of {workload} has answered no item of its eval set, so nobody knows what it costs"
            raise BadInput(what, seen=f"champion {champion}, eval set {eval_set}", do="judge a cycle of it first")
        if len(answers):
            name, kind = (named[model][0], "endpoint") if model in named else (model, "own")
            outcomes = _outcomes(items, answers, rules, named.get(model))
            contenders.append(Contender(model=name, kind=kind, outcomes=outcomes))
    return table(items, contenders, policy=rules.policy, workload=workload, made=made)


def endpoints(lake: Lake, rules: Workload) -> dict[str, tuple[str, Endpoint]]:
    """The workload's endpoints by fingerprint, each with its name."""
    return {
        fingerprint(endpoint_folder(lake.home, endpoint)): (name, endpoint)
        for name, endpoint in sorted(rules.endpoints.items())
    }


def _verdict(lake: Lake, workload: str, cycle: int | None) -> dict[str, Any]:
    given = lake.read("verdicts").filter(workload=workload).sort("cycle")
    found = given if cycle is None else given.filter(cycle=cycle)
    if found.is_empty():
        known = ", ".join(str(each) for each in given["cycle"]) or "none yet"
        what = f"{workload} has no verdict" + ("" if cycle is None else " of that cycle")
        raise BadInput(what, seen="nothing" if cycle is None else cycle, allowed=known, do="judge a cycle of it first")
    return found.row(-1, named=True)


def _items(lake: Lake, workload: str, eval_set: str) -> pl.DataFrame:
    return lake.read("eval_items").filter(workload=workload, eval_set=eval_set).filter(role="eval").sort("item")


def _answers(lake: Lake, model: str, rules: Workload) -> pl.DataFrame:
    return lake.read("answers").filter(model=model, decoding=decoding(rules.gate))


def _outcomes(
    items: pl.DataFrame, answers: pl.DataFrame, rules: Workload, named: tuple[str, Endpoint] | None
) -> pl.DataFrame:
    endpoint = named[1] if named else None
    return costs.outcomes(items, answers, checks=rules.checks, policy=rules.policy, endpoint=endpoint)


def _pairs(
    lake: Lake, items: pl.DataFrame, verdict: Mapping[str, Any], given: Mapping[str, pl.DataFrame], rules: Workload
) -> pl.DataFrame:
    """The scores that decided, side by side."""
    scored = {side: _scores(lake, items, verdict, side, given[side], rules) for side in given}
    both = items.select("item", "user", "slice").join(scored["candidate"], on="item", how="left")
    both = both.join(scored["champion"].rename({"score": "score_champion"}), on="item", how="left")
    return both.with_columns(gain=pl.col("score") - pl.col("score_champion")).sort("item")


def _scores(
    lake: Lake, items: pl.DataFrame, verdict: Mapping[str, Any], side: str, answers: pl.DataFrame, rules: Workload
) -> pl.DataFrame:
    """Computed anew where that is cheap, else as they were kept; a judge scores the candidate's side of both."""
    name = rules.gate.primary
    kinds = {each.name: each.kind for each in rules.gate.scorers}
    if kinds.get(name, name) == "sent":
        return sent.score(items, answers, rules.checks).select("item", "score")
    if kinds.get(name) == "judge" and side == "champion":
        return items.select("item", score=pl.lit(0.0))
    against = verdict["champion"] if kinds.get(name) == "judge" else ""
    kept = lake.read("scores").filter(workload=verdict["workload"], model=verdict[side], scorer=name, against=against)
    return kept.select("item", "score").unique("item", keep="none")
