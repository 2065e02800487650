"""Logs -> events: take what is new in the log files, once, whatever happens on the way.

`files` finds the lines nobody has taken yet, `reader` turns one source record into events or says why not, `rows` makes
their table rows, `batch` decides and commits one batch of them, `stage` runs batches until nothing is left. What events
mean belongs in `flywheel.signals`.
"""

from flywheel.ingest.stage import Taken, ingest, ingest_paths

__all__ = ["Taken", "ingest", "ingest_paths"]
