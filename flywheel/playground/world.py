"""The playground's settings, its users and its calendar.

Who exists, which habits each has, and when a week lies belongs here. What they want belongs in `tastes`, what they do
with an answer in `people`.
"""

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from flywheel.errors import BadInput
from flywheel.settings import Frozen, Share

SEGMENTS = ("retail", "wholesale", "travel", "bank")

Character = Literal["careful", "careless", "hostile"]
Weight = Annotated[float, Field(ge=0)]


class Habits(Frozen):
    """What a careful user does with an answer they dislike; weights, made shares of one."""

    edit: Weight = 0.56
    """Changes it and sends that."""
    regenerate: Weight = 0.17
    """Asks for another answer to the same message."""
    rephrase: Weight = 0.06
    """Asks again in other words."""
    walk_away: Weight = 0.08
    """Does nothing more."""
    send: Weight = 0.05
    """Sends it all the same."""
    correct: Weight = 0.05
    """Says what is wrong with it, in the same conversation."""
    object: Weight = 0.02
    """Says that it is wrong, and not how."""
    dismiss: Weight = 0.01
    """Leaves it and asks for the next thing in the same conversation."""


class Talk(Frozen):
    """What people say in the same conversation, as a share of the answers that could lead to it."""

    news: Share = 0.15
    """How often a correction tells what the model could not have known."""
    regrets: Share = 0.20
    """How often one who sent what they disliked says afterwards what is wrong with it."""
    question: Share = 0.02
    """How often a person whom an answer pleases asks what something in it means before they go on."""
    thanks: Share = 0.03
    """How often they say thanks."""
    topic: Share = 0.02
    """How often they ask for the next thing in the same conversation."""


class Leaving(Frozen):
    """The cues of one who goes without using an answer. None is sure: some who were served go fast, some who were not
    stay.
    """

    unseen: Share = 0.02
    """How often an answer is scrolled past: it neither pleased nor displeased."""
    hasty: Share = 0.85
    """How often one whom the answer displeased goes before it can be read."""
    glances: Share = 0.08
    """How often one whom it pleased needs no more than a glance."""
    lingers: Share = 0.80
    """How often one whom it pleased stays with it for long."""
    solved: Share = 0.50
    """How often the product learns that the matter of one whom it pleased was solved."""
    wrongly_solved: Share = 0.03
    """How often it believes so of one who walked away."""


class Product(Frozen):
    """What the product does beside answering, as a share of its answers."""

    refuses: Share = 0.01
    """It refuses a request that it should answer."""
    silent: Share = 0.25
    """Such a refusal is not marked as one."""
    lookups: Share = 0.15
    """It looks up the order."""
    broken: Share = 0.06
    """Such a lookup fails because of the environment."""
    misused: Share = 0.04
    """Such a lookup fails because the model asked for the wrong thing."""
    tries_again: Share = 0.5
    """After a failure it calls once more."""
    repeats: Share = 0.02
    """After a lookup that did not fail it makes the same one again."""
    searches: Share = 0.15
    """It searches its documents."""
    empty: Share = 0.08
    """Such a search finds nothing."""


class Base(Frozen):
    """The small model that the product starts with."""

    seed: int = 0
    """Its own, so that every playground seed starts from the same cached model."""
    examples: Annotated[int, Field(gt=0)] = 20000
    """Requests with their answers that it is trained on."""
    talks: Share = 0.1
    """For this share of them, a second message in the same conversation and its answer as well."""
    epochs: Annotated[int, Field(gt=0)] = 1
    """How often each is seen."""
    batch: Annotated[int, Field(gt=0)] = 32
    """Texts per optimizer step."""
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    """The peak of its schedule."""
    hidden: Annotated[int, Field(gt=0)] = 128
    """Width."""
    layers: Annotated[int, Field(gt=0)] = 2
    """Depth."""


class Playground(Frozen):
    """The section `[playground]` of the settings."""

    seed: int = 0
    """Another seed is another population with other weeks."""
    start: date = date(2026, 1, 5)
    """The first day of the first week."""
    users: Annotated[int, Field(gt=0)] = 200
    """How many people use the product."""
    requests: dict[str, Weight] = Field(default={"reply-drafts": 7.0, "call-notes": 4.5})
    """Requests of a typical user in a week, by workload."""
    careless: Share = 0.05
    """The share of users who act at random."""
    hostile: Share = 0.04
    """The share of users who invert ratings and spoil what they edit."""
    noise: Share = 0.04
    """How often a careful user misjudges an answer."""
    ignore: Share = 0.10
    """How often an answer that pleases is read and never used."""
    thumbs: Share = 0.15
    """How often a careful user rates."""
    partial: Share = 0.15
    """How often an edit mends only one of several faults."""
    complaint: Share = 0.30
    """How often something sent with a fault is complained about."""
    attempts: Annotated[int, Field(ge=1)] = 3
    """The most answers a person asks for before they give up on asking."""
    unhappy: Habits = Habits()
    """What people do with an answer they dislike."""
    talk: Talk = Talk()
    """What they say beside that."""
    leaving: Leaving = Leaving()
    """What can be seen of it when they go without using an answer."""
    product: Product = Product()
    """What the product does beside answering."""
    spread: Annotated[float, Field(gt=0)] = 8.0
    """How alike people's habits are: the weight of the common habit in each person's own."""
    max_new_tokens: Annotated[int, Field(gt=0)] = 64
    """Length of an answer."""
    base: Base = Base()
    """The model the product starts with."""


@dataclass(frozen=True, kw_only=True)
class User:
    """A person: `id` is all that a log ever shows."""

    id: str
    segment: str
    character: Character
    activity: float
    habits: dict[str, float]
    thumbs: float
    partial: float


def read(section: Mapping[str, Any]) -> Playground:
    """The settings of `[playground]`, or one sentence about the first that is wrong."""
    try:
        return Playground(**section)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        what = f"[playground], field {where}: {first['msg']}"
        raise BadInput(what, seen=first["input"], do="mend that field") from None


def draws(*of: object) -> random.Random:
    """A stream of chance that belongs to what is named, whatever else is drawn."""
    return random.Random("/".join(map(str, of)))


def identity(*of: object) -> str:
    return hashlib.sha256("/".join(map(str, of)).encode()).hexdigest()[:16]


def population(world: Playground) -> list[User]:
    """Every user, the same in every week."""
    characters: list[Character] = ["careful" for _ in range(world.users)]
    careless, hostile = round(world.careless * world.users), round(world.hostile * world.users)
    characters[: careless + hostile] = [*("careless" for _ in range(careless)), *("hostile" for _ in range(hostile))]
    draws(world.seed, "characters").shuffle(characters)
    return [_user(world, number, character) for number, character in enumerate(characters)]


def _user(world: Playground, number: int, character: Character) -> User:
    chance = draws(world.seed, "user", number)
    common = world.unhappy.model_dump()
    own = {act: chance.gammavariate(world.spread * weight, 1) if weight else 0.0 for act, weight in common.items()}
    return User(
        id=identity(world.seed, "user", number),
        segment=SEGMENTS[number % len(SEGMENTS)],
        character=character,
        activity=chance.uniform(0.6, 1.4),
        habits=own,
        thumbs=min(1.0, world.thumbs * chance.uniform(0.0, 2.0)),
        partial=min(1.0, world.partial * chance.uniform(0.5, 1.5)),
    )


def first_day(world: Playground, week: int) -> date:
    """The Monday of a week; the first week is 1."""
    return world.start + timedelta(weeks=week - 1)


def moments(world: Playground, week: int, n: int, chance: random.Random) -> list[datetime]:
    """When in the week a person asks: in office hours, in order."""
    days = [first_day(world, week) + timedelta(days=chance.randrange(7)) for _ in range(n)]
    opening = [datetime.combine(day, time(8), tzinfo=UTC) for day in days]
    return sorted(at + timedelta(seconds=chance.randrange(10 * 3600)) for at in opening)
