"""Where tables live: Delta tables in one folder, written against their contracts, read by Polars and DuckDB.

Two ways to write: `append` for facts that only grow (once per batch id, so a repeated commit changes nothing) and
`replace` for derived rows (exactly the rows that match `where` are exchanged, in one commit). Delta has no commit
across tables: a stage writes its data tables first and the one that marks completion last, under `writing()`.
Checking rows against their contract belongs in `contract`, files as parts of a table in `files`, rows that leave their
files in `patch`.
"""

import fcntl
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from flywheel.errors import BadInput
from flywheel.lake.contract import conforming, contract_of, storable, validated
from flywheel.lake.files import days_of, linked
from flywheel.lake.patch import holding, outlived, write
from flywheel.tables import TABLES

__all__ = ["MEMORY", "Lake", "conforming", "connect", "locked", "storable", "validated"]

Where = Mapping[str, Sequence[Any]]

# Rows of a day or a workload are exchanged as a whole, so those are the folders of a table's files.
PARTITIONS = {
    "exchanges": ["day"],
    "signals": ["day"],
    "pairs": ["day"],
    "rankings": ["day"],
    "labels": ["day"],
    "demonstrations": ["day"],
    "failure_cases": ["day"],
    "knowledge_gaps": ["day"],
    "eval_items": ["workload"],
    "dataset_rows": ["workload"],
    "dataset_labels": ["workload"],
    "rejected": ["workload"],
}

FILES = {"file": pl.String, "rows": pl.Int64, "low": pl.Datetime("us", "UTC"), "high": pl.Datetime("us", "UTC")}
MEMORY = "2GB"
"""What a query over a whole log may hold; beyond it DuckDB goes on in files."""

# Tables that hold unmasked bytes: nobody but their owner may look into their folder or their files.
PRIVATE = {"quarantine"}


class Lake:
    """All tables of one state folder."""

    def __init__(self, home: Path) -> None:
        if odd := sorted(set(re.findall(r"[^\w./+:,@~-]", str(home), re.ASCII))):
            # Delta writes such a path down percent-encoded, and neither Polars nor DuckDB finds it again.
            what, plain = (
                "the path of the state folder has characters its tables cannot be found under",
                "A-Z a-z 0-9 ._+:,@~-",
            )
            raise BadInput(
                what, seen=f"{home} ({' '.join(odd)})", allowed=plain, do="set FLYWHEEL_HOME to another folder"
            )
        self.home = Path(home)
        self.root = self.home / "lake"

    def read(self, table: str) -> pl.DataFrame:
        """The whole table, in no particular order; empty where nothing was written yet."""
        return self.scan(table).collect()

    def scan(self, table: str, *, version: int | None = None) -> pl.LazyFrame:
        """The table now, or as it was at a version."""
        contract = contract_of(table)
        stored = self._open(table, version)
        if stored is None:
            return contract.create_empty().lazy()
        if missing := set(contract.columns()) - {column.name for column in stored.schema().fields}:
            what = f"table {table} was written by an older flywheel, it has no column {', '.join(sorted(missing))}"
            raise BadInput(what, seen=self.home, do="move that folder away and ingest the logs again")
        return pl.scan_delta(stored).cast(dict(contract.create_empty().schema.items()))  # pyright: ignore[reportArgumentType]

    def append(self, table: str, frame: pl.DataFrame, batch: str) -> bool:
        """Add the rows of `batch`; False, and nothing written, when that batch is already there."""
        stored = self._open(table)
        if stored is not None and stored.transaction_version(batch) is not None:
            return False
        self._write(table, frame, mode="append", batch=batch)
        return True

    def adopt(self, table: str, files: Sequence[Path], batch: str) -> bool:
        """Add Parquet files that hold rows of `batch`, checked by whoever wrote them; once, as in `append`."""
        if not files:
            return False
        folder = self.root / table
        folder.mkdir(mode=0o700 if table in PRIVATE else 0o755, parents=True, exist_ok=True)
        schema = contract_of(table).create_empty().to_arrow().schema
        stored = self._open(table) or DeltaTable.create(folder, schema)
        if stored.transaction_version(batch) is not None:
            return False
        mode = 0o600 if table in PRIVATE else 0o644
        added: list[AddAction | RemoveAction] = [linked(file, folder / f"{batch}-{file.name}", mode) for file in files]
        marks = CommitProperties(app_transactions=[Transaction(batch, 1)])
        stored.create_write_transaction(added, "append", stored.schema(), commit_properties=marks)
        self._guard(table)
        return True

    def add(self, table: str, frame: pl.DataFrame) -> None:
        """Add rows that nothing else will ever match; a log of what was seen."""
        self._write(table, frame, mode="append")

    def overwrite(self, table: str, frame: pl.DataFrame) -> None:
        """Exchange the whole table, of those that stay small."""
        self._write(table, frame, mode="overwrite")

    def replace(self, table: str, frame: pl.DataFrame, where: Where) -> None:
        """Exchange the rows whose columns hold one of the values in `where` for those of `frame`."""
        stray = frame.filter(~_matches(where))
        if len(stray):
            raise ValueError(f"{len(stray)} rows for {table} lie outside {dict(where)}")
        if not all(where.values()):
            return
        if self._open(table) is None:
            self._write(table, frame, mode="append")
        else:
            self._write(table, frame, mode="overwrite", predicate=_predicate(where))

    def flag(self, table: str, column: str, keys: Sequence[str]) -> None:
        """Set a column of yes or no in the rows of these keys; unlike those of `replace`, they may be any number."""
        stored = self._open(table)
        if stored is not None and keys:
            source = pl.DataFrame({"key": keys})
            merge = stored.merge(source, "rows.key = keys.key", source_alias="keys", target_alias="rows")
            merge.when_matched_update({column: "true"}).execute()

    def remove(self, table: str, rows: pl.DataFrame) -> None:
        """Take away the rows that agree with one of these in all of its columns, however many they are."""
        stored = self._open(table)
        if stored is not None and len(rows):
            same = " AND ".join(f"old.{name} = gone.{name}" for name in rows.columns)
            stored.merge(rows, same, source_alias="gone", target_alias="old").when_matched_delete().execute()
            self._guard(table)

    def count(self, table: str) -> int:
        """How many rows the table has."""
        return self.scan(table).select(pl.len()).collect().item()

    def version(self, table: str) -> int:
        """Rises with each commit; -1 before the first."""
        stored = self._open(table)
        return -1 if stored is None else stored.version()

    def sql(self, query: str, **frames: pl.DataFrame) -> pl.DataFrame:
        """A DuckDB query over every table by name, and over `frames`, which may stand in for tables of that name."""
        tables = [table for table in TABLES if table not in frames and table in query]
        with self.session(*tables) as connection:
            for name, frame in frames.items():
                connection.register(name, frame.to_arrow())
            return connection.sql(query).pl()

    @contextmanager
    def session(self, *tables: str, memory: str = "") -> Iterator[duckdb.DuckDBPyConnection]:
        """DuckDB with these tables as views; beyond `memory` it goes on in files below the state folder."""
        spill = self.home / "spill" / uuid4().hex
        with connect() as connection:
            try:
                if memory:
                    spill.mkdir(parents=True)
                    connection.execute(f"SET memory_limit = '{memory}'")
                    connection.execute(f"SET temp_directory = '{spill}'")
                    connection.execute("SET preserve_insertion_order = false")
                for table in tables:
                    self._view(connection, table)
                yield connection
            finally:
                shutil.rmtree(spill, ignore_errors=True)

    def files(self, table: str, since: int = -1) -> pl.DataFrame:
        """The table's files that came after version `since`, with their rows and the times they span, where known."""
        stored = self._open(table)
        if stored is None:
            return pl.DataFrame(schema=FILES)
        told, known = stored.get_add_actions(flatten=True), self._paths(table, since)
        low, high = (
            told.column(name).to_pylist() if name in told.schema.names else [None] * told.num_rows
            for name in ("min.time", "max.time")
        )
        paths = told.column("path").to_pylist()
        rows = {"file": paths, "rows": told.column("num_records").to_pylist(), "low": low, "high": high}
        fresh = pl.DataFrame(rows, schema=FILES).filter(~pl.col("file").is_in(known))
        # A file that Delta rewrote tells its times to the millisecond, cut off.
        return fresh.with_columns(
            file=pl.lit(f"{self.root / table}/") + pl.col("file"), high=pl.col("high") + pl.duration(milliseconds=1)
        )

    def pick(self, table: str, keys: pl.DataFrame, low: date, high: date) -> pl.DataFrame:
        """The rows of these days that agree with one of `keys` in all of its columns, read from files that hold any."""
        of_days = pl.col("file").str.extract("/day=([^/]+)/").str.to_date().is_between(low, high)
        with self.session(memory=MEMORY) as connection:
            files = holding(connection, self.files(table).filter(of_days), keys)["file"].to_list()
        if not files:
            return contract_of(table).create_empty()
        rows = pl.scan_parquet(files, hive_partitioning=True, hive_schema={"day": pl.Date})
        return rows.join(keys.lazy(), on=keys.columns, how="semi").collect(engine="streaming")

    def _paths(self, table: str, version: int) -> list[str]:
        """The table's files at a version; none where that is forgotten, so that all are new."""
        try:
            stored = self._open(table, version) if version >= 0 else None
        except DeltaError:
            stored = None
        return [] if stored is None else list(stored.get_add_actions(flatten=True).column("path").to_pylist())

    def stage(self, table: str, frame: pl.DataFrame, folder: Path) -> None:
        """Put rows, checked against their contract, aside in `folder`, a Parquet file for each day."""
        days = storable(validated(table, frame)).partition_by("day", as_dict=True, include_key=False)
        for (day,), rows in days.items():
            write(rows, folder / table / f"day={day}")

    def publish(
        self, table: str, folder: Path, *, days: Sequence[date] | None = None, gone: pl.DataFrame | None = None
    ) -> None:
        """Exchange rows for those put aside, in one commit: all rows, those of `days`, or of them those in `gone`.

        `gone` holds values of some columns: rows that agree with one of its rows in all of them go, of
        all days where no `days` are given.
        """
        staged = folder / table
        touched = None if days is None else sorted({*days, *days_of(staged)})
        old = self._of_days(table, touched)
        if gone is None or old.is_empty():
            self._commit_files(table, [staged], [Path(file) for file in old["file"]])
            return
        kept = staged.with_name(f"{table}-kept")
        with self.session(memory=MEMORY) as connection:
            going = outlived(connection, old, gone, kept)
        self._commit_files(table, [staged, kept], going)

    def _of_days(self, table: str, days: Sequence[date] | None) -> pl.DataFrame:
        files = self.files(table)
        if days is None:
            return files
        return files.filter(pl.col("file").str.split("/").list.get(-2).is_in([f"day={day}" for day in days]))

    def _commit_files(self, table: str, staged: Sequence[Path], old: Sequence[Path]) -> None:
        """One commit: the old files go, those in the folders `staged` come, under names of their own."""
        root = self.root / table
        schema = storable(contract_of(table).create_empty()).to_arrow().schema
        stored = self._open(table) or DeltaTable.create(root, schema, partition_by=PARTITIONS[table])
        actions: list[AddAction | RemoveAction] = []
        for file in sorted(file for folder in staged for file in folder.rglob("*.parquet")):
            day = file.parent.name.removeprefix("day=")
            target = root / file.parent.name / f"{uuid4().hex}.parquet"
            target.parent.mkdir(exist_ok=True)
            actions.append(linked(file, target, 0o644, day))
        now = int(time.time() * 1000)
        for file in old:
            day = file.parent.name.removeprefix("day=")
            where = str(file.relative_to(root))
            actions.append(RemoveAction(where, True, now, file.stat().st_size, {"day": day}))
        if actions:
            stored.create_write_transaction(actions, "append", stored.schema(), partition_by=PARTITIONS[table])

    def _view(self, connection: duckdb.DuckDBPyConnection, table: str) -> None:
        """The files of the table's present version, read by DuckDB itself so that it skips what nobody asks for."""
        stored = self._open(table)
        files = [] if stored is None else stored.file_uris()
        if not files:
            connection.register(table, contract_of(table).create_empty().to_arrow())
            return
        days = ", hive_types = {day: DATE}" if "day" in PARTITIONS.get(table, []) else ""
        connection.execute(f"CREATE VIEW {table} AS FROM read_parquet({files}, hive_partitioning = true{days})")

    @contextmanager
    def aside(self, stage: str) -> Iterator[Path]:
        """A folder for rows that are not published yet; what a killed run left in it is gone."""
        folder = self.home / "derive" / stage
        shutil.rmtree(folder, ignore_errors=True)
        yield folder
        shutil.rmtree(folder, ignore_errors=True)

    def derived(self, stage: str) -> dict[str, Any] | None:
        """How far a stage has derived: its row of `derivations`."""
        told = self.read("derivations").filter(pl.col("stage") == stage)
        return None if told.is_empty() else told.row(0, named=True)

    def doubt(self, stage: str) -> None:
        """Some rows will be of other rules, or of a later log, than the stage says: the next time all is made anew."""
        if state := self.derived(stage):
            self.replace("derivations", pl.DataFrame([state | {"rules": ""}]), {"stage": [stage]})

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One writer at a time on this machine: commits that belong together are not interleaved with another's."""
        with locked(self.home / "locks" / "lake"):
            yield

    def _open(self, table: str, version: int | None = None) -> DeltaTable | None:
        contract_of(table)
        try:
            return DeltaTable(self.root / table, version=version)
        except TableNotFoundError:
            return None

    def _write(
        self, table: str, frame: pl.DataFrame, *, mode: str, batch: str | None = None, predicate: str | None = None
    ) -> None:
        marks = [Transaction(batch, 1)] if batch else None
        if table in PRIVATE:
            (self.root / table).mkdir(mode=0o700, parents=True, exist_ok=True)
        write_deltalake(
            self.root / table,
            storable(validated(table, frame)),
            mode=mode,  # pyright: ignore[reportArgumentType]
            predicate=predicate,
            partition_by=PARTITIONS.get(table),
            commit_properties=CommitProperties(app_transactions=marks),
        )
        self._guard(table)

    def _guard(self, table: str) -> None:
        if table in PRIVATE:
            for path in (self.root / table).rglob("*.*"):
                path.chmod(0o600)


@contextmanager
def connect() -> Iterator[duckdb.DuckDBPyConnection]:
    """A private in-memory DuckDB that speaks UTC and may not touch the network."""
    with duckdb.connect(
        config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    ) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold `path` as a lock between processes; the system lets go of it when the holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _matches(where: Where) -> pl.Expr:
    return pl.all_horizontal(pl.col(column).is_in(list(values)) for column, values in where.items())


def _predicate(where: Where) -> str:
    return " AND ".join(f"{column} IN ({', '.join(map(_literal, values))})" for column, values in where.items())


def _literal(value: Any) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, date):
        return f"'{value.isoformat()}'"
    return "'" + str(value).replace("'", "''") + "'"
