"""Signals -> pairs, rankings, labels, demonstrations: training rows, each with the rule that made it and its events.

One `.sql` per rule; the first lines of each say when it applies. `derive` runs them as a pure function of (exchanges,
signals, rules); `stage` replaces stale days. Anything that needs more than a conversation (caps per user, conflicts
between users, near-duplicates) belongs in `flywheel.datasets`.
"""

from flywheel.records.derive import KINDS, derive
from flywheel.records.stage import derive_days, stale_days

__all__ = ["KINDS", "derive", "derive_days", "stale_days"]
