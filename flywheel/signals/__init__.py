"""Events -> exchanges -> slices -> signals: what people did with each answer, read one act at a time.

`exchanges` puts each answer beside what happened to it, `followups` beside what was said next and, with a
classifier, what that means; each other `.sql`, or module of a kind's name, is one signal and says what it means and
what it does not; `derive` runs them as a pure function of (events, watermark, rules); `stage` finds what is stale and
replaces it in the lake. What training makes of a signal belongs in `flywheel.records`.
"""

from flywheel.signals.derive import Derived, derive
from flywheel.signals.stage import Done, catch_up, derive_days, stale_days

__all__ = ["Derived", "Done", "catch_up", "derive", "derive_days", "stale_days"]
