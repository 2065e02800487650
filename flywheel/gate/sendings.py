"""Which text went to which outside endpoint, and what of the budget a cycle has spent, counted in the tables.

A row is written before its text goes out, so that a killed run leaves no text unaccounted for; what the endpoint
counted is added when it has answered. Texts are known by their hash: the table holds none of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from flywheel.errors import Terminal
from flywheel.gate.scorers.judge import Reply, Request
from flywheel.gate.spending import A_TOKEN, Spending, counted
from flywheel.lake import Lake
from flywheel.settings import Budget, Endpoint, Settings, Workload


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Where a cycle's scores are made: whose they are, where they are kept, and what they may cost."""

    lake: Lake
    settings: Settings
    workload: str
    cycle: int

    @property
    def rules(self) -> Workload:
        return self.settings.workload(self.workload)


def spent(lake: Lake, workload: str, cycle: int, budget: Budget) -> Spending:
    """What this cycle spent so far: machine time of answers; tokens that went out and came back, by whomever asked."""
    turn = (pl.col("workload") == workload) & (pl.col("cycle") == cycle)
    seconds = lake.scan("answers").filter(turn).select(pl.col("seconds").sum()).collect().item()
    costs = pl.coalesce("tokens", pl.col("characters") // A_TOKEN).sum()
    tokens = lake.scan("sendings").filter(turn).select(costs).collect().item()
    return Spending(
        of=f"cycle {cycle} of {workload}",
        minutes_allowed=budget.gpu_minutes,
        tokens_allowed=budget.tokens,
        minutes=seconds / 60,
        tokens=tokens,
    )


def afford(desk: Desk, asked: Sequence[Request]) -> None:
    """Stop before the budget is passed; what was scored so far is kept."""
    so_far = spent(desk.lake, desk.workload, desk.cycle, desk.settings.budget)
    more = sum(request.characters() // A_TOKEN for request in asked)
    if so_far.tokens + more > so_far.tokens_allowed:
        raise Terminal(
            f"the budget of {so_far.of} is spent: judging stopped",
            seen=f"{so_far.tokens:,} tokens, {more:,} for the next answers",
            allowed=f"{so_far.tokens_allowed:,} tokens",
            do="raise tokens under [budget] in flywheel.toml and run the gate again; what was judged is kept",
        )


def record(desk: Desk, to: Endpoint, asked: Sequence[Request], replies: Sequence[Reply] = ()) -> None:
    """Write down what goes out, and once it is answered what it took; what is asked twice is spent twice."""
    if not asked:
        return
    whose = {"workload": desk.workload, "endpoint": to.url, "model": to.model, "purpose": "judge"}
    key = {name: [value] for name, value in whose.items()}
    key |= {"item": sorted({request.item for request in asked}), "digest": [request.digest() for request in asked]}
    before = _before(desk, whose)
    rows = []
    for number, request in enumerate(asked):
        tokens = before.get(request.digest())
        if replies:
            tokens = (tokens or 0) + _counted(replies[number], request)
        told = {"item": request.item, "digest": request.digest(), "cycle": desk.cycle}
        rows.append(whose | told | {"characters": request.characters(), "tokens": tokens})
    with desk.lake.writing():
        desk.lake.replace("sendings", pl.DataFrame(rows, schema_overrides={"tokens": pl.Int64}), key)


def _before(desk: Desk, whose: dict[str, str]) -> dict[str, int | None]:
    """What this cycle has already spent on the same texts."""
    same = [pl.col(name) == value for name, value in {**whose, "cycle": desk.cycle}.items()]
    return dict(desk.lake.scan("sendings").filter(*same).select("digest", "tokens").collect().iter_rows())


def _counted(reply: Reply, request: Request) -> int:
    """As the endpoint says, else by the characters."""
    told = counted({"tokens_in": reply.tokens_in, "tokens_out": reply.tokens_out})
    return (request.characters() + len(reply.text)) // A_TOKEN if told is None else told
