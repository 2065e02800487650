"""Prompts that are near-duplicates of each other: a few records are enough, the surest."""

from collections.abc import Sequence

import polars as pl

from flywheel.datasets.curation.ruled import Ruled, because, by_reason, surest
from flywheel.datasets.near import clusters
from flywheel.settings import Workload


def near_duplicates(records: pl.DataFrame, rules: Workload, *, forms: Sequence[str]) -> Ruled:
    most = rules.curation.prompts_alike
    told = records.with_columns(cluster=clusters(records["asked"], forms))
    among = surest(told, ["cluster"], pl.lit(most))
    together = told["cluster"].n_unique()
    detail = f"{together} prompts that differ, of {len(told)}" if together < len(told) else ""
    reason = because(~pl.lit(among), f"more than {most} from prompts like this one")
    return by_reason(records, reason, detail=detail)
