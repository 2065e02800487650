"""MLflow's own server on loopback over a real database, with a network in front of it that can be cut."""

import os
import socket
import threading
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
