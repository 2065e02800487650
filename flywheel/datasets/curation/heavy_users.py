"""Records of users who gave more than their share: what a model learns must not be one person's taste."""

import polars as pl

from flywheel.datasets.curation.ruled import Ruled, because, by_reason, surest
from flywheel.settings import Workload


def heavy_users(records: pl.DataFrame, rules: Workload) -> Ruled:
    asked = rules.curation
    most = max(1, min(asked.user_records, int(asked.user_share * len(records))))
    among = surest(records, ["user"], pl.lit(most))
    return by_reason(records, because(~pl.lit(among), f"more than {most} of one user"))
