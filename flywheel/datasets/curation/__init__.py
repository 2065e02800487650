"""Records -> the ones that one would train on: a pipeline of named rules and a funnel that says what became of the
rest.

A rule is a pure function of (records, the workload's settings) in a module of its own. Their order is part of the
meaning: what may not be used at all, then what a row says by itself, then what needs other rows, and the balance of the
whole last. Where records come from and where the funnel is kept belongs to `dataset`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import polars as pl

from flywheel.datasets.asked import asked
from flywheel.datasets.curation.confidence import confidence
from flywheel.datasets.curation.conflicts import conflicts
from flywheel.datasets.curation.empty import empty
from flywheel.datasets.curation.heavy_users import heavy_users
from flywheel.datasets.curation.kept_out import barred, held_out, knows_eval, refused, trajectories, two_sides
from flywheel.datasets.curation.language import language
from flywheel.datasets.curation.length_bias import length_bias
from flywheel.datasets.curation.near_duplicates import near_duplicates
from flywheel.datasets.curation.near_identical import near_identical
from flywheel.datasets.curation.ratings import ratings
from flywheel.datasets.curation.ruled import Ruled
from flywheel.datasets.curation.special_tokens import special_tokens
from flywheel.datasets.curation.too_long import too_long
from flywheel.settings import Workload

__all__ = ["Curated", "Ruled", "curate"]

Apply = Callable[[pl.DataFrame, Workload], Ruled]


STEPS = {
    "kind": pl.String,
    "place": pl.Int64,
    "rule": pl.String,
    "records_in": pl.Int64,
    "records_out": pl.Int64,
    "rejected": pl.Int64,
    "marked": pl.Int64,
    "detail": pl.String,
}
GONE = {"record": pl.String, "kind": pl.String, "rule": pl.String, "reason": pl.String}


class Curated(NamedTuple):
    """The records to train on, those that are not, and the funnel between."""

    kept: pl.DataFrame
    rejected: pl.DataFrame
    """Which record of which kind, by which rule, and why."""
    funnel: pl.DataFrame
    """A row for each kind and rule, in order."""


def curate(records: pl.DataFrame, items: pl.DataFrame, rules: Workload, *, forms: Sequence[str] = ()) -> Curated:
    """Put the records of each kind through every rule that is not switched off.

    They need `record`, `kind` (pair, demonstration, label), `user`, `split`, `barred`, `refused`, `two_sides`,
    `trajectory`, `prompt`, `chosen`, `rejected`, `desirable`, `weight`, `confidence` and `rule`; `items` are all eval
    items, `forms` the product's. The order of rows changes nothing.
    """
    records = records.sort("kind", "record")
    applied = _rules(items, rules, forms)
    parts = [_curated(part, applied, rules) for part in records.partition_by("kind", maintain_order=True)]
    return Curated(
        pl.concat([records.clear(), *(part.kept for part in parts)]),
        pl.concat([pl.DataFrame(schema=GONE), *(part.rejected for part in parts)]),
        pl.concat([pl.DataFrame(schema=STEPS), *(part.funnel for part in parts)]),
    )


def _curated(records: pl.DataFrame, applied: Mapping[str, Apply], rules: Workload) -> Curated:
    """The records of one kind."""
    kind, left = records["kind"][0], records.with_columns(asked=asked(records["prompt"]))
    gone, steps = [], []
    for place, (name, apply) in enumerate(applied.items(), 1):
        kept, rejected, marked, detail = apply(left, rules)
        steps.append((kind, place, name, len(left), len(kept), len(rejected), marked, detail))
        gone.append(rejected.select("record", "kind", pl.lit(name).alias("rule"), "reason"))
        left = kept
    return Curated(left.select(records.columns), pl.concat(gone), pl.DataFrame(steps, schema=STEPS, orient="row"))


def _rules(items: pl.DataFrame, rules: Workload, forms: Sequence[str]) -> dict[str, Apply]:
    """The six promises, and the rules that are on, in their order."""
    promises: dict[str, Apply] = {
        "barred": barred,
        "refused": refused,
        "trajectories": trajectories,
        "held_out": held_out,
        "two_sides": two_sides,
        "contaminated": partial(knows_eval, items=items, forms=forms),
    }
    optional: dict[str, Apply] = {
        "empty": empty,
        "special_tokens": special_tokens,
        "too_long": too_long,
        "near_identical": near_identical,
        "language": language,
        "confidence": confidence,
        "ratings": ratings,
        "conflicts": conflicts,
        "near_duplicates": partial(near_duplicates, forms=forms),
        "heavy_users": heavy_users,
        "length_bias": length_bias,
    }
    return promises | {name: rule for name, rule in optional.items() if name not in rules.curation.off}
