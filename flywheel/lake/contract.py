"""Rows against the contract of their table: checked before they are written, and spelled as Delta stores them."""

import dataframely as dy
import polars as pl
from dataframely.exc import SchemaError, ValidationError

from flywheel.errors import BadInput, BrokenInvariant
from flywheel.tables import TABLES


def validated(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with its contract's columns in order, or one sentence about the first rule it breaks."""
    contract = contract_of(table)
    try:
        return contract.validate(frame.select(list(contract.columns())), cast=True)
    except (ValidationError, SchemaError, pl.exceptions.PolarsError) as error:
        raise BrokenInvariant(f"rows for table {table} break its contract", seen=str(error).strip()[:400]) from error


def conforming(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame, if it has its contract's columns and no null where none may be: what costs nothing to know."""
    contract = contract_of(table)
    nulls = [name for name, column in contract.columns().items() if not column.nullable and frame[name].null_count()]
    if nulls or frame.schema != contract.create_empty().schema:
        raise BrokenInvariant(f"rows for table {table} break its contract", seen=nulls or frame.schema)
    return frame


def storable(frame: pl.DataFrame) -> pl.DataFrame:
    """Delta has no categories: they are text on disk, and categories again on reading."""
    return frame.with_columns(pl.col(pl.Enum).cast(pl.String))


def contract_of(table: str) -> type[dy.Schema]:
    if table not in TABLES:
        raise BadInput("no such table", seen=table, allowed=", ".join(TABLES))
    return TABLES[table]
