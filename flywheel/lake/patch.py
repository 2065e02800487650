"""Some rows of a table's files, read or taken out: files that hold none of them are neither read nor written again.

A late event touches a few rows of a day. Fresh rows come in files of their own, so what was written once is packed
again only when a row of it goes. Which files a table has, and the commit, belong to the lake.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import uuid4

import duckdb
import polars as pl

from flywheel.compute import mapped

GROUP = 20_000
"""Rows of a row group in a day's files: a reader holds one for each column and thread."""
MANY = 16
"""A day with more files than this is crowded: the small ones become one, so that reading it stays cheap."""


def holding(connection: duckdb.DuckDBPyConnection, files: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    """The files with rows that agree with one in `keys` in all of its columns, and which rows those are."""
    if files.is_empty():
        return pl.DataFrame(schema={"file": pl.String, "hits": pl.List(pl.Int64)})
    connection.register("keys", keys.to_arrow())
    return connection.sql(f"""
        SELECT filename AS file, list(file_row_number) AS hits
        FROM read_parquet({files["file"].to_list()}, filename = true, file_row_number = true)
        SEMI JOIN keys USING ({", ".join(keys.columns)}) GROUP BY ALL
    """).pl()


def outlived(connection: duckdb.DuckDBPyConnection, files: pl.DataFrame, gone: pl.DataFrame, into: Path) -> list[Path]:
    """The files that must go, since rows of theirs agree with one in `gone`; the rows that stay are put into `into`."""
    going = _going(files.join(holding(connection, files, gone), on="file", how="left"))

    def rewrite(old: pl.DataFrame) -> None:
        kept = (_kept(file, hits) for file, rows, hits in old.select("file", "rows", "hits").rows() if len(hits) < rows)
        for rows in _filled(kept):
            write(rows, into / old["day"][0])

    deque(mapped(rewrite, going.partition_by("day")), maxlen=0)
    return [Path(file) for file in going["file"]]


def write(rows: pl.DataFrame, folder: Path) -> None:
    """A new file of a day."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{uuid4().hex}.parquet"
    rows.write_parquet(target, compression="zstd", compression_level=1, row_group_size=GROUP)


def _going(files: pl.DataFrame) -> pl.DataFrame:
    """The files with hits, and where they crowd a day the small ones beside them."""
    hit, many = pl.col("hits").is_not_null(), pl.len().over("day") > MANY
    files = files.with_columns(day=pl.col("file").str.split("/").list.get(-2))
    going = files.filter(hit | (hit.any().over("day") & many & (pl.col("rows") < GROUP)))
    return going.with_columns(pl.col("hits").fill_null([]))


def _kept(file: str, hits: list[int]) -> pl.DataFrame:
    rows = pl.read_parquet(file, hive_partitioning=False, row_index_name="row")
    return rows.filter(~pl.col("row").is_in(hits)).drop("row")


def _filled(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same rows in frames that are not small, but for the last."""
    held: list[pl.DataFrame] = []
    for frame in frames:
        held.append(frame)
        if sum(map(len, held)) >= GROUP:
            yield pl.concat(held)
            held = []
    if held:
        yield pl.concat(held)
