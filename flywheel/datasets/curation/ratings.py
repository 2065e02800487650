"""Opinions, centred by the person who gave them: who praises everything says little by praise and much by blame.

A label made from a rating has the value +weight or -weight. From it goes how far this person's mean lies from
everybody's, the less of it the fewer their ratings are. What is left is the label's weight; a label of which nothing is
left, or less than nothing, is rejected and never turned round.
"""

import polars as pl

from flywheel.datasets.curation.ruled import Ruled, because, by_reason
from flywheel.settings import Workload

RULE = "rating_label"
STRENGTH = 5
"""Ratings of one person that count as much as the belief that they rate like everybody."""
LEAST = 0.05


def ratings(records: pl.DataFrame, rules: Workload) -> Ruled:
    rated = pl.col("rule").str.starts_with(RULE)
    sign = pl.when(pl.col("desirable")).then(1.0).otherwise(-1.0)
    of_rated = pl.when(rated).then(sign * pl.col("weight"))
    n = of_rated.count().over("user")
    offset = (of_rated.mean().over("user") - of_rated.mean()) * n / (n + STRENGTH)
    left = pl.when(rated).then(sign * (of_rated - offset)).clip(upper_bound=1.0)
    centred = records.with_columns(left=left.round(6))
    reason = because(pl.col("left") < LEAST, "says no more than what this person always says")
    changed = centred.select((pl.col("left") - pl.col("weight")).abs() > LEAST).to_series().sum()
    weighed = by_reason(centred, reason, marked=int(changed))
    kept = weighed.kept.with_columns(weight=pl.coalesce("left", "weight")).drop("left")
    return weighed._replace(kept=kept, detail=f"{changed} weighed anew" if changed else "")
