"""Parquet files as parts of a Delta table: linked into its folder, with what the log says of them."""

import json
import os
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
from deltalake.transaction import AddAction


def linked(file: Path, target: Path, mode: int, day: str = "") -> AddAction:
    """The file under its name in the table; the other name stays, so that all of it can be repeated."""
    file.chmod(mode)
    if not target.exists():
        os.link(file, target)
    told, held = target.stat(), pq.read_metadata(target)
    name = f"day={day}/{target.name}" if day else target.name
    counted = json.dumps({"numRecords": held.num_rows, **_span(held)})
    return AddAction(name, told.st_size, {"day": day} if day else {}, int(told.st_mtime * 1000), True, counted)


def _span(held: pq.FileMetaData) -> dict[str, dict[str, str]]:
    """The first and the last time in a file, so that readers skip it when they ask for another."""
    names = [held.schema.column(number).path for number in range(held.num_columns)]
    if "time" not in names or not held.num_row_groups:
        return {}
    groups = [held.row_group(group).column(names.index("time")).statistics for group in range(held.num_row_groups)]
    if not all(group and group.has_min_max for group in groups):
        return {}
    ends = {"minValues": min(group.min for group in groups), "maxValues": max(group.max for group in groups)}
    return {name: {"time": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")} for name, moment in ends.items()}


def days_of(staged: Path) -> list[date]:
    return [date.fromisoformat(folder.name.removeprefix("day=")) for folder in staged.glob("day=*")]
