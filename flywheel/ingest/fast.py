"""The plain lines of a native log, thousands at a time in DuckDB; every other line is left to the exact reader.

Nothing is decided here that `readers.native` would decide otherwise. A line is taken only when its keys, their types
and its values leave no doubt; whatever is odd about it (not valid, out of bounds, or spelled in a way that DuckDB
reads more leniently) sends it the slow way, where it is accepted or rejected with its reason. A test holds both ways
together.
"""

import json
from dataclasses import MISSING, fields
from datetime import datetime
from functools import lru_cache
from typing import Any, get_args, get_origin, get_type_hints

import duckdb
import polars as pl
import pyarrow as pa

from flywheel.capture.events import COUNT, KINDS, OPINION, PROBABILITY, VERSION, Event
from flywheel.ingest.lines import Lines
from flywheel.ingest.reader import Rejected, canonical
from flywheel.ingest.rows import SCHEMA
from flywheel.ingest.strict import RECORD_BYTES, decode

# DuckDB's names for what a JSON value is, by the type in the contract.
JSON_TYPES = {str: {"VARCHAR"}, bool: {"BOOLEAN"}, dict: {"OBJECT"}, list: {"ARRAY"}, type(None): {"NULL"}}
JSON_TYPES |= {int: {"UBIGINT", "BIGINT"}, float: {"DOUBLE", "UBIGINT", "BIGINT"}}
SQL_TYPES = {str: "VARCHAR", bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE", dict: "JSON", list: "JSON"}


def _types(hint: Any) -> set[type]:
    parts = get_args(hint) if get_origin(hint) not in (list, dict) else (hint,)
    return {get_origin(part) or part for part in parts or (hint,)}


def _contract(kind: type[Event]) -> dict[str, set[type]]:
    hints = get_type_hints(kind)
    return {"kind": {str}} | {each.name: _types(hints[each.name]) for each in fields(kind)}


CONTRACT = {name: _contract(kind) for name, kind in KINDS.items()}
REQUIRED = {
    name: {each.name for each in fields(kind) if each.default is MISSING and each.default_factory is MISSING} | {"v"}
    for name, kind in KINDS.items()
}
FIELDS: dict[str, type] = {
    name: next(iter(types - {type(None)})) for fields_ in CONTRACT.values() for name, types in fields_.items()
}
NUMBERS = [name for name, type_ in FIELDS.items() if type_ in (int, float)]
MESSAGES = [{"role": "VARCHAR", "content": "VARCHAR"}]
STRUCT = json.dumps({name: SQL_TYPES[type_] for name, type_ in FIELDS.items()} | {"prompt": MESSAGES})

# What DuckDB reads and we do not: a comma before a bracket; NUL; and what we spell otherwise: control characters. Each
# is a search of its own: one pattern for all would be ten times slower.
LENIENT = "regexp_matches(line, ',\\s*[\\]}]') OR contains(line, '\\u000') OR contains(line, '\\u001')"
UTC_TIME = r"[1-9]\d{3}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?Z"
BIG = 9e18  # beyond this a number may not be what DuckDB makes of it

LIMITS = {"tokens_in": COUNT, "tokens_out": COUNT, "propensity": PROBABILITY}
WITHIN = " AND ".join(
    f"coalesce(r.{name} BETWEEN {limits['minimum']} AND {limits['maximum']}, true)" for name, limits in LIMITS.items()
)
RATED = f"r.value BETWEEN {OPINION['minimum']} AND {OPINION['maximum']}"
READ = f"""
SELECT hash(keys, types) AS shape, r.* EXCLUDE (prompt, "at"), try_cast(r."at" AS TIMESTAMPTZ) AS time, prompt,
    r.v = {VERSION} AND {WITHIN} AND (r.kind <> 'rated' OR {RATED})
    AND regexp_full_match(r."at", '{UTC_TIME}') AND NOT ({LENIENT}) AND strlen(line) <= {RECORD_BYTES} AS fine,
    prompt IS NULL OR contains(line, '"prompt":' || prompt) AND NOT contains(prompt, ':null')
    AND NOT contains(prompt, ',null') AND NOT contains(prompt, '[null') AS verbatim
FROM (
    SELECT line, keys, types, r, to_json(r.prompt)::VARCHAR AS prompt
    FROM (
        SELECT line, json_keys(line) AS keys, json_type(line, '$.*') AS types, from_json(line, '{STRUCT}') AS r
        FROM lines
    )
)
"""
# Prompts that are not written as we write them: sound when all their messages have the two keys with text under both.
PROMPTS = """
SELECT len(list_filter(keys, lambda each: each NOT IN (['role', 'content'], ['content', 'role']))) = 0
    AND len(list_filter(types, lambda each: each <> 'VARCHAR')) = 0 AND len(types) = 2 * len(keys)
    AND len(keys) = json_array_length(line, '$.prompt') AS sound
FROM (SELECT line, json_keys(line, '$.prompt[*]') AS keys, json_type(line, '$.prompt[*].*') AS types FROM lines)
"""
NUMBERS_KEPT = pl.sum_horizontal((pl.col(NUMBERS).is_finite() & (pl.col(NUMBERS).abs() < BIG)).fill_null(False))

# ---- reading --------------------------------------------------------------------------------------------------------


def plain(chunk: Lines, latest: datetime, connection: duckdb.DuckDBPyConnection) -> tuple[pl.DataFrame, pl.Series]:
    """The rows of the plain lines, and the place of each among the lines; nothing later than `latest` is plain."""
    found, places, lines = _parsed(chunk, connection)
    found = found.with_columns(_fitting(found, lines, connection), _prompts(found, lines, connection), place=places)
    found = found.filter(
        pl.col("fine") & pl.col("whole") & (pl.col("time") <= latest) & (pl.col("numbers") == NUMBERS_KEPT)
    )
    tags, details = _tags(found), _details(found)
    found = found.with_columns(
        tags=tags,
        detail=details,
        text=pl.coalesce("text", "comment"),
        may_train=pl.col("may_train").fill_null(True),
        visible=pl.when(pl.col("kind") == "shown").then(pl.col("visible").fill_null(True)),
    ).filter(pl.col("tags").is_not_null() & (pl.col("detail") != DOUBT).fill_null(True))
    return found.select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items()), found["place"]


def _parsed(chunk: Lines, connection: duckdb.DuckDBPyConnection) -> tuple[pl.DataFrame, pl.Series, pa.ChunkedArray]:
    """What DuckDB reads in the lines that are JSON. Whether they are is asked only when it stumbled over one."""
    places = chunk.objects()
    lines = chunk.texts(places)
    connection.register("lines", pa.table({"line": lines}))
    try:
        return _frame(connection.sql(READ)), pl.Series(places), lines
    except (duckdb.Error, UnicodeDecodeError):  # the second where it cuts its message inside a character
        valid = connection.sql("SELECT json_valid(line) AS valid FROM lines").pl()["valid"].to_numpy()
        lines = chunk.texts(places[valid])
        connection.register("lines", pa.table({"line": lines}))
        return _frame(connection.sql(READ)), pl.Series(places[valid]), lines


def _frame(read: duckdb.DuckDBPyRelation) -> pl.DataFrame:
    found = pl.from_arrow(read.to_arrow_table())
    assert isinstance(found, pl.DataFrame)
    return found


def _fitting(found: pl.DataFrame, lines: pa.ChunkedArray, connection: duckdb.DuckDBPyConnection) -> pl.Series:
    """How many numbers each line has; null where it has not the keys of its kind with values of the right types.

    That is looked up once for each shape, the hash of a line's keys and their types.
    """
    shapes = found.with_row_index("line").group_by("shape", "kind").agg(pl.col("line").first())
    if len(_KNOWN) > MOST_KNOWN:
        _KNOWN.clear()
    numbers = [_numbers(shape, kind, lines[line], connection) for shape, kind, line in shapes.iter_rows()]
    shapes = shapes.with_columns(numbers=pl.Series(numbers, dtype=pl.UInt32))
    on = ["shape", "kind"]
    return found.select(on).join(shapes, on=on, how="left", maintain_order="left")["numbers"]


MOST_KNOWN, UNKNOWN = 10_000, -1
_KNOWN: dict[tuple[int, str], int | None] = {}  # what was found out about shapes; a log has a few dozen


def _numbers(shape: int, kind: str, line: pa.Scalar, connection: duckdb.DuckDBPyConnection) -> int | None:
    known = _KNOWN.get((shape, kind), UNKNOWN)
    if known == UNKNOWN:
        asked = connection.execute("SELECT json_keys($line), json_type($line, '$.*')", {"line": line.as_py()})
        known = _KNOWN[shape, kind] = _judged(kind, *asked.fetchall()[0])
    return known


def _judged(kind: str, keys: list[str], types: list[str]) -> int | None:
    if kind not in CONTRACT or len(set(keys)) < len(keys) or not REQUIRED[kind] <= set(keys) <= set(CONTRACT[kind]):
        return None
    of = dict(zip(keys, types, strict=True))
    if not all(of[key] in set.union(*(JSON_TYPES[type_] for type_ in CONTRACT[kind][key])) for key in keys):
        return None
    return sum(of.get(name, "NULL") != "NULL" for name in NUMBERS)


def _prompts(found: pl.DataFrame, lines: pa.ChunkedArray, connection: duckdb.DuckDBPyConnection) -> pl.Series:
    """Whether each line's prompt, if it has one, is a list of messages and nothing else."""
    others = (~found["verbatim"]).arg_true()
    if len(others) < len(found) // 100:  # a few are read sooner one by one
        return found["verbatim"].alias("whole")
    connection.register("lines", pa.table({"line": lines.take(others.to_arrow())}))
    sound = connection.sql(PROMPTS).pl()["sound"].fill_null(False)
    return found["verbatim"].scatter(others, sound).alias("whole")


def _tags(found: pl.DataFrame) -> pl.Series:
    """The tags as canonical text; null where they are not text by name."""
    written = {raw: _canonical_tags(raw) for raw in found["tags"].drop_nulls().unique()}
    return found.select(
        pl.col("tags")
        .replace_strict(written, default=None, return_dtype=pl.String)
        .fill_null(pl.when(pl.col("tags").is_null()).then(pl.lit("{}")))
    )["tags"]


def _canonical_tags(raw: str) -> str | None:
    tags = _decoded(raw)
    if isinstance(tags, dict) and all(isinstance(value, str) for value in tags.values()):
        return canonical(tags)
    return None


DOUBT = "?"  # no JSON text: a detail that the exact reader must see


def _details(found: pl.DataFrame) -> pl.Series:
    """What has no column of its own, as `rows.row` spells it."""
    columns = ["how", "arguments", "query", "documents", "empty"]
    some = found.select(columns).with_row_index("line").filter(pl.any_horizontal(pl.col(columns).is_not_null()))
    texts = [_detail(*values) for values in some.select(columns).iter_rows()]
    details = pl.DataFrame({"line": some["line"], "detail": pl.Series(texts, dtype=pl.String)})
    lines = pl.DataFrame({"line": pl.int_range(len(found), dtype=pl.UInt32, eager=True)})
    return lines.join(details, on="line", how="left", maintain_order="left")["detail"]


@lru_cache(1024)
def _detail(how: str | None, arguments: str | None, query: str | None, documents: str | None, empty: Any) -> str | None:
    said: dict[str, Any] = {"how": how, "query": query, "empty": empty or None}
    if arguments is not None:
        said["arguments"] = _decoded(arguments)
        if not isinstance(said["arguments"], dict):
            return DOUBT
    if documents is not None:
        said["documents"] = _decoded(documents)
        if not isinstance(said["documents"], list) or not all(isinstance(each, str) for each in said["documents"]):
            return DOUBT
    said = {name: value for name, value in said.items() if value is not None and value not in ({}, [])}
    return canonical(said) if said else None


def _decoded(raw: str) -> Any:
    """A value inside a line, held to the same rules as the whole line, its depth included."""
    whole = decode(b'{"":' + raw.encode() + b"}")
    return whole if isinstance(whole, Rejected) else whole[""]
