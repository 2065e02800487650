"""Both UIs on loopback: Dagster with its daemon, and MLflow. Ctrl-C, or the end of either, stops both."""

import os
import signal
import subprocess
import sys
from types import FrameType

from flywheel import settings

LOOPBACK = "127.0.0.1"


def main(dagster_port: str, mlflow_port: str) -> None:
    # A shell that starts us in the background has SIGINT ignored, and Dagster would then ignore SIGTERM too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _interrupt)
    servers = [_serve(dagster(dagster_port)), _serve(mlflow(mlflow_port))]
    tell(f"Dagster  http://{LOOPBACK}:{dagster_port}            assets, runs, schedules")
    tell(f"MLflow   http://{LOOPBACK}:{mlflow_port}/#/models   registered models and their aliases")
    tell("Both answer after about 20 seconds. Ctrl-C stops them.")
    try:
        os.wait()
        tell("one of the two has ended (is its port taken?); stopping the other")
    except KeyboardInterrupt:
        tell("stopping")
    finally:
        for server in servers:
            _stop(server)


def dagster(port: str) -> list[str]:
    return [sys.executable, "-m", "dagster", "dev", "-h", LOOPBACK, "-p", port, "-w", "workspace.yaml"]


def mlflow(port: str) -> list[str]:
    """One worker and no job runner: a third of the processes and half the memory of the defaults."""
    home = settings.load().home
    store, artifacts = f"sqlite:///{home / 'mlflow.db'}", (home / "mlartifacts").as_uri()
    where = ["--backend-store-uri", store, "--default-artifact-root", artifacts]
    return [sys.executable, "-m", "mlflow", "server", "--host", LOOPBACK, "--port", port, "--workers", "1", *where]


def tell(line: str) -> None:
    sys.stderr.write(line + "\n")


def _serve(command: list[str]) -> subprocess.Popen[bytes]:
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    return subprocess.Popen(command, env=os.environ | quiet, cwd=settings.REPOSITORY, start_new_session=True)


def _stop(server: subprocess.Popen[bytes]) -> None:
    """The server and every process it started, gently first."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, how)
            server.wait(timeout=15)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main(*sys.argv[1:])
