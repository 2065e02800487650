"""The same question and the same two answers, preferred in opposite ways: by distinct people, not by how often one says
it.

What more people prefer stays, the rest is rejected; where as many say the one as the other, both go. The same holds for
one answer that some people call good and others bad.
"""

import polars as pl

from flywheel.datasets.curation.ruled import Ruled, because, by_reason
from flywheel.settings import Workload

KEY = ["asks", "one", "other"]


def conflicts(records: pl.DataFrame, rules: Workload) -> Ruled:
    votes = records.select(
        "user",
        asks=pl.col("prompt").hash(),
        one=pl.min_horizontal(pl.col("chosen").hash(), pl.col("rejected").hash()),
        other=pl.max_horizontal(pl.col("chosen").hash(), pl.col("rejected").hash()),
        way=pl.coalesce(pl.col("chosen") < pl.col("rejected"), "desirable", pl.lit(True)),
    ).with_row_index("place")
    both = pl.col("way").any().over(KEY) & ~pl.col("way").all().over(KEY)
    people = votes.filter(both).with_columns(
        mine=pl.col("user").n_unique().over(*KEY, "way"),
        ways=pl.struct("way", "user").n_unique().over(KEY),
    )
    told = votes.join(people.select("place", "mine", "ways"), on="place", how="left", maintain_order="left")
    lost = pl.col("mine") * 2 <= pl.col("ways") if rules.curation.conflicts == "majority" else pl.col("mine") >= 0
    reason = because(lost, pl.col("ways") - pl.col("mine"), " of ", pl.col("ways"), " people say the opposite")
    seen = len(people.select(KEY).unique())
    detail = f"{seen} questions on which people disagree" if seen else ""
    return by_reason(records, pl.lit(told.select(reason).to_series()), detail=detail)
