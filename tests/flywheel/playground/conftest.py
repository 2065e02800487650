"""A playground in small: few users, and a base model that was hardly trained, so that a week takes a moment."""

from pathlib import Path
from typing import Any

import pytest

SMALL: dict[str, Any] = {
    "seed": 3,
    "users": 24,
    "requests": {"reply-drafts": 2.0, "call-notes": 1.0},
    "max_new_tokens": 12,
    "base": {"examples": 64, "epochs": 1, "batch": 32, "hidden": 32, "layers": 1},
}


@pytest.fixture(scope="session")
def small() -> dict[str, Any]:
    """The section `[playground]` of a small world."""
    return SMALL


@pytest.fixture(scope="session")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small world's base model; made once, never written to."""
    from flywheel.playground.base import base
    from flywheel.playground.world import read

    out = tmp_path_factory.mktemp("playground") / "base"
    base(read(SMALL), out, lambda message, **numbers: None)
    return out


@pytest.fixture(scope="session")
def serve(base_model: Path) -> dict[str, dict[str, str]]:
    """The base model behind both workloads."""
    return {workload: {"path": str(base_model), "version": "1"} for workload in ("reply-drafts", "call-notes")}
