"""Fixtures that several test folders share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder of a tiny random model; made once, never written to."""
    from tests import tiny  # imports torch, which most tests do without

    return tiny.build(tmp_path_factory.mktemp("tiny") / "model")
