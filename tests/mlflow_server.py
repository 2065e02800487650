"""MLflow's own server on loopback over a real database, with a network in front of it that can be cut."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from werkzeug.serving import make_server

Wire = Callable[[str], str]
"""What becomes of a request by its path: `through`, `lost` before it arrives, or `unanswered` after it was served."""


class Flapping:
    """The server behind a wire."""

    def __init__(self, app: Any) -> None:
        self.app, self.wire, self.url = app, (lambda path: "through"), ""
        self.seen: list[tuple[str, str]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        fate = self.wire(environ["PATH_INFO"])
        self.seen.append((environ["PATH_INFO"], fate))
        if fate == "through":
            return self.app(environ, start_response)
        if fate == "unanswered":
            list(self.app(environ, lambda *_: None))
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        raise ConnectionError(fate)


@contextmanager
def serving(folder: Path) -> Iterator[Flapping]:
    os.environ["_MLFLOW_SERVER_FILE_STORE"] = f"sqlite:///{folder}/mlflow.db"
    os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"] = str(folder / "artifacts")
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    from mlflow.server import app

    flapping = Flapping(app)
    server = make_server("127.0.0.1", 0, flapping, threaded=True)
    flapping.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield flapping
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Restarting:
    """`mlflow server` as people run it: killed with SIGKILL and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder, self.url = folder, f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Comes up by and by; one that is up stays."""
        if self.process is not None:
            return
        command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(self.port)]
        store = [
            "--backend-store-uri",
            f"sqlite:///{self.folder}/mlflow.db",
            "--artifacts-destination",
            str(self.folder),
        ]
        quiet = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *store], env=quiet, stdout=log, stderr=log, start_new_session=True
            )

    def wait(self) -> None:
        """Until it answers."""
        assert self.process is not None
        while self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5):
                    return
            except OSError:
                time.sleep(0.2)
        raise AssertionError((self.folder / "server.log").read_text()[-2000:])

    def kill(self) -> None:
        """The server and the workers it started."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def curves(self, experiment: str, name: str) -> dict[str, list[int]]:
        """By the status of each run, the steps of a metric."""
        from mlflow import MlflowClient

        client = MlflowClient(self.url)
        found = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
        histories = [(run.info.status, client.get_metric_history(run.info.run_id, name)) for run in found]
        assert len(histories) == 1
        return {status: sorted(metric.step for metric in history) for status, history in histories}


@contextmanager
def restarting(folder: Path) -> Iterator[Restarting]:
    server = Restarting(folder)
    try:
        yield server
    finally:
        server.kill()
