"""Which model serves which slice: the cheapest that surely meets the bar, else nobody ("no AI").

`table` is pure and gives what a product reads as JSON; `write` keeps it in the state folder, where a reader finds the
old table or the new one and never half of it. What answers cost belongs in `costs`; moving the alias `champion` is a
person's, and a model that was not promoted is no contender.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import polars as pl

from flywheel.gate.costs import Cost, by_hand, by_slice, cost
from flywheel.settings import Policy

MAX_HOLES = 0.05
"""Who left more of a slice unanswered may have answered its easy items only."""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A model that may serve: a fingerprint, or an endpoint's name, and the outcomes of its answers."""

    model: str
    kind: Literal["own", "endpoint"]
    outcomes: pl.DataFrame


def table(
    items: pl.DataFrame, contenders: Sequence[Contender], *, policy: Policy, workload: str, made: datetime
) -> dict[str, Any]:
    """One route for each slice of one eval set, and the route for all of it, for slices that it does not know."""
    costs = {each.model: by_slice(each.outcomes) for each in contenders}
    nobody = by_slice(by_hand(items, policy))
    return {
        "workload": workload,
        "eval_set": items["eval_set"].unique().item(),
        "made": made.isoformat(),
        "bar": policy.bar,
        "slices": {
            name: _route([(each, costs[each.model].get(name)) for each in contenders], nobody[name], policy.bar)
            for name in sorted(nobody)
        },
        "default": _route(
            [(each, cost(each.outcomes)) for each in contenders], cost(by_hand(items, policy)), policy.bar
        ),
    }


def path(home: Path, workload: str) -> Path:
    """Where a product finds the routes of a workload."""
    return home / "routes" / f"{workload}.json"


def write(home: Path, routes: Mapping[str, Any]) -> Path:
    """Put the table in place at once; one that says the same as before stays as it is, with its time."""
    out = path(home, routes["workload"])
    if out.exists() and _said(json.loads(out.read_text())) == _said(routes):
        return out
    out.parent.mkdir(parents=True, exist_ok=True)
    half = out.with_suffix(f".{os.getpid()}.half")
    half.write_text(json.dumps(routes, indent=2) + "\n")
    half.replace(out)
    return out


def _said(routes: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in routes.items() if key != "made"}


def _route(contenders: Sequence[tuple[Contender, Cost | None]], nobody: Cost, bar: float) -> dict[str, Any]:
    """The cheapest of those that meet the bar; between equals the one named first."""
    met = [(each, found) for each, found in contenders if found is not None and meets(found, bar)]
    best = min(met, key=_price, default=None)
    if best is None:
        return _nobody(nobody, f"no model is surely successful in {bar:.0%} of its answers")
    model, found = best
    if _price(best) >= _per_success(nobody):
        return _nobody(nobody, f"{model.model} costs {_price(best):.3g} a success, by hand it is cheaper")
    return {
        "model": model.model,
        "kind": model.kind,
        "cost": found.per_success.value,
        "success": found.success.value,
        "n": found.items,
        "interval": [found.success.low, found.success.high],
        "why": f"the cheapest of {len(met)} that are surely successful in {bar:.0%} of their answers",
    }


def meets(found: Cost, bar: float) -> bool:
    """Surely: by the lower bound of its share of successes, over nearly all items of the slice."""
    low = found.success.low
    return low is not None and low >= bar and found.holes <= MAX_HOLES * (found.items + found.holes)


def _price(contender: tuple[Contender, Cost]) -> float:
    return _per_success(contender[1])


def _per_success(found: Cost) -> float:
    value = found.per_success.value
    return float("inf") if value is None else value


def _nobody(found: Cost, why: str) -> dict[str, Any]:
    """Every work done by hand is a success, by definition: there is nothing to be sure of."""
    told = {"model": None, "kind": "none", "cost": found.per_success.value, "success": None}
    return told | {"n": found.items, "interval": None, "why": why}
