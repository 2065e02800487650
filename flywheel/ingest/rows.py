"""An event as a row of the table `events`: where each field goes, what is masked, and the row's key.

A field goes to the column of its own name. Four do not: `at` is `time` there, `prompt` and `tags` become JSON text,
and a rating's `comment` goes to `text`. Whatever has no column (`how`, `arguments`, `query`, `documents`, `empty`)
goes into `detail` together, one JSON object under those names; it is null where an event says none of them.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import polars as pl
from xxhash import xxh3_128_hexdigest

from flywheel.capture.events import KINDS, Event, as_record
from flywheel.ingest.mask import mask_columns, user_hash
from flywheel.ingest.reader import canonical
from flywheel.tables import Events

Row = dict[str, Any]

EVENTS = Events.create_empty().schema
# What a reader's events come to; the rest of the columns is known only beside other rows.
SCHEMA = {name: dtype for name, dtype in EVENTS.items() if name not in ("key", "source", "id_conflict")}
APART = {"at", "tags", "prompt", "comment", "v"}
NAMES = {name: [each.name for each in fields(kind) if each.name not in APART] for name, kind in KINDS.items()}
COPIED = {kind: [name for name in names if name in SCHEMA] for kind, names in NAMES.items()}
DETAIL = {kind: [name for name in names if name not in SCHEMA] for kind, names in NAMES.items()}

TEXTS = ("text", "error")
JSON_TEXTS = ("prompt", "tags", "detail")
IDS = ("id", "conversation", "answer", "parent", "component", "tenant", "model", "model_version", "prompt_version")
IDS += ("arm", "name", "workload")


def row(event: Event) -> Row:
    """The columns of an event whose `at` is in UTC."""
    record = as_record(event)
    made = {name: getattr(event, name) for name in COPIED[event.kind]} | {"kind": event.kind}
    made |= {"time": datetime.fromisoformat(event.at), "tags": canonical(event.tags)}
    if "prompt" in record:
        made["prompt"] = msgspec.json.encode(record["prompt"]).decode()  # role first, as nearly every product logs it
    if "comment" in record:
        made["text"] = record["comment"]
    if detail := {name: record[name] for name in DETAIL[event.kind] if name in record}:
        made["detail"] = canonical(detail)
    return made


def frame(rows: Sequence[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA)


def sealed(rows: pl.DataFrame, source: str, salt: str) -> tuple[pl.DataFrame, Counter[str]]:
    """Masked, with `source` and `key`: nothing of a person or a secret is left, and nothing of it is in the key."""
    users = {user: user_hash(user, salt) for user in rows["user"].drop_nulls().unique()}
    rows = rows.with_columns(pl.col("user").replace_strict(users, return_dtype=pl.String), source=pl.lit(source))
    rows, counts = mask_columns(rows, texts=TEXTS, json_texts=JSON_TEXTS, ids=IDS, salt=salt)
    return rows.with_columns(key=keys(rows), id_conflict=pl.lit(False)).select(list(EVENTS)), counts


def keys(rows: pl.DataFrame) -> pl.Series:
    """(source, kind, id) in the first half, the content in the second; a column that is null does not count.

    Strings hold no NUL (`strict` sees to that), so that it can stand between them: no two rows spell alike.
    """
    kinds = rows.with_row_index("row").partition_by("kind")  # a kind has half of the columns
    pieces = [piece.select("row", _key(piece)) for kind in kinds for piece in kind.iter_slices(TOGETHER)]
    return pl.concat([NO_KEYS, *pieces]).sort("row")["key"]


TOGETHER = 4_000  # rows whose content is written out at a time
NO_KEYS = pl.DataFrame(schema={"row": pl.UInt32, "key": pl.String})


def _key(rows: pl.DataFrame) -> pl.Series:
    identity = pl.concat_str("source", "kind", "id", separator="\0")
    nulls = {name: count for name in CONTENT if (count := rows[name].null_count()) < len(rows)}
    said = [pl.when(pl.col(name).is_not_null()).then(pl.lit(name)) if nulls[name] else pl.lit(name) for name in nulls]
    values = [pl.col(name).to_physical().cast(pl.String) for name in nulls]
    content = pl.concat_str(*said, *values, separator="\0", ignore_nulls=True)
    rows = rows.with_columns(_bits(rows[name]) for name in nulls if EVENTS[name] == pl.Float64)
    first, second = (_hashes(rows.select(one.alias("")).to_series()) for one in (identity, content))
    return pl.Series("key", [a + b for a, b in zip(first, second, strict=True)], dtype=pl.String)


CONTENT = [name for name in SCHEMA if name not in ("kind", "id")]


def _bits(numbers: pl.Series) -> pl.Series:
    """The bits of floats, which no release of a library spells in another way; 0.0 for -0.0."""
    floats = numbers.fill_null(0.0).to_numpy() + 0.0
    bits = pl.Series(numbers.name, floats.view(np.int64))
    return bits.set(numbers.is_null(), None)


def _hashes(texts: pl.Series) -> list[str]:
    """XXH3 at the speed of memory: it tells texts apart that nobody made to be alike, which a key is enough for."""
    texts_ = texts.to_arrow()
    edges = np.frombuffer(texts_.buffers()[1], np.int64)[texts_.offset : texts_.offset + len(texts_) + 1].tolist()
    data = memoryview(texts_.buffers()[2] or b"")
    return [xxh3_128_hexdigest(data[start:end])[:20] for start, end in pairwise(edges)]


def identity(key: pl.Expr) -> pl.Expr:
    """What a key says of (source, kind, id)."""
    return key.str.head(20)
