"""Events -> exchanges -> slices -> signals: what people did with each answer, read one act at a time.

`exchanges.sql` puts each answer beside what happened to it; each other `.sql` is one signal and says what it means and
what it does not; `derive` runs them as a pure function of (events, watermark, rules); `stage` says which days are
stale and replaces them in the lake. What training makes of a signal belongs in `flywheel.records`.
"""

from flywheel.signals.derive import Derived, derive
from flywheel.signals.stage import derive_days, stale_days

__all__ = ["Derived", "derive", "derive_days", "stale_days"]
