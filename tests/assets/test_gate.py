"""A product always finds the routes: they are written with each verdict, and anew when the alias `champion` moves."""

import json

import dagster as dg
import pytest

from assets.registry import deployments
from assets.resources import Wheel
from flywheel.gate import routes
from flywheel.lake import Lake
from flywheel.registry import Registry, Version
from tests.flywheel.gate.test_telling import SENT, SETTINGS, answer, lake  # noqa: F401  a fixture
from tests.flywheel.registry.test_conclude import a_model


@pytest.mark.slow
def test_the_routes_follow_the_alias(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    (lake.home / "flywheel.toml").write_text(SETTINGS)
    monkeypatch.setenv("FLYWHEEL_HOME", str(lake.home))
    monkeypatch.setenv("FLYWHEEL_SETTINGS", str(lake.home / "flywheel.toml"))
    registry = Registry(lake.home)
    first = registry.ensure_champion("replies", a_model(lake.home / "base", 0.0))
    later = registry.register("replies", a_model(lake.home / "later", 1.0), tags={})

    def seen() -> str:
        ended = dg.materialize([deployments], resources={"wheel": Wheel()})
        return str(ended.asset_materializations_for_node("deployments")[0].metadata["routes"].value)

    def served() -> str:
        return json.loads(routes.path(lake.home, "replies").read_text())["default"]["model"]

    def moved_to(version: Version) -> None:
        registry.promote("replies", version.version, who="a person", why="to see")

    answer(lake, first.fingerprint, SENT)
    assert "has answered" not in seen()
    assert served() == first.fingerprint
    moved_to(later)
    assert "has answered no item" in seen()
    answer(lake, later.fingerprint, SENT)
    moved_to(first)
    seen()
    moved_to(later)
    seen()
    assert served() == later.fingerprint
