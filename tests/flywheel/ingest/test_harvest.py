"""A live MLflow: what its own client logs is harvested once, from a server and from a database."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from flywheel.errors import BadInput, Transient
from flywheel.ingest import Taken, ingest
from flywheel.lake import Lake
from flywheel.settings import Source
from tests.flywheel.ingest.logs import conserved, log, rated

PRODUCT = """
import sys
import mlflow
from mlflow.entities import AssessmentSource, SpanType

uri, question, *said = sys.argv[1:]
mlflow.set_tracking_uri(uri)
mlflow.set_experiment("app")

@mlflow.trace(span_type=SpanType.CHAT_MODEL)
def chat(messages):
    mlflow.update_current_trace(metadata={"mlflow.trace.session": "s-1", "mlflow.trace.user": "u-1"})
    return {"choices": [{"message": {"role": "assistant", "content": "It was sent."}}]}

person = AssessmentSource("HUMAN", "u-1")
if question:
    chat([{"role": "user", "content": question}])
    mlflow.flush_trace_async_logging()
[*_, trace] = [each.info.trace_id for each in mlflow.search_traces(order_by=["timestamp_ms ASC"], return_type="list")]
if "thumb" in said:
    mlflow.log_feedback(trace_id=trace, name="thumb", value=False, rationale="when?", source=person)
if "expected" in said:
    mlflow.log_expectation(trace_id=trace, name="expected_response", value="It was sent today.", source=person)
if "judge" in said:
    judge = AssessmentSource("LLM_JUDGE", "gpt")
    mlflow.log_feedback(trace_id=trace, name="fine", value=True, source=judge)
"""
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def product(uri: str, question: str, *said: str, cwd: Path) -> None:
    """The product logs one answer, and what was said of its last one, by MLflow's own client."""
    run = [sys.executable, "-c", PRODUCT, uri, question, *said]
    subprocess.run(run, check=True, cwd=cwd, env=os.environ | QUIET, capture_output=True)


@pytest.fixture(params=["server", "database"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh MLflow: a database, or a server on loopback before one."""
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with ExitStack() as stack:
        if request.param == "server":
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            run = [
                sys.executable,
                "-m",
                "mlflow",
                "server",
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
                "--workers",
                "1",
            ]
            where = ["--backend-store-uri", store, "--default-artifact-root", str(tmp_path / "artifacts")]
            server = subprocess.Popen(
                [*run, *where], cwd=tmp_path, env=os.environ | QUIET, start_new_session=True, stderr=subprocess.PIPE
            )
            stack.callback(server.wait, timeout=20)
            stack.callback(os.killpg, server.pid, signal.SIGTERM)
            assert server.stderr is not None
            assert any(b"startup complete" in line for line in server.stderr)
            store = f"http://127.0.0.1:{port}"
        yield store


def source(uri: str) -> Source:
    path = uri if uri.startswith("sqlite:") else f"mlflow:{uri}"
    return Source(name="app", path=path, experiments=("app",), workload="help")


def take(home: Path, *sources: Source) -> Taken:
    taken = ingest(Lake(home), sources, now=datetime.now(UTC))
    conserved(home)
    return taken


@pytest.mark.slow
def test_what_the_product_logs_is_harvested_twice_and_counted_once(uri: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    product(uri, "Where is order 17?", "thumb", cwd=tmp_path)
    product(uri, "And order 18?", cwd=tmp_path)
    assert take(home, source(uri)).by_type == {"rated": 1, "response": 2}
    assert take(home, source(uri)).records == 0
    product(uri, "", "expected", "judge", cwd=tmp_path)  # feedback on a trace that was harvested
    taken = take(home, source(uri))
    assert (taken.records, taken.quarantined, taken.waiting) == (1, 0, 0)
    assert taken.by_type == {"edited": 1, "rated": 1}
    product(uri, "And order 19?", cwd=tmp_path)
    assert take(home, source(uri)).by_type == {"response": 1}
    events = Lake(home).read("events")
    assert sorted(events.filter(kind="rated")["component"].to_list(), key=str) == [None, "evaluator"]
    assert not events["id_conflict"].any()
    assert set(events["conversation"]) == {"s-1"}


@pytest.mark.slow
def test_a_harvest_that_lost_its_memory_repeats_itself_and_nothing_is_counted_twice(tmp_path: Path) -> None:
    uri, home = f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "home"
    product(uri, "Where is order 17?", "thumb", "expected", cwd=tmp_path)
    assert take(home, source(uri)).events == 3
    (home / "harvest" / "app" / "seen.json").unlink()
    again = take(home, source(uri))
    assert (again.records, again.repeated, again.events) == (1, 1, 0)
    [first, second] = sorted((home / "harvest" / "app").glob("*.jsonl"))
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_mode & 0o077 == 0
    with pytest.raises(BadInput, match="nothing-here"):
        take(home, source(uri).model_copy(update={"experiments": ("nothing-here",)}))


@pytest.mark.slow
def test_a_trace_whose_spans_are_not_there_or_whose_clock_is_wrong_hides_no_other(tmp_path: Path) -> None:
    file, home = tmp_path / "mlflow.db", tmp_path / "home"
    uri = f"sqlite:///{file}"
    product(uri, "Where is order 17?", cwd=tmp_path)
    product(uri, "And order 18?", cwd=tmp_path)
    with closing(sqlite3.connect(file)) as store, store:
        [[first], [second]] = store.execute("SELECT request_id FROM trace_info ORDER BY timestamp_ms")
        store.execute("UPDATE spans SET trace_id = 'aside' WHERE trace_id = ?", [first])
        store.execute("UPDATE trace_info SET timestamp_ms = timestamp_ms * 2 WHERE request_id = ?", [second])
    assert take(home, source(uri)).by_type == {"response": 1}
    product(uri, "", "thumb", cwd=tmp_path)  # of the second, which is the latest by its clock
    product(uri, "And order 19?", cwd=tmp_path)
    assert take(home, source(uri)).by_type == {"rated": 1, "response": 1}
    with closing(sqlite3.connect(file)) as store, store:
        store.execute("UPDATE spans SET trace_id = ? WHERE trace_id = 'aside'", [first])
    assert take(home, source(uri)).by_type == {"response": 1}
    assert take(home, source(uri)).records == 0


@pytest.mark.parametrize("there", ["http://user:secret@127.0.0.1:9", "sqlite:////nowhere/mlflow.db"])
def test_a_source_that_cannot_be_reached_says_so_and_stops_no_other(
    there: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    log(tmp_path, {"a": rated("r1")})
    others = Source(name="files", path="{home}/logs/*.jsonl")
    with pytest.raises(Transient, match="MLflow") as said:
        take(tmp_path, source(there), others)
    assert "secret" not in str(said.value)
    assert Lake(tmp_path).count("events") == 1


@pytest.mark.parametrize("written", [{"path": "sqlite:///x.db"}, {"path": "logs/*.jsonl", "experiments": ["app"]}])
def test_a_live_source_names_its_experiments_and_no_other_does(written: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="experiments"):
        Source(name="app", **written)
