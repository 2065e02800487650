"""What an answer costs the people who get it, by the prices of the workload's policy: pure, nothing is read or written.

Each answer to an eval item has one outcome: `success`, `correction`, `error`, `refusal` or `nothing`. Its cost is the
people's, by the prices of the item's slice, and that of the request, by its tokens. What serves which slice because of
that belongs in `routes`; whether a candidate passes is decided by its score, and costs are told beside it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from rapidfuzz.distance import Levenshtein

from flywheel.gate.ratios import Estimate, difference, ratio, share
from flywheel.gate.scorers.checks import share_passed
from flywheel.gate.scorers.refusal import refuses
from flywheel.gate.scorers.sent import agreement, words
from flywheel.settings import Check, Endpoint, Policy, Prices

OUTCOMES = ("success", "correction", "error", "refusal", "nothing")
BY_HAND = "by hand"
SCHEMA = {
    "item": pl.String,
    "user": pl.String,
    "slice": pl.String,
    "outcome": pl.String,
    "words": pl.Int64,
    "people": pl.Float64,
    "request": pl.Float64,
    "cost": pl.Float64,
    "success": pl.Boolean,
}


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One model over some items: n is `items` of `users`; `holes` have no answer, or one whose price nobody knows."""

    items: int
    users: int
    holes: int
    success: Estimate
    per_answer: Estimate
    per_success: Estimate
    request: float | None
    outcomes: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        estimates = {name: getattr(self, name)._asdict() for name in ("success", "per_answer", "per_success")}
        return asdict(self) | estimates


def outcomes(
    items: pl.DataFrame,
    answers: pl.DataFrame,
    *,
    checks: Sequence[Check],
    policy: Policy,
    endpoint: Endpoint | None = None,
) -> pl.DataFrame:
    """One row an item, in the order of their ids; nulls where there is no answer, or no count of tokens to price.

    `endpoint` prices requests; a model of our own has none.
    """
    told = {row["item"]: row for row in answers.iter_rows(named=True)}
    rows = []
    for item in items.sort("item").iter_rows(named=True):
        row = {key: item[key] for key in ("item", "user", "slice")}
        if (answer := told.get(item["item"])) is not None:
            row |= _outcome(item, answer["text"], checks, policy.success, prices(policy, item["slice"]))
            row["request"] = _request(answer, endpoint) if endpoint else 0.0
            row["cost"] = None if row["request"] is None else row["people"] + row["request"]
        rows.append(row)
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def by_hand(items: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """The same items done without any model: "no AI"."""
    price = {name: prices(policy, name).by_hand for name in items["slice"].unique()}
    cost = pl.col("slice").replace_strict(price, return_dtype=pl.Float64)
    done = items.sort("item").select("item", "user", "slice", outcome=pl.lit(BY_HAND), words=None, people=cost)
    return done.with_columns(request=pl.lit(0.0), cost=pl.col("people"), success=True).cast(dict(SCHEMA))  # pyright: ignore[reportArgumentType]


def prices(policy: Policy, name: str) -> Prices:
    """Of a slice: what it names itself, the rest as everywhere."""
    own = policy.slices.get(name)
    return policy.prices.model_copy(update=own.model_dump(exclude_unset=True)) if own else policy.prices


def cost(found: pl.DataFrame) -> Cost:
    """These outcomes together."""
    known = found.filter(pl.col("cost").is_not_null())
    spent, right, users = _arrays(known)
    counted = Counter(known["outcome"])
    return Cost(
        items=len(known),
        users=known["user"].n_unique(),
        holes=len(found) - len(known),
        success=share(right, users),
        per_answer=ratio(spent, np.ones(len(known)), users),
        per_success=ratio(spent, right, users),
        request=known["request"].mean(),  # pyright: ignore[reportArgumentType]
        outcomes={name: counted[name] for name in (*OUTCOMES, BY_HAND) if counted[name] or name != BY_HAND},
    )


def by_slice(found: pl.DataFrame) -> dict[str, Cost]:
    """Slice by slice, each by its own prices."""
    return {str(name): cost(part) for (name,), part in sorted(found.group_by("slice"))}


def saving(candidate: pl.DataFrame, champion: pl.DataFrame) -> dict[str, Estimate]:
    """What the champion costs more than the candidate, over the items that both answered."""
    both = candidate.join(champion, on=["item", "user", "slice"], suffix="_champion")
    both = both.filter(pl.col("cost").is_not_null(), pl.col("cost_champion").is_not_null())
    spent, right, users = _arrays(both)
    spent_before, right_before, _ = _arrays(both, "_champion")
    ones = np.ones(len(both))
    return {
        "per_answer": difference((spent_before, ones), (spent, ones), users),
        "per_success": difference((spent_before, right_before), (spent, right), users),
    }


def priced(items: pl.DataFrame, candidate: pl.DataFrame, champion: pl.DataFrame, policy: Policy) -> dict[str, Any]:
    """Candidate, champion and no AI side by side, over all and slice by slice: the verdict's `costs`, as JSON."""
    sides = {"candidate": candidate, "champion": champion, "none": by_hand(items, policy)}
    slices = {side: by_slice(found) for side, found in sides.items()}
    return {
        **{side: cost(found).as_json() for side, found in sides.items()},
        "saving": {name: found._asdict() for name, found in saving(candidate, champion).items()},
        "slices": {
            name: {side: slices[side][name].as_json() for side in sides} for name in sorted(items["slice"].unique())
        },
    }


def _outcome(
    item: Mapping[str, Any],
    text: str,
    checks: Sequence[Check],
    enough: float,
    price: Prices,
) -> dict[str, Any]:
    """What becomes of one answer. Nobody corrects at more than it takes to do the work by hand."""
    if not text.strip():
        return {"outcome": "nothing", "words": None, "people": price.by_hand + price.nothing, "success": False}
    changed = Levenshtein.distance(words(text), words(item["reference"]))
    effort = min(changed * price.word, price.by_hand)
    kept, passed = agreement(text, item["reference"]) >= enough, share_passed(text, item["prompt"], checks) == 1.0
    if kept and passed:
        outcome, people = "success", effort
    elif not kept and refuses(text):  # a refusal that people sent as it was, was right
        outcome, people = "refusal", price.by_hand + price.refusal
    elif not passed:  # nobody knows whether it would be noticed: the dearer of both
        outcome, people = "error", max(price.error, effort)
    else:
        outcome, people = "correction", effort
    return {"outcome": outcome, "words": changed, "people": people, "success": outcome == "success"}


def _request(answer: Mapping[str, Any], endpoint: Endpoint) -> float | None:
    """By the tokens of a request, at prices of a million; unknown where a priced side was not counted."""
    sides = ((endpoint.price_in, answer["tokens_in"]), (endpoint.price_out, answer["tokens_out"]))
    if any(price and tokens is None for price, tokens in sides):
        return None
    return sum(price * (tokens or 0) for price, tokens in sides) / 1e6


def _arrays(known: pl.DataFrame, suffix: str = "") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    spent, right = known[f"cost{suffix}"].to_numpy(), known[f"success{suffix}"].cast(pl.Float64).to_numpy()
    return spent, right, known["user"].to_numpy()
