"""Which text went to which outside endpoint, and what of the cycle's budget of tokens that has spent.

A row is written before its text goes out, so that a killed run leaves no text unaccounted for; what the endpoint
counted is added when it has answered. Texts are known by their hash: the table holds none of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from flywheel.errors import Terminal
from flywheel.gate.scorers.judge import Reply, Request
from flywheel.lake import Lake
from flywheel.settings import Endpoint, Settings, Workload

CHARACTERS = 4
"""Of a token, roughly: of an endpoint that does not count, so that no budget is without end."""


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


def spent(lake: Lake, workload: str, cycle: int) -> int:
    """Tokens that this cycle has sent out and got back."""
    told = lake.read("sendings").filter(pl.col("workload") == workload, pl.col("cycle") == cycle)
    return int(told.select(pl.coalesce("tokens", pl.col("characters") // CHARACTERS).sum()).item())


def afford(desk: Desk, asked: Sequence[Request]) -> None:
    """Stop before the budget is passed; what was scored so far is kept."""
    so_far = spent(desk.lake, desk.workload, desk.cycle)
    more = sum(request.characters() // CHARACTERS for request in asked)
    if so_far + more > desk.settings.budget.tokens:
        raise Terminal(
            "this cycle's budget of tokens is reached, judging stops here",
            seen=f"{so_far:,} spent, {more:,} for the next answers",
            allowed=f"{desk.settings.budget.tokens:,}",
            do="raise `tokens` under [budget] in flywheel.toml; what was judged is kept",
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
    told = [tokens for tokens in (reply.tokens_in, reply.tokens_out) if tokens is not None]
    return sum(told) if told else (request.characters() + len(reply.text)) // CHARACTERS
