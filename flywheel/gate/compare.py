"""Two models on the same items: the paired gain, and how sure we are of it.

Items of one user are not independent, so the error is that of users, not of items (the cluster-robust sandwich) and its
reach is Student's t with one degree of freedom less than there are users, farther on the side where users are skewed:
small gains for most and rare great losses are no gain. A control, such as the difference in length,
is taken out by a least-squares line: what remains is the gain where the control is zero. The numbers belong here; what
follows from them belongs in `decide`.
"""

from dataclasses import dataclass
from math import inf, isfinite, sqrt
from typing import NamedTuple

import numpy as np
import polars as pl

SLICE_ALPHA = 0.05
POWER = 0.8
# Slices with fewer items than this are named and no number of them is told: it would be noise.
SHOWN_ITEMS = 30


class Estimate(NamedTuple):
    """The gain where the control is zero, its standard error, and by how much the control moves it."""

    gain: float
    error: float
    low: float
    high: float
    slope: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Candidate minus champion over the items that both answered; the interval holds with probability `level`.

    `raw` is the plain mean of the gains, which `gain` equals without a control.
    """

    gain: float
    error: float
    low: float
    high: float
    level: float
    items: int
    users: int
    candidate_score: float
    champion_score: float
    raw: float
    slope: float

    def items_needed(self, gain: float) -> int | None:
        """About how many items, of as many users each, until a true gain of this size is seen 4 times out of 5."""
        from scipy.special import ndtri

        reach = -ndtri((1 - self.level) / 2) + ndtri(POWER)
        if not 0 < self.error < inf or not 0 < gain < inf or reach * self.error > 1e6 * gain:
            return None  # no such number, or none that anybody could collect
        return round(self.items * (reach * self.error / gain) ** 2) + 1


def compare(pairs: pl.DataFrame, *, alpha: float) -> Comparison | None:
    """The gain over items, each side of its interval wrong with chance `alpha`; None without a single pair."""
    answered = pairs.filter(pl.col("gain").is_not_null()).sort("user", "item")
    if answered.is_empty():
        return None
    users = answered["user"].rank("dense").to_numpy() - 1
    gains = answered["gain"].to_numpy()
    control = answered["control"].to_numpy() if "control" in answered.columns else None
    found = estimate(gains, users, alpha=alpha, control=control)
    return Comparison(
        **found._asdict(),
        level=1 - 2 * alpha,
        items=len(answered),
        users=int(users.max()) + 1,
        candidate_score=float(answered["score"].to_numpy().mean()),
        champion_score=float(answered["score_champion"].to_numpy().mean()),
        raw=float(gains.mean()),
    )


def estimate(gains: np.ndarray, users: np.ndarray, *, alpha: float, control: np.ndarray | None = None) -> Estimate:
    """The gain and its interval from one number an item; `users` says whose it is, counted from zero."""
    gain, slope, pull = _line(gains, control)
    by_user = np.bincount(users, weights=pull)
    many, square = len(by_user), float(np.mean(by_user**2))
    if many < 2 or not isfinite(square):  # one user says nothing of others
        return Estimate(gain, inf, -inf, inf, slope)
    error = many * sqrt(square / (many - 1))
    skew = float(np.mean((by_user / sqrt(square)) ** 3)) if square > 0 else 0.0
    below, above = (float(reach) for reach in _reaches(alpha, np.array(many), np.array(skew)))
    return Estimate(gain, error, gain - below * error, gain + above * error, slope)


def _reaches(alpha: float, users: np.ndarray, skew: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many errors below and above the gain its bounds lie: Student's t, and where the mean of so many users is
    skewed, farther on that side (Hall's transformation, 1992), never nearer on the other.
    """
    reach = _student(alpha, np.maximum(users - 1, 1))

    def farther(lean: np.ndarray) -> np.ndarray:
        lean = np.where(np.abs(lean) < 1e-9, 1e-9, lean)
        return np.maximum(reach, 3 / lean * (np.cbrt(1 + lean * (reach - lean / 6)) - 1))

    return farther(skew / np.sqrt(users)), farther(-skew / np.sqrt(users))


def _line(gains: np.ndarray, control: np.ndarray | None) -> tuple[float, float, np.ndarray]:
    """Intercept and slope of the gains on the control, and how far each item pulls the intercept."""
    mean = float(gains.mean())
    if control is None or not control.any():
        return mean, 0.0, (gains - mean) / len(gains)
    middle = float(control.mean())
    off = control - middle
    spread = float(np.sum(off**2))
    if spread <= 1e-12 * len(gains):  # one value other than zero everywhere: the gain cannot be told from its work
        return mean, 0.0, np.full(len(gains), inf)
    slope = float(np.sum(off * gains)) / spread
    gain = mean - slope * middle
    return gain, slope, (1 / len(gains) - middle * off / spread) * (gains - gain - slope * control)


def by_slice(pairs: pl.DataFrame, *, tested_from: int, slope: float = 0.0) -> pl.DataFrame:
    """Gains slice by slice at 95 %, the control taken out by the line of all items.

    `harm` is the Holm-adjusted chance of a loss as large as this in a slice that lost nothing: of the slices with
    `tested_from` items or more, null for others. Slices with fewer than 30 items have no numbers.
    """
    answered = pairs.filter(pl.col("gain").is_not_null())
    if "control" in answered.columns:
        answered = answered.with_columns(gain=pl.col("gain") - slope * pl.col("control"))
    users = answered.group_by("slice", "user").agg(
        pl.col("gain", "score", "score_champion").sort_by("item").sum(), items=pl.len()
    )
    mean = pl.col("gain").sum().over("slice") / pl.col("items").sum().over("slice")
    off = pl.col("gain") - mean * pl.col("items")
    told = users.sort("slice", "user").with_columns(square=off**2, cube=off**3).group_by("slice", maintain_order=True)
    sums = told.agg(pl.col("gain", "score", "score_champion", "square", "cube", "items").sum(), users=pl.len())
    return _numbered(sums.with_columns(pl.col("gain", "score", "score_champion") / pl.col("items")), tested_from)


def _numbered(means: pl.DataFrame, tested_from: int) -> pl.DataFrame:
    """Intervals and evidence of harm beside the mean gain of each slice."""
    from scipy.special import stdtr

    columns = ("gain", "items", "users", "square", "cube")
    gain, items, users, square, cube = (means[name].to_numpy().astype(float) for name in columns)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.where(users > 1, np.sqrt(users / (users - 1) * square) / items, inf)
        skew = np.where(square > 0, np.sqrt(users) * cube / square**1.5, 0.0)
        below, above = (np.where(users > 1, reach * error, inf) for reach in _reaches(SLICE_ALPHA / 2, users, skew))
        chance = np.where(error > 0, stdtr(np.maximum(users - 1, 1), gain / error), np.where(gain < 0, 0.0, 1.0))
    tested = items >= tested_from
    harm = np.full(len(items), np.nan)
    harm[tested] = holm(np.where(users > 1, chance, 1.0)[tested])
    numbers = {"gain": gain, "low": gain - below, "high": gain + above, "level": np.full(len(items), 1 - SLICE_ALPHA)}
    shown = pl.when(pl.col("items") >= SHOWN_ITEMS)
    return means.select(
        "slice",
        pl.col("items", "users").cast(pl.Int64),
        *(shown.then(pl.Series(name, values, dtype=pl.Float64)).alias(name) for name, values in numbers.items()),
        shown.then("score").alias("candidate_score"),
        shown.then("score_champion").alias("champion_score"),
        pl.Series("harm", harm, dtype=pl.Float64).fill_nan(None),
    )


def holm(chances: np.ndarray) -> np.ndarray:
    """Adjusted so that all of them together are wrong as rarely as one alone would be."""
    order = np.argsort(chances, kind="stable")
    stepped = np.maximum.accumulate(chances[order] * np.arange(len(chances), 0, -1))
    adjusted = np.empty(len(chances))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def length_control(candidate: pl.Series, champion: pl.Series) -> pl.Series:
    """How much longer each answer is, in words: tanh of the difference in standard deviations; 0 is as long."""
    longer = (_words(candidate) - _words(champion)).cast(pl.Float64)
    spread = longer.std()
    return (longer / spread).tanh() if isinstance(spread, float) and spread > 0 else longer


def _words(texts: pl.Series) -> pl.Series:
    return texts.str.count_matches(r"\S+").cast(pl.Int64)


def _student(alpha: float, freedom: float | np.ndarray) -> np.ndarray:
    """What Student's t exceeds with chance alpha."""
    from scipy.special import stdtrit  # cheap beside scipy.stats, and exact at any tail

    return -stdtrit(freedom, alpha)
