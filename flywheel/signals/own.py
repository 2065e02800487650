"""A team's own signals: one SQL file or one Python function over `exchanges` and `events`, named in `flywheel.toml`.

Either gives the rows of one kind, in the columns of a detector (`docs/design/04-signals-and-records.md`). It must read
what it is given and nothing else: a conversation is derived again whenever it changes, alone or among others, and must
read the same each time. What goes wrong in it is said in one sentence that names the signal.
"""

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import duckdb
import polars as pl

from flywheel.errors import BadInput
from flywheel.settings import REPOSITORY, OwnSignal
from flywheel.tables import SIGNAL_KINDS

Read = Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]

NEEDED = ("workload", "answer", "value", "confidence", "event_ids")
OPTIONAL = ("about", "detail", "text", "other", "weight")
TYPES = {"value": pl.Float64, "confidence": pl.Float64, "weight": pl.Float64, "event_ids": pl.List(pl.String)}


def read(connection: duckdb.DuckDBPyConnection, signal: OwnSignal) -> pl.DataFrame:
    """The signal's rows, with every column as a detector gives it."""
    if signal.name in SIGNAL_KINDS:
        raise _bad(signal, "has the name of a built-in signal", allowed="another name")
    return _checked(signal, _ran(connection, signal))


def version(signal: OwnSignal) -> str:
    """A hash of the code that decides what the signal says: its SQL, or the module its function is in."""
    source = _file(signal).read_bytes() if signal.sql else _module_file(signal).read_bytes()
    return hashlib.sha256(source).hexdigest()[:8]


def _ran(connection: duckdb.DuckDBPyConnection, signal: OwnSignal) -> pl.DataFrame:
    try:
        if signal.sql:
            found = connection.sql(_file(signal).read_text())
            rows = None if found is None else found.pl()
        else:
            rows = _function(signal)(*(connection.table(name).pl() for name in ("exchanges", "events")))
    except BadInput:
        raise
    except Exception as error:  # a team's code may raise anything
        said = str(error).strip().splitlines() or [""]
        raise _bad(signal, f"stopped with {type(error).__name__}", seen=said[0][:200], do="mend its code") from error
    if not isinstance(rows, pl.DataFrame):
        raise _bad(
            signal, "gave no rows", seen=type(rows).__name__, allowed="a query, or a function that returns a frame"
        )
    return rows


def _checked(signal: OwnSignal, rows: pl.DataFrame) -> pl.DataFrame:
    if missing := [name for name in NEEDED if name not in rows.columns]:
        raise _bad(signal, f"lacks the column {', '.join(missing)}", seen=", ".join(rows.columns))
    if odd := sorted(set(rows.columns) - {*NEEDED, *OPTIONAL}):
        raise _bad(signal, f"has the odd column {', '.join(odd)}", allowed=", ".join((*NEEDED, *OPTIONAL)))
    for name in rows.columns:
        kind = TYPES.get(name, pl.String)
        try:
            rows = rows.with_columns(pl.col(name).cast(kind))
        except pl.exceptions.PolarsError:
            raise _bad(signal, f"has an odd column {name}", seen=rows.schema[name], allowed=str(kind)) from None
    filled = [name for name in (*NEEDED, "about", "weight") if name in rows.columns]
    if empty := [name for name in filled if rows[name].null_count() or (name == "value" and rows[name].is_nan().any())]:
        raise _bad(signal, f"leaves {', '.join(empty)} empty in some rows", do="leave such rows out")
    for name in ("confidence", "weight"):
        if name in rows.columns and not rows[name].is_between(0, 1).all():
            raise _bad(signal, f"has a {name} outside 0 to 1", seen=[rows[name].min(), rows[name].max()])
    one = [name for name in ("workload", "answer", "about") if name in rows.columns]
    if rows.select(one).is_duplicated().any():
        raise _bad(signal, "has several rows for one answer", do="tell them apart in the column about")
    return rows


def _file(signal: OwnSignal) -> Path:
    path = REPOSITORY / signal.sql  # an absolute path stays as it is
    if not path.is_file():
        raise _bad(signal, "names a file that is not there", seen=path, do="mend `sql` in flywheel.toml")
    return path


def _module_file(signal: OwnSignal) -> Path:
    name = signal.python.partition(":")[0]
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        found = None
    if found is None or not found.origin or not Path(found.origin).is_file():
        raise _bad(
            signal, "names a module that is not there", seen=name, do="install it, or mend `python` in flywheel.toml"
        )
    return Path(found.origin)


def _function(signal: OwnSignal) -> Read:
    name, _, function = signal.python.partition(":")
    _module_file(signal)
    module = sys.modules.get(name) or importlib.import_module(name)
    found = getattr(module, function, None)
    if not callable(found):
        raise _bad(signal, "names a function that is not there", seen=signal.python, allowed="module:function")
    return cast(Read, found)


def _bad(signal: OwnSignal, what: str, *, seen: object = None, allowed: str = "", do: str = "mend it") -> BadInput:
    named = f"the signal {signal.name} {what}"
    return (
        BadInput(named, allowed=allowed, do=do) if seen is None else BadInput(named, seen=seen, allowed=allowed, do=do)
    )
