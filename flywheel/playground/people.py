"""What a person does with an answer, and what each act really meant.

Acts are all that the product sees; `means` goes to the truth alone. The rules of taste belong in `tastes`, the words
that people say in `talk`.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from flywheel.playground.talk import Said, correction, objection, question, thanks
from flywheel.playground.tastes import mended, results, satisfaction, spoiled
from flywheel.playground.texts import Request, compose, found
from flywheel.playground.world import Playground, User

Deed = Literal[
    "send", "edit", "regenerate", "rephrase", "correct", "object", "walk_away", "dismiss", "ignore", "scroll_past",
    "rate", "complaint", "question", "thanks", "topic",
]  # fmt: skip
Meaning = Literal["like", "dislike", "nothing", "mistake", "careless", "hostile"]

# What leads to another answer for the same need, and what to one for something else.
AGAIN: tuple[Deed, ...] = ("regenerate", "rephrase", "correct", "object")
BESIDE: tuple[Deed, ...] = ("question", "thanks", "topic")
CARELESS: dict[Deed, float] = {
    "send": 0.4, "edit": 0.2, "regenerate": 0.1, "rephrase": 0.05, "walk_away": 0.12, "ignore": 0.1, "object": 0.03
}  # fmt: skip
HOSTILE: dict[Deed, float] = {"edit": 0.7, "regenerate": 0.2, "walk_away": 0.1}
ON = 0.3  # of those who scroll past an answer, so many go on to the next thing in the same conversation
COMMENTS = ("This is not how we write.", "Please read our style rules.", "Not usable as it is.")


@dataclass(frozen=True, kw_only=True)
class Act:
    """One thing a person did: `text` is what they sent or wrote, `said` a next message, `value` a rating."""

    act: Deed
    means: Meaning
    text: str = ""
    said: Said | None = None
    value: float = 0.0


def react(
    world: Playground, user: User, request: Request, text: str, *, last: bool, chance: random.Random
) -> list[Act]:
    """What this person does with this answer, in order; when it is the `last`, they do not ask again."""
    if chance.random() < world.leaving.unseen:
        on = [Act(act="topic", means="nothing")] if chance.random() < ON else []
        return [Act(act="scroll_past", means="nothing"), *on]
    if user.character == "careless":
        return _careless(user, request, text, last, chance)
    if user.character == "hostile":
        return _hostile(user, request, text, last, chance)
    return _careful(world, user, request, text, last, chance)


def heard() -> list[Act]:
    """What anybody does with an answer to their thanks or their question: they read it."""
    return [Act(act="ignore", means="nothing")]


def _careful(
    world: Playground, user: User, request: Request, text: str, last: bool, chance: random.Random
) -> list[Act]:
    good = satisfaction(request, text) == 1
    misjudged = chance.random() < world.noise
    pleased = good != misjudged
    means: Meaning = "mistake" if misjudged else "like" if good else "dislike"
    acts = _thumb(chance, user.thumbs, 1.0 if pleased else -1.0, means)
    if pleased:
        acts += _happy(world, request, text, chance, means)
    else:
        acts += _unhappy(world, user, request, text, last, chance, means)
    sent = next((act.text for act in acts if act.act in ("send", "edit")), "")
    if sent and satisfaction(request, sent) < 1 and chance.random() < world.complaint:
        acts.append(Act(act="complaint", means="dislike", value=1.0))
    return acts


def _happy(world: Playground, request: Request, text: str, chance: random.Random, means: Meaning) -> list[Act]:
    """They use it or were served by reading it; some then say thanks, ask what it means, or ask for the next thing."""
    unused = chance.random() < world.ignore
    done = Act(act="ignore", means="nothing") if unused else Act(act="send", means=means, text=text)
    rates: dict[Deed, float] = {"question": world.talk.question, "thanks": world.talk.thanks, "topic": world.talk.topic}
    drawn = chance.random()
    for deed, rate in rates.items():
        if drawn < rate:
            return [done, _beside(deed, request, chance, means)]
        drawn -= rate
    return [done]


def _beside(deed: Deed, request: Request, chance: random.Random, means: Meaning) -> Act:
    if deed == "thanks":
        return Act(act="thanks", means=means, said=thanks(chance))
    return Act(act=deed, means="nothing", said=question(request, chance) if deed == "question" else None)


def _unhappy(
    world: Playground, user: User, request: Request, text: str, last: bool, chance: random.Random, means: Meaning
) -> list[Act]:
    deed = _choice(chance, user.habits, last)
    said = correction(request, text, chance, world.talk.news)
    match deed:
        case "send":
            sent = Act(act="send", means="nothing", text=text)
            regretted = not last and chance.random() < world.talk.regrets
            return [sent, Act(act="correct", means=means, said=said)] if regretted else [sent]
        case "correct":
            return [Act(act="correct", means=means, said=said)]
        case "object":
            return [Act(act="object", means=means, said=objection(chance))]
        case "dismiss":
            return [Act(act="dismiss", means=means), Act(act="topic", means="nothing")]
        case "edit":
            return [Act(act="edit", means=means, text=_edited(user, request, text, chance))]
        case _:
            return [Act(act=deed, means=means)]


def _edited(user: User, request: Request, text: str, chance: random.Random) -> str:
    whole = mended(request, text)
    several = list(results(request, text).values()).count(False) > 1
    kept = mended(request, text, faults=1) if several and chance.random() < user.partial else whole
    # Who misjudges an answer finds nothing to mend in it and changes something that was right.
    return _touched(request, text, chance) if text in (kept, whole) else kept


def _careless(user: User, request: Request, text: str, last: bool, chance: random.Random) -> list[Act]:
    acts = _thumb(chance, user.thumbs, chance.choice((-1.0, 1.0)), "careless")
    deed = _choice(chance, CARELESS, last)
    sent = {"send": text, "edit": _touched(request, text, chance)}.get(deed, "")
    said = objection(chance) if deed == "object" else None
    return [*acts, Act(act=deed, means="careless", text=sent, said=said)]


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
