"""The contestants: each reads a log into a folder, in a process of its own.

    python -m benchmarks.ingest.peers NAME LOG FOLDER

prints the seconds it took, the peak of its memory and what it says it found; imports are not timed. How it is measured
and checked belongs in `measure`, what is compared with what in `__main__`.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_origin

from flywheel.capture.events import KINDS

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NAMES = {str: "VARCHAR", int: "BIGINT", float: "DOUBLE", bool: "BOOLEAN"}


def columns() -> dict[str, str]:
    """DuckDB's types for the contract's fields; what has parts stays JSON."""
    written = [each for kind in KINDS.values() for each in fields(kind)]
    plain = {
        each.name: [NAMES[type] for type in (each.type, *get_args(each.type)) if type in NAMES] for each in written
    }
    parts = {each.name: "JSON" for each in written if get_origin(each.type) in (dict, list)}
    return {"kind": "VARCHAR", **{name: types[0] for name, types in plain.items() if types}, "at": "TIMESTAMP", **parts}


def ingest(log: str, folder: Path) -> dict[str, int]:
    """Ours, whole: validate, drop what is repeated, mask, quarantine, commit."""
    from flywheel.ingest import ingest
    from flywheel.lake import Lake
    from flywheel.settings import Source

    taken = ingest(Lake(folder), [Source(name="product", path=log)], now=NOW)
    return {name: getattr(taken, name) for name in ("accepted", "repeated", "quarantined")}


def duckdb(log: str, folder: Path) -> dict[str, int]:
    """A bare typed read: nothing is checked or masked, a broken line is a row of nulls, a repeated one a row more."""
    import duckdb

    duckdb.execute("SET preserve_insertion_order = false")
    read = f"read_json('{log}', format = 'newline_delimited', columns = {columns()}, ignore_errors = true)"
    duckdb.execute(f"COPY (FROM {read}) TO '{folder}/events.parquet' (FORMAT parquet, COMPRESSION zstd)")
    return {}


def loop(log: str, folder: Path) -> dict[str, int]:
    """`json.loads` line by line, with our rules."""
    from benchmarks.ingest.loop import run

    return run(log, folder, NOW)


def dlt(log: str, folder: Path) -> dict[str, int]:
    """A pipeline as its documentation writes one: types are found out, lists become tables of their own."""
    import dlt

    @dlt.resource(name="events")
    def events() -> Iterator[list[dict[str, Any]]]:
        page = []
        for line in Path(log).open("rb"):  # noqa: SIM115 (closed with the process)
            try:
                page.append(json.loads(line))
            except ValueError:
                continue
            if len(page) == 1000:
                yield page
                page = []
        yield page

    destination = dlt.destinations.filesystem(bucket_url=str(folder / "files"))
    pipeline = dlt.pipeline("bench", pipelines_dir=str(folder / "state"), destination=destination, dataset_name="logs")
    pipeline.run(events().add_filter(lambda item: isinstance(item, dict)), loader_file_format="parquet")
    return {}


NEEDS: dict[Callable[[str, Path], dict[str, int]], list[str]] = {
    ingest: ["flywheel.ingest", "flywheel.lake"],
    duckdb: ["duckdb"],
    loop: ["benchmarks.ingest.loop"],
    dlt: ["dlt", "dlt.destinations", "pyarrow.parquet"],
}
PEERS = {peer.__name__: peer for peer in NEEDS}


def main() -> None:
    name, log, folder = sys.argv[1:]
    peer = PEERS[name]
    for module in NEEDS[peer]:
        import_module(module)
    began = time.perf_counter()
    found = peer(log, Path(folder))
    seconds = time.perf_counter() - began
    sys.stdout.write(json.dumps({"seconds": seconds, "megabytes": peak(), "found": found}))


def peak() -> float:
    """The most memory this process ever held, in MB; `getrusage` would count its parent's as well."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


if __name__ == "__main__":
    main()
