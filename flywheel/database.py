"""MLflow's database where it is a SQLite file of ours: there whole, or not there at all.

MLflow makes it in many steps, and one that was killed between them can never be opened again. So it is made beside its
place and moved there. What is in it belongs to whoever uses MLflow.
"""

import logging
import os
from pathlib import Path
from typing import Any

from flywheel.lake import locked

SQLITE = "sqlite:///"


def client(tracking_uri: str, home: Path) -> Any:
    """A client of a server, or of a database that is ready to be used."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient  # seconds, and only who tracks needs it

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    with locked(home / "locks" / "mlflow"):  # two first users would both set the database up
        path = Path(tracking_uri.removeprefix(SQLITE))
        if tracking_uri.startswith(SQLITE) and not path.exists():
            half = path.with_name(f"{path.name}.half")
            half.unlink(missing_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            MlflowClient(f"{SQLITE}{half}", registry_uri=f"{SQLITE}{half}").search_experiments(max_results=1)
            half.replace(path)
        return MlflowClient(tracking_uri, registry_uri=tracking_uri)
