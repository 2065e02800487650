"""One module for each log format: `reader(source)` makes its reader, `recognises(value)` knows a record of it."""

from typing import Any

from flywheel.capture.events import Event
from flywheel.ingest.reader import Reader, Rejected
from flywheel.ingest.readers import (
    chatgpt,
    langfuse,
    lmarena,
    mlflow,
    native,
    nvidia,
    openai,
    openwebui,
    otel,
    table,
    tau,
    tensorzero,
)
from flywheel.settings import Columns, Source

FORMATS = {
    "native": native,
    "tensorzero": tensorzero,
    "tau": tau,
    "nvidia": nvidia,
    "openai": openai,
    "openwebui": openwebui,
    "chatgpt": chatgpt,
    "lmarena": lmarena,
    "langfuse": langfuse,
    "mlflow": mlflow,
    "otel": otel,
    "table": table,
}
"""In the order in which they are asked; a table comes last, since it knows columns by common names."""


def reader_for(source: Source) -> Reader:
    """The reader of a source's format; where it names none, each record is read by the first that recognises it.

    No record decides for another, so that their order does not matter. A source that maps columns is a table whatever
    they are called, beside events of the native log. What nobody recognises is else read as native, whose reasons say
    what a line should look like.
    """
    readers = {name: each.reader(source) for name, each in FORMATS.items()}
    if source.format != "auto":
        return readers[source.format]
    mapped = source.columns != Columns()
    asked, unknown = ["native"] if mapped else list(FORMATS), readers["table" if mapped else "native"]

    def auto(value: Any) -> list[Event] | Rejected:
        known = (readers[name] for name in asked if FORMATS[name].recognises(value))
        return next(known, unknown)(value)

    return auto
