"""Which records one would train on (`docs/design/06-records-you-would-train-on.md`)."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from flywheel.settings.base import Frozen, Share
from flywheel.settings.signals import RecordRule

CurationRule = Literal[
    "empty",
    "special_tokens",
    "too_long",
    "near_identical",
    "language",
    "confidence",
    "ratings",
    "conflicts",
    "near_duplicates",
    "heavy_users",
    "length_bias",
]


class Curation(Frozen):
    """How a workload's records become the ones it trains on."""

    off: tuple[CurationRule, ...] = ()
    """Rules switched off by name."""
    excluded_users: tuple[str, ...] = ()
    """Nothing of these users, named as the tables name them, is trained on."""
    excluded_tenants: tuple[str, ...] = ()
    """Nothing that came from an event of these tenants is trained on."""
    identical: Share = 0.02
    """Pairs whose sides differ in a smaller share of their characters teach nothing but noise."""
    language_share: Share = 0.05
    """A language fewer of the answers are in is not this workload's."""
    confidence: Share = 0.5
    """Records less sure than this are left out."""
    conflicts: Literal["majority", "drop"] = "majority"
    """Where people disagree about the same two answers: what more of them prefer, or nothing."""
    prompts_alike: Annotated[int, Field(ge=1)] = 3
    """The most records of a kind from prompts that are near-duplicates of each other."""
    user_share: Share = 0.01
    """The most of a kind that one user may give, as a share of all; never less than one record."""
    user_records: Annotated[int, Field(ge=1)] = 20
    """The most of a kind that one user may give, however many there are."""
    longer_least: Share = 0.45
    """Of chosen pairs, at least this share prefers the longer side."""
    longer_most: Share = 0.55
    """Of chosen pairs, at most this share prefers the longer side."""
    length_exempt: tuple[RecordRule, ...] = ("edit_pair",)
    """Record rules whose pairs are not balanced: an editor shortens on purpose."""

    @model_validator(mode="after")
    def _band(self) -> "Curation":
        if not 0 < self.longer_least <= self.longer_most < 1:
            raise ValueError("longer_least and longer_most must rise, between 0 and 1")
        return self
