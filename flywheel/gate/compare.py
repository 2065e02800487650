"""Two models on the same items: the paired gain, and how sure we are of it.

Items of one user are not independent, so what is drawn again and again is users. The numbers belong here; what follows
from them belongs in `decide`.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from statistics import NormalDist

import numpy as np
import polars as pl

from flywheel.errors import BrokenInvariant

RESAMPLES = 10_000
SEED = 20_260_105
SLICE_ALPHA = 0.05
POWER = 0.8


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Candidate minus champion over the items that both answered; the interval holds with probability `level`."""

    gain: float
    low: float
    high: float
    level: float
    items: int
    users: int
    candidate_score: float
    champion_score: float

    def users_needed(self, gain: float) -> int:
        """About how many users it takes until a true gain of this size is seen four times out of five."""
        z = NormalDist().inv_cdf((1 + self.level) / 2)
        half = (self.high - self.low) / 2
        return round(self.users * (half / gain * (z + NormalDist().inv_cdf(POWER)) / z) ** 2) + 1


def paired(candidate: pl.DataFrame, champion: pl.DataFrame) -> pl.DataFrame:
    """Both models' scores side by side, one row an item; `gain` is null where either has no answer."""
    keys = ["item", "user", "slice"]
    both = candidate.join(champion, on=keys, how="full", coalesce=True, suffix="_champion", validate="1:1")
    if not len(candidate) == len(champion) == len(both):
        raise BrokenInvariant(
            "candidate and champion were scored on different items",
            seen=f"{len(candidate)} and {len(champion)} items, {len(both)} together",
            allowed="one eval set",
            do="score both on the same eval set",
        )
    gain = pl.col("score") - pl.col("score_champion")
    return both.with_columns(gain.alias("gain")).sort("item")


def compare(pairs: pl.DataFrame, *, alpha: float) -> Comparison | None:
    """The mean gain over items, each side of its interval wrong with chance `alpha`; None without a single pair."""
    answered = pairs.filter(pl.col("gain").is_not_null()).sort("user", "item")
    if answered.is_empty():
        return None
    by_user = answered.group_by("user", maintain_order=True).agg(pl.col("gain").sum(), pl.len())
    sums, counts = by_user["gain"].to_numpy(), by_user["len"].to_numpy()
    low, high = interval(sums, counts, alpha=alpha)
    return Comparison(
        gain=float(sums.sum() / counts.sum()),
        low=low,
        high=high,
        level=1 - 2 * alpha,
        items=len(answered),
        users=len(by_user),
        candidate_score=float(answered["score"].sum() / len(answered)),
        champion_score=float(answered["score_champion"].sum() / len(answered)),
    )


def interval(sums: np.ndarray, counts: np.ndarray, *, alpha: float) -> tuple[float, float]:
    """Where the mean gain lies, from each user's sum of gains and number of items.

    On each side the wider of two: the cluster bootstrap knows how skewed the users are; Student's t knows that they are
    few, and reaches tails thinner than 10,000 draws can show, which late looks need.
    """
    users, gain = len(sums), sums.sum() / counts.sum()
    if users < 2:
        return -1.0, 1.0  # one user says nothing of others: all that a difference of scores can be
    draws = _draws(users)
    # Not `@`: a threaded product may round differently from machine to machine, and a verdict must not.
    means = np.einsum("ru,u->r", draws, sums) / np.einsum("ru,u->r", draws, counts)
    left, right = np.quantile(means, [alpha, 1 - alpha])
    error = sqrt(users / (users - 1) * np.sum((sums - gain * counts) ** 2)) / counts.sum()
    reach = _student(alpha, users - 1) * error
    return float(min(left, gain - reach)), float(max(right, gain + reach))


def by_slice(pairs: pl.DataFrame) -> pl.DataFrame:
    """Gains slice by slice, for people: the intervals are not corrected for their number and decide nothing."""
    rows = []
    for (name,), part in sorted(pairs.group_by("slice")):
        found = compare(part, alpha=SLICE_ALPHA)
        if found is not None:
            rows.append({"slice": name, **vars(found)})
    columns = {"slice": pl.String, **dict.fromkeys(("gain", "low", "high", "level"), pl.Float64)}
    columns |= {"items": pl.Int64, "users": pl.Int64, "candidate_score": pl.Float64, "champion_score": pl.Float64}
    return pl.DataFrame(rows, schema=columns, orient="row")


@lru_cache(maxsize=8)
def _draws(users: int) -> np.ndarray:
    """How often each user is in each resample; the same for everyone, so a verdict can be had again."""
    drawn = np.random.default_rng(SEED).integers(users, size=(RESAMPLES, users))
    drawn += users * np.arange(RESAMPLES)[:, None]
    return np.bincount(drawn.ravel(), minlength=RESAMPLES * users).reshape(RESAMPLES, users).astype(float)


def _student(alpha: float, freedom: int) -> float:
    """Student's quantile by the Cornish-Fisher series, good to three digits from ten degrees of freedom on."""
    z = -NormalDist().inv_cdf(alpha)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
