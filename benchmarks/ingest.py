"""Ingest against the loop everybody writes: the same log, read by turns, and the ratio of the two.

    make bench

The peer parses each line with `json.loads` and drops repeated ids; it checks nothing, quarantines nothing and keeps
nothing.
"""

import json
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from flywheel.capture.events import Message, Response
from flywheel.capture.writer import Writer
from flywheel.ingest import ingest
from flywheel.lake import Lake
from flywheel.settings import Source

EVENTS, ROUNDS = 40_000, 3


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder, "logs")
        Writer(logs).write_all(map(response, range(EVENTS)))
        size = sum(path.stat().st_size for path in logs.iterdir()) / 1e6
        turns = [(ours(logs, Path(folder, f"home-{turn}")), peer(logs)) for turn in range(ROUNDS)]
    ratio = median(theirs / mine for mine, theirs in turns)
    mine, theirs = (size / median(seconds) for seconds in zip(*turns, strict=True))
    told = f"{EVENTS} events, {size:.0f} MB, {ROUNDS} rounds by turns: ingest {mine:.1f} MB/s, "
    told += f"a json.loads loop {theirs:.1f} MB/s, ratio {ratio:.2f}\n"
    sys.stdout.write(told)


def response(number: int) -> Response:
    at = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(seconds=7 * number)
    return Response(
        id=f"r{number}",
        at=at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        workload="drafts",
        conversation=f"c{number // 3}",
        user=f"u{number % 500}",
        parent=f"m{number}",
        prompt=[Message(role="user", content=f"Where is order {number}? " * 8)],
        text="It is on its way. " * 12,
        model="base",
    )


def ours(logs: Path, home: Path) -> float:
    began = time.perf_counter()
    taken = ingest(Lake(home), [Source(name="product", path=f"{logs}/*.jsonl")], now=datetime(2026, 12, 1, tzinfo=UTC))
    seconds = time.perf_counter() - began
    if taken.accepted != EVENTS:
        raise SystemExit(f"ingest took {taken.accepted} of {EVENTS} events")
    return seconds


def peer(logs: Path) -> float:
    began = time.perf_counter()
    seen = {}
    for path in sorted(logs.iterdir()):
        with path.open() as lines:
            for line in lines:
                event = json.loads(line)
                seen[event["kind"], event["id"]] = event
    if len(seen) != EVENTS:
        raise SystemExit(f"the loop read {len(seen)} of {EVENTS} events")
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
