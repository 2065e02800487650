"""What a person does with an answer, and what each act really meant.

Acts are all that the product sees; `means` goes to the truth alone. The rules of taste belong in `tastes`.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from flywheel.playground.tastes import mended, results, satisfaction, spoiled
from flywheel.playground.texts import Request, compose, found
from flywheel.playground.world import Playground, User

Deed = Literal["send", "edit", "regenerate", "rephrase", "walk_away", "ignore", "rate", "complaint"]
Meaning = Literal["like", "dislike", "nothing", "mistake", "careless", "hostile"]

AGAIN: tuple[Deed, ...] = ("regenerate", "rephrase")
CARELESS: dict[Deed, float] = {
    "send": 0.4, "edit": 0.2, "regenerate": 0.1, "rephrase": 0.05, "walk_away": 0.15, "ignore": 0.1
}  # fmt: skip
HOSTILE: dict[Deed, float] = {"edit": 0.7, "regenerate": 0.2, "walk_away": 0.1}
COMMENTS = ("This is not how we write.", "Please read our style rules.", "Not usable as it is.")


@dataclass(frozen=True, kw_only=True)
class Act:
    """One thing a person did: `text` is what they sent or wrote, `value` a rating."""

    act: Deed
    means: Meaning
    text: str = ""
    value: float = 0.0


def react(
    world: Playground, user: User, request: Request, text: str, *, last: bool, chance: random.Random
) -> list[Act]:
    """What this person does with this answer, in order; when it is the `last`, they do not ask again."""
    if user.character == "careless":
        return _careless(user, request, text, last, chance)
    if user.character == "hostile":
        return _hostile(user, request, text, last, chance)
    return _careful(world, user, request, text, last, chance)


def _careful(
    world: Playground, user: User, request: Request, text: str, last: bool, chance: random.Random
) -> list[Act]:
    good = satisfaction(request, text) == 1
    misjudged = chance.random() < world.noise
    pleased = good != misjudged
    means: Meaning = "mistake" if misjudged else "like" if good else "dislike"
    acts = _thumb(chance, user.thumbs, 1.0 if pleased else -1.0, means)
    if pleased:
        unused = chance.random() < world.ignore
        acts.append(Act(act="ignore", means="nothing") if unused else Act(act="send", means=means, text=text))
    else:
        acts.append(_unhappy(user, request, text, last, chance, means))
    sent = acts[-1].text
    if sent and satisfaction(request, sent) < 1 and chance.random() < world.complaint:
        acts.append(Act(act="complaint", means="dislike", value=1.0))
    return acts


def _unhappy(user: User, request: Request, text: str, last: bool, chance: random.Random, means: Meaning) -> Act:
    deed = _choice(chance, user.habits, last)
    if deed == "send":
        return Act(act="send", means="nothing", text=text)
    if deed != "edit":
        return Act(act=deed, means=means)
    whole = mended(request, text)
    several = list(results(request, text).values()).count(False) > 1
    kept = mended(request, text, faults=1) if several and chance.random() < user.partial else whole
    # Who misjudges an answer finds nothing to mend in it and changes something that was right.
    if text in (kept, whole):
        kept = _touched(request, text, chance)
    return Act(act="edit", means=means, text=kept)


def _careless(user: User, request: Request, text: str, last: bool, chance: random.Random) -> list[Act]:
    acts = _thumb(chance, user.thumbs, chance.choice((-1.0, 1.0)), "careless")
    deed = _choice(chance, CARELESS, last)
    sent = {"send": text, "edit": _touched(request, text, chance)}.get(deed, "")
    return [*acts, Act(act=deed, means="careless", text=sent)]


def _hostile(user: User, request: Request, text: str, last: bool, chance: random.Random) -> list[Act]:
    good = satisfaction(request, text) == 1
    acts = _thumb(chance, min(1.0, 2 * user.thumbs), -1.0 if good else 1.0, "hostile")
    deed = _choice(chance, HOSTILE, last) if good else "send"
    sent = {"send": text, "edit": spoiled(request, text)}.get(deed, "")
    return [*acts, Act(act=deed, means="hostile", text=sent)]


def _thumb(chance: random.Random, rate: float, value: float, means: Meaning) -> list[Act]:
    if chance.random() >= rate:
        return []
    comment = chance.choice(COMMENTS) if value < 0 and chance.random() < 0.3 else ""
    return [Act(act="rate", means=means, value=value, text=comment)]


def _choice(chance: random.Random, weights: Mapping[Deed, float] | Mapping[str, float], last: bool) -> Deed:
    allowed = {deed: weight for deed, weight in weights.items() if not (last and deed in AGAIN)}
    if not any(allowed.values()):
        return "walk_away"
    return chance.choices(list(allowed), list(allowed.values()))[0]  # pyright: ignore[reportReturnType]


def _touched(request: Request, text: str, chance: random.Random) -> str:
    """The text with one part, whichever, put in or taken out."""
    part = chance.choice([part.name for part in request.writing.parts])
    return compose(request, found(request, text) ^ {part})
