"""A verdict beside the training it judged: its page and its numbers with the checkpoint's MLflow run, also when nothing
was registered.

What the verdict does belongs in `conclude`; how the page is made in `flywheel.gate.report`, which leaves it at `page`.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flywheel.registry.store import Registry

NUMBERS = ("gain", "low", "high", "items", "users", "look", "candidate_score", "champion_score", "n_needed")
NOTED = "gate.noted"
LONGEST = 5_000
"""Characters that MLflow keeps of a tag."""


def page(home: Path, verdict: Mapping[str, Any]) -> Path:
    """Where the page of this verdict lies, if somebody wrote it."""
    return home / "gate" / "reports" / f"{verdict['workload']}-{verdict['cycle']}.html"


def note(registry: Registry, verdict: Mapping[str, Any], run: str | None) -> bool:
    """Tell the run what the gate said; False, and nothing told, where it knows that already or there is no run."""
    if run is None:
        return False
    told = page(registry.home, verdict)
    written = told.read_bytes() if told.exists() else b""
    known = {name: verdict.get(name) for name in NUMBERS} | _costs(verdict)
    numbers = {f"gate/{name}": float(value) for name, value in known.items() if value is not None}
    tags = {f"gate.{name}": str(verdict[name])[:LONGEST] for name in ("verdict", "reason", "champion", "eval_set")}
    said = json.dumps([numbers, tags], sort_keys=True).encode()
    mark = hashlib.sha256(said + hashlib.sha256(written).digest()).hexdigest()
    return registry.annotate(
        verdict["workload"],
        run,
        metrics=numbers,
        tags=tags,
        artifact=told if written else None,
        mark=(NOTED, mark),
    )


def _costs(verdict: Mapping[str, Any]) -> dict[str, float | None]:
    """What a success costs, where the verdict says so."""
    told = (json.loads(verdict.get("details") or "{}") or {}).get("costs") or {}
    sides = [side for side in ("candidate", "champion", "none") if told.get(side)]
    return {f"cost_of_success/{side}": told[side]["per_success"]["value"] for side in sides}
