"""What stands against what: two models, a scorer's words on both, and the pairs of scores that may be compared.

Why scores may not be set against each other is found here, in words; what the pairs say belongs in `compare`.
"""

from dataclasses import dataclass

import polars as pl
import xxhash

from flywheel.errors import BrokenInvariant
from flywheel.gate.decide import too_many
from flywheel.settings import Gate


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Who stands against whom: models are named by fingerprint."""

    workload: str
    cycle: int
    dataset: str
    candidate: str
    champion: str


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What one scorer said of both models, a row an item: `item, user, slice, score, why`; null is a hole.

    `control` may stand beside the candidate's scores: what is taken out of the gain. `doubts` are sentences on why the
    scorer may only report.
    """

    candidate: pl.DataFrame
    champion: pl.DataFrame
    doubts: tuple[str, ...] = ()

    @classmethod
    def of_judge(cls, sides: pl.DataFrame) -> "Scored":
        """A judge's scores are the candidate's side, from -1 to 1: the champion stands at zero."""
        zero = pl.when(pl.col("score").is_not_null()).then(0.0)
        return cls(candidate=sides, champion=sides.with_columns(score=zero))


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """What is compared: pairs of scores that both models have, and why it may not be."""

    pairs: pl.DataFrame
    asked: int
    holes: int
    broken: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def comparable(self) -> bool:
        return not self.broken and not too_many(self.holes, of=self.asked) and len(self.pairs) > 0


def pair(asked: pl.DataFrame, scored: Scored, gate: Gate) -> Pairing:
    """The pairs of scores over the items that were asked, at most so many of a user."""
    if broken := unfit(asked, scored.candidate, scored.champion):
        nothing = paired(asked.clear(), scored.candidate, scored.champion)
        return Pairing(pairs=nothing, asked=len(asked), holes=0, broken=tuple(broken), notes=())
    pairs = paired(asked, scored.candidate, scored.champion)
    chosen, note = drawn(pairs, gate.max_items_of_user)
    notes, holes = (note,) if note else (), int(pairs["gain"].null_count())
    return Pairing(pairs=chosen, asked=len(pairs), holes=holes, broken=(), notes=notes)


def of_role(items: pl.DataFrame, role: str, workload: str) -> tuple[pl.DataFrame, str]:
    """The items of this role, and the one eval set that they are; different ones are never set against each other."""
    found = items.filter(pl.col("role") == role)
    sets = found.select("workload", "eval_set").unique().rows()
    if len(sets) != 1 or sets[0][0] != workload:
        raise BrokenInvariant(
            "a verdict needs the items of one eval set of its own workload",
            seen=sorted(sets),
            allowed=f"one eval set of {workload}",
            do="pass the rows of `eval_items` of that workload and eval set only",
        )
    return found, sets[0][1]


def unfit(items: pl.DataFrame, candidate: pl.DataFrame, champion: pl.DataFrame) -> list[str]:
    """Why these scores cannot be set against each other: doubled, foreign or impossible rows. Empty when they can."""
    found = [f"{count} eval items are there more than once" for count in [_doubled(items)] if count]
    asked = items.select("item", "user", "slice")
    for side, scores in (("candidate", candidate), ("champion", champion)):
        if count := _doubled(scores):
            found.append(f"{count} items have more than one score of the {side}: an item counts once")
        if count := len(scores.join(asked, on=["item", "user", "slice"], how="anti")):
            found.append(f"{count} scores of the {side} are of other items, users or slices than the eval set's")
        if count := int(scores["score"].is_finite().not_().sum()):
            found.append(f"{count} scores of the {side} are no finite numbers: mend the scorer")
    return found


def paired(items: pl.DataFrame, candidate: pl.DataFrame, champion: pl.DataFrame) -> pl.DataFrame:
    """Both models' scores side by side, one row an item; `gain` is null where either has none.

    Scores are `item, user, slice, score` and `why`; `control` may stand beside those of the candidate.
    """
    extra = [name for name in ("control",) if name in candidate.columns]
    gain = pl.col("score") - pl.col("score_champion")
    if extra:
        gain = pl.when(pl.col("control").is_finite()).then(gain)
    return (
        items.select("item", "user", "slice")
        .join(candidate.select("item", "score", *extra), on="item", how="left")
        .join(champion.select("item", score_champion="score"), on="item", how="left")
        .with_columns(gain=gain)
        .sort("item")
    )


def drawn(pairs: pl.DataFrame, most: int) -> tuple[pl.DataFrame, str]:
    """At most so many answered items of a user, drawn by the items' hashes, and a sentence if any were left out."""
    answered = pairs.filter(pl.col("gain").is_not_null())
    crowded = answered.filter(pl.len().over("user") > most)
    if crowded.is_empty():
        return answered, ""
    hashes = [xxhash.xxh3_64_intdigest(item.encode()) for item in crowded["item"]]
    place = pl.struct("hash", "item").rank("ordinal").over("user")
    out = crowded.with_columns(hash=pl.Series(hashes, dtype=pl.UInt64)).filter(place > most)
    said = f"{crowded['user'].n_unique()} users have more than {most} items: {most} of each were drawn by hash,"
    return answered.join(out, on="item", how="anti"), f"{said} {len(out)} items left out"


def _doubled(frame: pl.DataFrame) -> int:
    return len(frame) - frame["item"].n_unique()
