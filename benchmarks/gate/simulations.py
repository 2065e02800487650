"""What the gate promises over many cycles, simulated by its real comparison, decision and ledger.

A gain is a win, a tie or a loss with a paired deviation of 0.45, each candidate's luck its own: correlated candidates
would be wrong together and so less often. The ledger knows nothing of results, so that its looks are the same in every
history and are written once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from flywheel.gate.compare import compare, estimate
from flywheel.gate.decide import Evidence, confirm, decide
from flywheel.gate.ledger import Look, next_look, spend
from flywheel.settings import Gate
from flywheel.tables import Looks

GATE = Gate()
ITEMS, SEALED, CYCLES, EIGHTH = 800, 300, 20, 100
HISTORIES, TRIALS, REPETITIONS = 1_000, 4_000, 10_000
EACH = 4  # items of a user
DEVIATION, GAIN = 0.45, 0.05


@dataclass(frozen=True)
class Share:
    """Hits out of n, with the exact interval of Clopper and Pearson, each side wrong with chance one in a hundred."""

    hits: int
    n: int

    @property
    def low(self) -> float:
        from scipy.special import betaincinv

        return float(betaincinv(self.hits, self.n - self.hits + 1, 0.01)) if self.hits else 0.0

    @property
    def high(self) -> float:
        from scipy.special import betaincinv

        return float(betaincinv(self.hits + 1, self.n - self.hits, 0.99)) if self.hits < self.n else 1.0

    def __str__(self) -> str:
        return f"{self.hits / self.n:.1%} (n = {self.n:,}, {self.low:.1%} to {self.high:.1%})"


def looks_of(*, fresh: int) -> list[Look]:
    """The looks of twenty candidates, `fresh` of the oldest items exchanged before each but the first."""
    looks, found = Looks.create_empty(), []
    for cycle in range(CYCLES):
        items = [f"i{number:05}" for number in range(cycle * fresh, cycle * fresh + ITEMS)]
        who = {"workload": "w", "eval_set": f"e{cycle * fresh}", "champion": "old", "cycle": cycle}
        look = next_look(looks, **who, candidate=f"c{cycle}", items=items, alpha=GATE.alpha)
        looks = pl.concat([looks, look.row])
        found.append(look)
    return found


def wins_and_losses(rng: np.random.Generator, n: int, gain: float) -> np.ndarray:
    """Wins, ties and losses with this mean and a deviation of 0.45."""
    decided = DEVIATION**2 + gain**2
    return rng.choice([1.0, 0.0, -1.0], n, p=[(decided + gain) / 2, 1 - decided, (decided - gain) / 2])


def pairs(gains: np.ndarray) -> pl.DataFrame:
    number = np.arange(len(gains))
    return pl.DataFrame({"item": number, "user": number // EACH, "gain": gains, "score": gains, "score_champion": 0.0})


def promoted(rng: np.random.Generator, look: Look, *, gain: float, sealed: bool) -> bool:
    """One candidate through the real comparison, decision and confirmation."""
    found = compare(pairs(wins_and_losses(rng, ITEMS, gain)), alpha=look.alpha)
    decision = decide(Evidence(broken=(), faults=(), found=found, asked=ITEMS, holes=0, look=look.look), GATE)
    if decision.verdict == "promote" and sealed:
        opened = compare(pairs(wins_and_losses(rng, SEALED, gain)), alpha=0.025)
        decision = confirm(decision, opened, holes=0)
    return decision.verdict == "promote"


def false_promotions(*, fresh: int, sealed: bool, seed: int = 5) -> Share:
    """Histories of twenty equal candidates in which one was promoted."""
    rng, looks = np.random.default_rng(seed), looks_of(fresh=fresh)
    wrong = sum(any(promoted(rng, look, gain=0.0, sealed=sealed) for look in looks) for _ in range(HISTORIES))
    return Share(wrong, HISTORIES)


def power(*, look: int, seed: int = 5) -> Share:
    """Candidates better by five points that pass this look and the sealed set; an eighth of the items is fresh."""
    rng, looks = np.random.default_rng(seed), looks_of(fresh=EIGHTH)
    return Share(sum(promoted(rng, looks[look - 1], gain=GAIN, sealed=True) for _ in range(TRIALS)), TRIALS)


def coverage(users: int, seed: int = 5) -> Share:
    """Intervals of 95 % that hold the truth: one to ten items each, users that differ as much as their items do."""
    rng, truth, hits = np.random.default_rng(seed), 0.05, 0
    for _ in range(REPETITIONS):
        whose = np.repeat(np.arange(users), rng.integers(1, 11, users))
        gains = truth + rng.normal(0, 0.2, users)[whose] + rng.normal(0, 0.2, len(whose))
        found = estimate(gains, whose, alpha=0.025)
        hits += found.low <= truth <= found.high
    return Share(hits, REPETITIONS)


def skewed(users: int, *, look: int, seed: int = 5) -> Share:
    """Candidates equal on average, most users a little better off, few much worse, that seem to be better."""
    rng, alpha = np.random.default_rng(seed), spend(look, GATE.alpha)
    found = (
        estimate(np.exp(0.5) - rng.lognormal(0, 1, users), np.arange(users), alpha=alpha) for _ in range(REPETITIONS)
    )
    return Share(sum(each.low > 0 for each in found), REPETITIONS)


def table() -> Iterator[str]:
    """Every figure of `docs/results.md`, a line each."""
    yield f"a false promotion in 20 idle cycles, the same items: {false_promotions(fresh=0, sealed=False)}"
    yield f"an eighth fresh, the sealed set confirming: {false_promotions(fresh=EIGHTH, sealed=True)}"
    yield f"an eighth fresh, no sealed set: {false_promotions(fresh=EIGHTH, sealed=False)}"
    for look in (1, CYCLES):
        yield f"power at look {look}, alpha {looks_of(fresh=EIGHTH)[look - 1].alpha:.4f}: {power(look=look)}"
    for users in (50, 100, 200, 500):
        yield f"coverage, {users} users: {coverage(users)}"
    for users in (50, 200, 800):
        yield f"skewed, {users} users, look 1, alpha {spend(1, GATE.alpha):.4f}: {skewed(users, look=1)}"
