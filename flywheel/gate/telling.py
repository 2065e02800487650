"""Verdicts and routes in the lake's terms: what a page tells of a cycle, and who may serve a workload.

Reading belongs here, and renewing the routes; what costs, routes and pages are made of belongs in `costs`, `routes` and
`report`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from flywheel.checkpoint import endpoint_folder, fingerprint
from flywheel.errors import BadInput
from flywheel.gate import costs
from flywheel.gate.asking import decoding
from flywheel.gate.report import Told
from flywheel.gate.routes import MAX_HOLES, Contender, table, write
from flywheel.gate.scorers import sent
from flywheel.lake import Lake
from flywheel.settings import Endpoint, Workload


def told(lake: Lake, workload: str, rules: Workload, *, cycle: int | None = None) -> Told:
    """What a page tells of the verdict of a cycle, of the latest where none is named."""
    verdict = _verdict(lake, workload, cycle)
    items = _items(lake, workload, verdict["eval_set"])
    given = {side: _answers(lake, verdict[side], rules) for side in ("candidate", "champion")}
    texts = {side: dict(answers.select("item", "text").iter_rows()) for side, answers in given.items()}
    bridges = lake.read("bridges").filter(workload=workload, eval_set=verdict["eval_set"], cycle=verdict["cycle"])
    return Told(
        verdict=verdict,
        pairs=_pairs(lake, items, verdict, given, rules),
        items=items,
        rules=rules,
        bridge=next(bridges.iter_rows(named=True), None),
        **texts,
    )


def rerouted(lake: Lake, workload: str, rules: Workload, *, champion: str) -> Path:
    """Write the route table anew, where a product reads it: after a verdict, and whenever the champion has changed."""
    return write(lake.home, routes(lake, workload, rules, champion=champion, made=datetime.now(UTC)))


def routes(lake: Lake, workload: str, rules: Workload, *, champion: str, made: datetime) -> dict[str, Any]:
    """The route table on the eval set of the latest verdict: the champion, and the endpoints that have answered it.

    A candidate that won is no contender before somebody promoted it, and is the champion then.
    """
    eval_set = _verdict(lake, workload, None)["eval_set"]
    items, named = _items(lake, workload, eval_set), endpoints(lake, rules)
    contenders = []
    for model in dict.fromkeys([champion, *named]):
        answers = _answers(lake, model, rules).join(items, on="item", how="semi")
        if model == champion and len(items) - len(answers) > MAX_HOLES * len(items):
            asked = f"{len(answers)} of {len(items)} items" if len(answers) else "no item"
            what = f"the champion of {workload} has answered {asked} of its eval set, so nobody knows what it costs"
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
    """The items of this set, whether it still stands or some have retired since; forgotten ones are gone."""
    of = {"workload": workload, "eval_set": eval_set, "role": "eval"}
    version = lake.read("eval_sets").filter(**of)["items"].explode().drop_nulls()
    held = lake.read("eval_items").filter(pl.col("workload") == workload, pl.col("role") != "sealed")
    stands = (pl.col("eval_set") == eval_set) & (pl.col("role") == "eval")
    items = held.filter(stands | pl.col("item").is_in(version.implode())).unique("item", keep="any")
    if items.is_empty():
        what = f"no item is left of the eval set that {workload} was judged on"
        raise BadInput(what, seen=eval_set, do="judge a cycle on the set that stands")
    return items.with_columns(eval_set=pl.lit(eval_set)).sort("item")


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
