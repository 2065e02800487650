"""Traces out of a live MLflow, into files that ingest reads like any others.

The network is here and nowhere else in this stage. Each harvest writes what is new, or has changed since the last one,
to one new file below `{home}/harvest/<source>`, which is never touched again. Feedback comes days after its trace, so
that traces are looked at again for a while. A harvest that is killed wrote nothing, or what the next one writes again:
the ingest takes it once. What a trace means belongs in `readers.mlflow`.
"""

import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from flywheel.errors import BadInput, FlywheelError, Transient
from flywheel.process import Report
from flywheel.settings import Source

AGAIN = 30 * 24 * 3600 * 1000
"""For so many milliseconds after it began a trace is looked at again."""
PAGE = 100
RETRIES = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}  # MLflow's own seven take minutes to say that nobody answers

GONE = {"BAD_REQUEST", "NOT_FOUND", "RESOURCE_DOES_NOT_EXIST"}
"""What MLflow says of one trace without its spans; it must not hide the others."""

Seen = dict[str, tuple[int, str]]
"""Of each trace when it began, and a hash of what can change about it."""


def harvest(home: Path, sources: Sequence[Source], progress: Report, *, now: datetime) -> list[FlywheelError]:
    """Fetch what is new of every live source; one that cannot be reached stops no other and is among the errors."""
    clock = int(now.timestamp() * 1000)
    errors: list[FlywheelError] = []
    for source in sources:
        if source.live:
            try:
                taken = _harvested(home / "harvest" / source.name, source, clock)
                progress(f"ingest: harvested {source.name}", traces=taken)
            except FlywheelError as error:
                errors.append(error)
    return errors


def _harvested(folder: Path, source: Source, clock: int) -> int:
    """Write the new traces; how many there were.

    What began after our clock's time, by its product's, moves nothing: else one wrong clock would hide all others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    told = folder / "seen.json"
    seen: Seen = (
        {name: (at, state) for name, (at, state) in json.loads(told.read_text()).items()} if told.exists() else {}
    )
    last = max((at for at, _ in seen.values() if at <= clock), default=None)
    now, part, taken = dict(seen), folder / ".part", 0
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        for trace in _new(source, seen, last):
            handle.write(json.dumps(trace.to_dict(), separators=(",", ":")) + "\n")
            now[trace.info.trace_id] = trace.info.request_time, _state(trace.info.to_dict())
            taken += 1
        handle.flush()
        os.fsync(handle.fileno())
    if taken:
        number = 1 + max((int(each.stem) for each in folder.glob("[0-9]*.jsonl")), default=0)
        part.rename(folder / f"{number:06}.jsonl")
        horizon = max((at for at, _ in now.values() if at <= clock), default=clock) - AGAIN
        part.write_text(json.dumps({name: each for name, each in now.items() if each[0] >= horizon}))
        part.rename(told)
    part.unlink(missing_ok=True)
    return taken


def _new(source: Source, seen: Seen, last: int | None) -> Iterator[Any]:
    """The traces that were not seen as they are now."""
    os.environ.update({name: value for name, value in RETRIES.items() if name not in os.environ})
    from mlflow import MlflowClient  # seconds, and most sources do without
    from mlflow.exceptions import MlflowException

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    uri = source.path.removeprefix("mlflow:")
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).exists():  # MLflow would make one
        raise Transient("there is no such MLflow database", seen=uri, do="mend the source's path, or start the product")
    try:
        client = MlflowClient(tracking_uri=uri)
        experiments = [_experiment(client, name, source) for name in source.experiments]
        for info in _changed(client, experiments, seen, last) if last is not None else ():
            if (whole := _whole(client, info.trace_id)) is not None:
                yield whole
        since = f"timestamp_ms > {last}" if last is not None else None
        for trace in _pages(client, experiments, since, spans=True):
            if _news(trace.info, seen):
                yield trace
    except MlflowException as error:
        what = f"the traces of source {source.name} could not be fetched ({str(error).splitlines()[0][:200]})"
        raise Transient(
            _without_secrets(what),
            seen=_without_secrets(uri),
            do="start MLflow there or mend the path, and ingest again",
        ) from None


def _changed(client: Any, experiments: list[str], seen: Seen, last: int) -> list[Any]:
    """Those that began before the newest one and came late, or have other feedback than they had."""
    between = f"timestamp_ms >= {last - AGAIN} AND timestamp_ms <= {last}"
    infos = [trace.info for trace in _pages(client, experiments, between, spans=False)]
    return [each for each in infos if _news(each, seen)]


def _pages(client: Any, experiments: list[str], filter: str | None, *, spans: bool) -> Iterator[Any]:
    token = None
    while True:
        page = client.search_traces(
            locations=experiments,
            filter_string=filter,
            max_results=PAGE,
            order_by=["timestamp_ms ASC"],
            page_token=token,
            include_spans=spans,
        )
        yield from page
        token = page.token
        if not token:
            return


def _experiment(client: Any, name: str, source: Source) -> str:
    found = client.get_experiment_by_name(name)
    if found is None:
        do = "mend `experiments` of the source, or let the product log its first trace"
        raise BadInput(f"source {source.name} names an experiment that MLflow does not have", seen=name, do=do)
    return found.experiment_id


def _whole(client: Any, name: str) -> Any | None:
    """A trace with its spans; None where they are gone, or not there yet: the next harvest asks again."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_trace(name)
    except MlflowException as error:
        if error.error_code in GONE:
            return None
        raise


def _news(info: Any, seen: Seen) -> bool:
    """It has ended, and was not seen as it is now."""
    ended = str(info.state.value) != "IN_PROGRESS"
    return ended and seen.get(info.trace_id, (0, ""))[1] != _state(info.to_dict())


def _state(info: Mapping[str, Any]) -> str:
    """What people and programs change about a trace that has ended."""
    own = {name: tag for name, tag in (info.get("tags") or {}).items() if not name.startswith("mlflow.")}
    told = json.dumps([info.get("state"), own, info.get("assessments")], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _without_secrets(text: str) -> str:
    """A name and a password may stand in an address."""
    return re.sub(r"//[^/@\s]+@", "//", text)
