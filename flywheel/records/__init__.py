"""Signals -> records: pairs, rankings, labels, demonstrations; failure cases and knowledge gaps, for people to read.

One `.sql` per rule; the first lines of each say when it applies. `derive` runs them as a pure function of (exchanges,
signals, rules); `stage` replaces what the signals have outgrown; `failure_map` and `gaps` are what people look at. What
needs more than a unit (caps per user, conflicts between users, near-duplicates) belongs in `flywheel.datasets`.
"""

from flywheel.records.derive import KINDS, derive
from flywheel.records.failure_map import failure_map
from flywheel.records.gaps import grouped
from flywheel.records.mapping import map_failures
from flywheel.records.stage import Done, catch_up, derive_days, stale_days

__all__ = [
    "KINDS",
    "Done",
    "catch_up",
    "derive",
    "derive_days",
    "failure_map",
    "grouped",
    "map_failures",
    "stale_days",
]
