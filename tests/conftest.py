"""Fixtures that several test folders share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chat import Served, serving


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder of a tiny random model; made once, never written to."""
    from tests import tiny  # imports torch, which most tests do without

    return tiny.build(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A chat completions endpoint on loopback; no key is in the environment."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with serving() as it:
        yield it
