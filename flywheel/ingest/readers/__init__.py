"""One module for each log format: `reader(source)` makes its reader, `recognises(value)` knows a record of it."""

from typing import Any

from flywheel.ingest.reader import Reader
from flywheel.ingest.readers import native, table, tau, tensorzero
from flywheel.settings import Columns, Source

FORMATS = {"native": native, "tensorzero": tensorzero, "tau": tau, "table": table}


def reader_for(source: Source, first: Any) -> Reader:
    """The reader of a source's format; where it names none, of the first format that recognises its first record.

    A source that maps columns is a table whatever they are called. What nobody recognises is read as native, whose
    reasons say what a line should look like.
    """
    if source.format != "auto":
        return FORMATS[source.format].reader(source)
    known = next((name for name, each in FORMATS.items() if each.recognises(first)), None)
    mapped = "table" if source.columns != Columns() else "native"
    return FORMATS[known or mapped].reader(source)
