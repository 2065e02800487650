"""Logs -> events: take what is new in the log files, once, masked, whatever happens on the way.

`files` finds what nobody has read yet, `chunks` cuts it into records (`streams` decompresses, `documents` knows other
files than lines, `strict` what sound JSON is), `readers` turn a record into events or say why not (`fast` reads the
plain lines of the native log at once), `rows` makes their table rows and `mask` masks them, `parts` is one chunk done,
`batch` decides and commits, `tally` counts, `stage` runs it all; `quarantine` tries again what could not be read. What
events mean belongs in `flywheel.signals`.
"""

from flywheel.ingest.quarantine import one, quarantined, retry
from flywheel.ingest.stage import ingest, ingest_paths
from flywheel.ingest.tally import Taken, waiting

__all__ = ["Taken", "ingest", "ingest_paths", "one", "quarantined", "retry", "waiting"]
