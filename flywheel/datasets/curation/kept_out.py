"""What may not be trained on, whatever it says: six promises that no setting switches off."""

from collections.abc import Sequence

import polars as pl

from flywheel.datasets.contamination import contaminated
from flywheel.datasets.curation.ruled import Ruled, because, by_reason
from flywheel.settings import Workload


def barred(records: pl.DataFrame, rules: Workload) -> Ruled:
    """`may_train = false` and excluded tenants (`barred` says so), and excluded users."""
    users = pl.col("user").is_in(list(rules.curation.excluded_users))
    reasons = because(pl.col("barred"), "an event of it must not be trained on"), because(users, "an excluded user")
    return by_reason(records, pl.coalesce(reasons))


def refused(records: pl.DataFrame, rules: Workload) -> Ruled:
    """What a person said no to in a review."""
    return by_reason(records, because(pl.col("refused"), "a person said no to it"))


def trajectories(records: pl.DataFrame, rules: Workload) -> Ruled:
    """Pairs of whole runs: what a tool answered would count as what the model said."""
    runs = pl.col("trajectory") & (pl.col("kind") == "pair")
    return by_reason(records, because(runs, "a pair of runs: preferences are learned of single answers"))


def held_out(records: pl.DataFrame, rules: Workload) -> Ruled:
    """Users who are only ever measured on."""
    return by_reason(records, because(pl.col("split") == "eval", "a held-out user"))


def two_sides(records: pl.DataFrame, rules: Workload) -> Ruled:
    """Records that share a conversation or nearly a request with another side (`splits`)."""
    return by_reason(records, pl.col("two_sides"))


def knows_eval(records: pl.DataFrame, rules: Workload, *, items: pl.DataFrame, forms: Sequence[str]) -> Ruled:
    """Prompts that one of the eval items asks too, or nearly; of a run all that was asked while it went on."""
    run = pl.concat_str(pl.col("prompt").str.strip_suffix("]"), pl.lit(","), pl.col("chosen").str.strip_prefix("["))
    asked = records.select(pl.when("trajectory").then(run).otherwise("prompt")).to_series()
    return by_reason(records, pl.lit(contaminated(asked, items, forms)))
