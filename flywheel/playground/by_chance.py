"""The same people and the same log without a model: answers are put together by chance, as old ones were.

For measuring detectors on many users in seconds; nothing can learn from it. An answer to a correction takes it to heart
more often than not.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from flywheel.capture.events import Event
from flywheel.playground import logged
from flywheel.playground.product import Ask, Served, live
from flywheel.playground.talk import answered
from flywheel.playground.texts import by_chance, compose
from flywheel.playground.world import Playground, draws

MODEL = "by-chance"
HEEDED = 0.75


def play_by_chance(world: Playground, week: int) -> tuple[list[Event], list[dict[str, Any]]]:
    """A week of every workload: its events in order of time, and its truth."""
    events: list[Event] = []
    truth: list[dict[str, Any]] = []
    for lived in live(world, week, dict.fromkeys(world.requests, partial(_answers, world))):
        events += logged.events(world, lived, model=MODEL, version="1")
        truth.append(logged.truth(world, week, lived))
    return sorted(events, key=lambda event: (event.at, event.id)), truth


def _answers(world: Playground, asks: Sequence[Ask]) -> list[Served]:
    texts = [_text(world, ask) for ask in asks]
    given = [sum(len(message["content"].split()) for message in ask.prompt()) for ask in asks]
    return [
        Served(text=text, tokens_in=before, tokens_out=len(text.split()))
        for text, before in zip(texts, given, strict=True)
    ]


def _text(world: Playground, ask: Ask) -> str:
    chance = draws(world.seed, "by chance", ask.answer)
    if ask.said and (fixed := answered(ask.request, ask.said)):
        return fixed
    parts = by_chance(ask.request, chance)
    if ask.said and ask.said.parts is not None and chance.random() < HEEDED:
        parts = ask.said.parts
    return compose(ask.request, parts)
