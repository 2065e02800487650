"""What a page tells of: a verdict and what it was made from; and numbers in words. How it looks belongs in `sections`.

`verdicts.details` comes from several hands and from older releases: what is missing there is not told, never guessed.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from flywheel.gate.ratios import ratio
from flywheel.settings import Workload

UNKNOWN = "cannot tell yet"
SAME = 1e-9
Ends = tuple[float | None, float | None, float | None]


@dataclass(frozen=True, kw_only=True)
class Told:
    """A row of `verdicts`, the gain item by item, and what both models answered; `bridge` is the row of `bridges` that
    leads to its eval set, if that is not the one before.
    """

    verdict: Mapping[str, Any]
    pairs: pl.DataFrame
    items: pl.DataFrame
    candidate: Mapping[str, str]
    champion: Mapping[str, str]
    rules: Workload
    bridge: Mapping[str, Any] | None = None

    @cached_property
    def details(self) -> dict[str, Any]:
        try:
            read = json.loads(self.verdict.get("details") or "{}")
        except ValueError:
            return {}
        return read if isinstance(read, dict) else {}

    @cached_property
    def gains(self) -> pl.DataFrame:
        """The items that both answered."""
        return self.pairs.filter(pl.col("gain").is_finite())

    @cached_property
    def counts(self) -> dict[str, int]:
        gain = self.gains["gain"]
        better, worse = int((gain > SAME).sum()), int((gain < -SAME).sum())
        return {"better": better, "same": len(gain) - better - worse, "worse": worse}

    @cached_property
    def slices(self) -> list[dict[str, Any]]:
        """As the verdict told them, else computed here: name, items, gain, low, high and perhaps `harm`."""
        given = self.details.get("slices")
        if isinstance(given, Mapping):
            given = [{"slice": name, **row} for name, row in given.items() if isinstance(row, Mapping)]
        if isinstance(given, list) and given and all(isinstance(row, dict) for row in given):
            return given
        return [self._slice(str(name), part) for (name,), part in sorted(self.gains.group_by("slice"))]

    def _slice(self, name: str, part: pl.DataFrame) -> dict[str, Any]:
        gain = part["gain"].to_numpy()
        found = ratio(gain, gain * 0 + 1, part["user"].to_numpy())
        told = {"slice": name, "items": len(part), "users": part["user"].n_unique()}
        return told | {"gain": found.value, "low": found.low, "high": found.high}


def number(value: Any, *, signed: bool = False) -> str:
    """To three digits; what is no number is `cannot tell yet`."""
    known = finite(value)
    if known is None:
        return UNKNOWN
    return f"{known:+.3f}" if signed else f"{known:.3g}"


def between(value: Any, low: Any, high: Any, *, signed: bool = False) -> str:
    """A number with its interval; without one it is only what was seen."""
    said = number(value, signed=signed)
    if finite(value) is None:
        return said
    if finite(low) is None or finite(high) is None:
        return f"{said} (no interval yet)"
    if low == high:
        return said
    return f"{said} ({number(low, signed=signed)} to {number(high, signed=signed)})"


def estimate(found: Any) -> str:
    """An estimate as JSON holds it."""
    return between(*(found.get(name) for name in ("value", "low", "high"))) if isinstance(found, Mapping) else UNKNOWN


def share(found: Any) -> str:
    """The same in percent."""
    if not isinstance(found, Mapping) or finite(found.get("value")) is None:
        return UNKNOWN
    low, high = finite(found.get("low")), finite(found.get("high"))
    said = f"{found['value']:.0%}"
    return said if low is None or high is None else f"{said} ({low:.0%} to {high:.0%})"


def ends(row: Mapping[str, Any]) -> Ends:
    """A gain with its interval."""
    return finite(row.get("gain")), finite(row.get("low")), finite(row.get("high"))


def finite(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
