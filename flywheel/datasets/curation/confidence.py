"""Records whose signal is too unsure. The confidence is the audited one where people judged that signal."""

import polars as pl

from flywheel.datasets.curation.ruled import Ruled, because, by_reason
from flywheel.settings import Workload


def confidence(records: pl.DataFrame, rules: Workload) -> Ruled:
    least = rules.curation.confidence
    unsure = pl.col("confidence") < least
    return by_reason(records, because(unsure, "confidence ", pl.col("confidence").round(3), f", less than {least}"))
