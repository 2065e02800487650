"""Logs -> events: take what is new in the log files, once, masked, whatever happens on the way.

`harvest` writes what is live to files, `files` finds what nobody has read yet, and `chunks` cuts it into records:
`streams` decompresses, `growing` takes the complete `lines` of logs, `documents` the records of all other files,
`strict` knows what sound JSON is. A `reader` turns a record into events or says why not: `readers` has one for each
format. What several of them share: `chat` (messages of chat APIs), `trees` (chats kept as trees), `calls`, `spans`
and `traces`, `opinions` (scores), `columns` and `cells` (tables). `fast` reads plain lines of the native log at once.
`rows` makes events table rows and `mask` masks them; `parts` is one chunk done, `batch` decides and commits, `tally`
counts, `stage` runs it all, and `quarantine` tries again what could not be read. What events mean belongs in
`flywheel.signals`.
"""

from flywheel.ingest.quarantine import one, quarantined, reasons, retry
from flywheel.ingest.stage import ingest, ingest_paths
from flywheel.ingest.tally import Taken, waiting

__all__ = ["Taken", "ingest", "ingest_paths", "one", "quarantined", "reasons", "retry", "waiting"]
