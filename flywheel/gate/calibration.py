"""How far a judge may be believed: what it says of pairs of answers that people have chosen between.

Sensitivity: where people preferred a, how often the judge does; specificity: the same for b; a tie counts half. What is
left of a true difference in what the judge reports is sensitivity + specificity - 1, its discernment. A judge with too
little of it may report but not decide. A pure reading of labels and scores; asking belongs in `flywheel.gate.scoring`.
"""

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
from pydantic import Field, ValidationError

from flywheel.errors import BadInput
from flywheel.gate.scorers.judge import DISAGREE
from flywheel.settings import Frozen

MIN_LABELS = 100
"""Of each class: with fewer the interval of a share may be wider than 20 points."""
MIN_DISCERNMENT = 0.5
"""Below it a judge shows less than half of a true difference, and its own errors outweigh what it shows."""
MAX_HOLES = 0.05
"""As in a verdict: with more unreadable replies, those left may be the easy ones."""
Z = 1.959964
ITEM = {name: pl.String for name in ("item", "user", "slice", "prompt", "a", "b", "preferred")}


class Label(Frozen):
    """A line of the labels' file."""

    prompt: Annotated[str, Field(min_length=1)] | list[dict[Literal["role", "content"], str]]
    """The request, or the messages before the answers."""
    a: str
    b: str
    preferred: Literal["a", "b"]
    user: str = ""
    """Whose request it was: labels of one person are not independent."""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A share with its n and its 95 % interval."""

    share: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.share:.2f} ({self.low:.2f} to {self.high:.2f}, n = {self.n})"


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What is known of a judge."""

    sensitivity: Rate
    specificity: Rate
    consistency: Rate
    """How often both orders gave the same answer."""
    holes: int

    @property
    def discernment(self) -> float:
        """0 for a coin, 1 for a judge that always says what people say, below 0 for one that says the contrary."""
        return self.sensitivity.share + self.specificity.share - 1

    def corrected(self, mean: float, error: float, *, z: float = Z) -> tuple[float, float, float]:
        """Rogan and Gladen: the share of items on which people would prefer the candidate, with its interval.

        `mean` and `error` are the judge's mean score and its standard error; the interval holds the judge's own errors,
        as the labels show them. Nothing is cut off at 0 and 1: what lies outside says that the judge or the labels are
        not what they seem.
        """
        if self.discernment <= 0:
            return math.nan, -math.inf, math.inf
        seen, fault = (1 + mean) / 2, 1 - self.specificity.share
        share = (seen - fault) / self.discernment
        parts = (error / 2, share * _error(self.sensitivity), (1 - share) * _error(self.specificity))
        reach = z * math.hypot(*parts) / self.discernment
        return share, share - reach, share + reach


def labels(path: Path) -> pl.DataFrame:
    """People's choices as items: `item, user, slice, prompt, a, b, preferred`; a line given twice counts once."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput("a judge's labels cannot be read", seen=f"{path} ({error})", do="mend `labels`") from None
    found = [_item(line, f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    return pl.DataFrame(found, schema=ITEM).unique("item", keep="first").sort("item")


def calibrate(chosen: pl.DataFrame, scores: pl.DataFrame) -> Calibration:
    """`scores` are the judge's, in [-1, 1], of answer a against answer b of each label."""
    told = chosen.join(scores.select("item", "score", "why"), on="item", how="left")
    read = told.filter(pl.col("score").is_not_null()).with_columns(a_wins=(1 + pl.col("score")) / 2)
    of_a, of_b = (read.filter(preferred=side) for side in "ab")
    same = read.with_columns(same=(pl.col("why").fill_null("") != DISAGREE).cast(pl.Float64))
    return Calibration(
        sensitivity=rate(of_a["a_wins"], of_a["user"]),
        specificity=rate(1 - of_b["a_wins"], of_b["user"]),
        consistency=rate(same["same"], same["user"]),
        holes=len(told) - len(read),
    )


def too_weak(found: Calibration | None) -> str:
    """Why this judge may report but not decide; empty when it may."""
    if found is None:
        return "nobody has calibrated this judge: it reports and does not decide; name a file of labels to change that"
    fewest = min(found.sensitivity.n, found.specificity.n)
    everything = found.sensitivity.n + found.specificity.n + found.holes
    known = f"sensitivity {found.sensitivity}, specificity {found.specificity}"
    if found.holes > MAX_HOLES * everything:
        return f"the judge may not decide: {found.holes} of its {everything} replies to labels cannot be read"
    if fewest < MIN_LABELS:
        return f"the judge may not decide: {fewest} labels of one class, {MIN_LABELS} of each are needed; {known}"
    if not found.discernment >= MIN_DISCERNMENT:
        return (
            f"the judge may not decide: it keeps {found.discernment:.2f} of a true difference, at least"
            f" {MIN_DISCERNMENT:g} is needed; {known}"
        )
    return ""


def rate(values: pl.Series, users: pl.Series) -> Rate:
    """The mean of values in [0, 1] with Wilson's interval, as of so many fewer labels as users repeat themselves.

    Halves vary less than a yes and a no of the same mean, so the interval is rather too wide.
    """
    n = len(values)
    if n == 0:
        return Rate(share=math.nan, low=0.0, high=1.0, n=0)
    share, worth = float(values.mean()), n / _repetition(values.to_numpy(), users)  # pyright: ignore[reportArgumentType]
    middle = (share + Z * Z / (2 * worth)) / (1 + Z * Z / worth)
    half = Z * math.sqrt(share * (1 - share) / worth + Z * Z / (4 * worth * worth)) / (1 + Z * Z / worth)
    return Rate(share=share, low=max(0.0, middle - half), high=min(1.0, middle + half), n=n)


def _repetition(values: np.ndarray, users: pl.Series) -> float:
    """How many labels weigh as much as one independent label: the variance by users over that of single labels."""
    off = values - values.mean()
    if not (off**2).sum() or users.n_unique() < 2:
        return 1.0
    by_user = np.bincount(users.rank("dense").to_numpy() - 1, weights=off)
    return max(1.0, float((by_user**2).sum() / (off**2).sum()))


def _error(known: Rate) -> float:
    """The standard error that the interval stands for."""
    return (known.high - known.low) / (2 * Z)


def _item(line: str, where: str) -> dict[str, Any]:
    try:
        label = Label.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "line"
        allowed = '{"prompt", "a", "b", "preferred": "a" or "b", "user"}'
        raise BadInput(f"{where} is no label ({field}: {first['msg']})", allowed=allowed, do="mend that line") from None
    talk = [{"role": "user", "content": label.prompt}] if isinstance(label.prompt, str) else label.prompt
    prompt = json.dumps(talk)
    name = hashlib.sha256(json.dumps([prompt, label.a, label.b, label.preferred, label.user]).encode()).hexdigest()[:16]
    told = {"prompt": prompt, "a": label.a, "b": label.b, "preferred": label.preferred}
    # Without a user each label stands for itself.
    return {"item": name, "user": label.user or name, "slice": "labels", **told}
