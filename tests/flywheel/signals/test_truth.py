"""What is read of the playground's people is what they did, and an audit tells how far to trust it. Three seeds."""

import random

import polars as pl
import pytest

from benchmarks.signals.audits import audited
from benchmarks.signals.scene import Scene, played
from benchmarks.signals.truth import READINGS, Found, labels, measured
from flywheel.signals import audit

SEEDS = (1, 2, 3)
# Precision and recall at least. What the docs promise stands first; the others are held where they are.
PROMISED = {
    "edit": (0.99, 0.99),
    "regeneration": (0.99, 0.99),
    "correction": (0.85, 0.85),
    "abandonment": (0.85, 0.6),
    "rephrase": (0.95, 0.9),
    "rating": (0.99, 0.99),
    "acceptance": (0.99, 0.99),
    "acceptance, revoked": (0.9, 0.95),
    "refusal": (0.9, 0.8),
    "tool_failure": (0.95, 0.95),
    "tool_failure, environment": (0.95, 0.6),
    "retrieval_miss": (0.99, 0.99),
}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Scene]:
    """Two weeks of each seed's people."""
    return {seed: played(tmp_path_factory.mktemp(f"seed-{seed}"), seed, weeks=2) for seed in SEEDS}


@pytest.fixture(scope="module")
def found(scenes: dict[int, Scene]) -> dict[str, Found]:
    """Every reading over the three seeds together."""
    signals = pl.concat([scene.signals for scene in scenes.values()])
    truth = [line for scene in scenes.values() for line in scene.truth]
    closed = set().union(*(scene.closed() for scene in scenes.values()))
    return {name: measured(name, signals, truth, closed) for name in READINGS}


@pytest.mark.parametrize("name", PROMISED)
def test_a_reading_is_as_right_as_the_docs_say(found: dict[str, Found], name: str) -> None:
    precision, recall = PROMISED[name]
    assert found[name].recall.n >= 30
    assert found[name].precision.share >= precision, found[name]
    assert found[name].recall.share >= recall, found[name]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", list(PROMISED)[:4])
def test_the_promise_holds_for_each_seed(scenes: dict[int, Scene], name: str, seed: int) -> None:
    scene = scenes[seed]
    one = measured(name, scene.signals, scene.truth, scene.closed())
    assert one.precision.share >= PROMISED[name][0], one


def test_a_wrong_truth_would_be_noticed(scenes: dict[int, Scene]) -> None:
    """The comparison can fail: with the truth dealt to other answers hardly anything is right."""
    scene = scenes[1]
    dealt = random.Random(0).sample([line["acts"] for line in scene.truth], len(scene.truth))
    wrong = [{**line, "acts": acts} for line, acts in zip(scene.truth, dealt, strict=True)]
    for name in ("edit", "correction", "abandonment"):
        assert measured(name, scene.signals, wrong, scene.closed()).precision.share < 0.5


def test_what_was_scrolled_past_is_neither_dismissed_nor_abandoned(scenes: dict[int, Scene]) -> None:
    for scene in scenes.values():
        past = {line["answer"] for line in scene.truth if line["acts"][0]["act"] == "scroll_past"}
        read = scene.signals.filter(pl.col("kind").is_in(["dismissal", "abandonment"]))["answer"]
        assert len(past) > 30
        assert not past & set(read)


@pytest.mark.parametrize("seed", SEEDS)
def test_after_an_audit_of_200_confidence_is_how_often_the_rest_is_right(scenes: dict[int, Scene], seed: int) -> None:
    before, after = audited(scenes[seed], 200, seed=0)
    assert after <= 0.05 < before


def test_the_draw_of_an_audit_is_not_of_one_kind(scenes: dict[int, Scene]) -> None:
    drawn = audit.draw(scenes[2].lake, 200, seed=4)
    assert len(drawn) == 200
    assert {(line["kind"], line["detail"]) for line in drawn} == set(scenes[2].signals.select("kind", "detail").rows())


def test_the_labels_depend_on_what_was_meant_and_not_on_what_was_done_alone(scenes: dict[int, Scene]) -> None:
    scene = scenes[1]
    edits = scene.signals.filter(kind="edit")
    characters = {line["answer"]: line["character"] for line in scene.truth}
    right = dict(zip(edits["answer"], labels(edits, scene.truth), strict=True))
    assert not [answer for answer, label in right.items() if label and characters[answer] != "careful"]
    assert 0.8 < sum(right.values()) / len(right) < 0.95
