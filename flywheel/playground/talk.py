"""What people say after an answer in the same conversation, and what an answer to that would hold.

Words only: who says them, and when, belongs in `people`. A person who says what is wrong names a part by its everyday
name, in one of several wordings; some of them sound like a correction and some do not.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from flywheel.playground.tastes import Preference, tastes
from flywheel.playground.texts import Request, correct, found

Reading = Literal["correction", "objection", "question", "thanks"]

CALLED = {"number": "the order number", "mood": "the small talk", "author": "who wrote it"}
MISSING = (
    "No, {what} is missing. Please put it in.",
    "You forgot {what}. Please add it.",
    "That is not right, I need {what} in it.",
    "Please add {what}, it should be in there.",
)
TOO_MUCH = (
    "No, please leave out {what}.",
    "I did not ask for {what}. Take it out.",
    "Not with {what}, please remove it.",
    "Please write it again without {what}.",
)
TOO_LONG = ("No, that is too long. Please make it shorter.", "Please cut it down, it is too long.")
WRONG = (
    "No, that is wrong. It is order {number} and it {trouble}.",
    "Wrong, I am {name} and order {number} {trouble}.",
)
NEWS = (
    "No, it left depot {depot} this morning. Please write that.",
    "That is wrong, the carrier is {carrier} and the parcel is {depot}. Say so.",
)
CARRIERS = ("Nordpost", "Velofracht", "Hansa Cargo")
OBJECTIONS = (
    "That is not what I asked.",
    "This does not help me at all.",
    "No, that is wrong.",
    "Not like this.",
)
QUESTIONS = (
    "What does it mean that it {done}?",
    "Can you explain what happens with order {number} now?",
    "Do you mean order {number}?",
)
THANKS = ("Thanks, that is just right.", "Thank you!", "Great, thanks.", "Perfect.")
WELCOME = "You are welcome."
MEANING = "It means that order {number} {done}."


@dataclass(frozen=True, kw_only=True)
class Said:
    """A message after an answer; `parts` is what an answer that takes it to heart has, `news` what only this tells."""

    reading: Reading
    text: str
    parts: frozenset[str] | None = None
    news: str = ""


def correction(request: Request, text: str, chance: random.Random, news: float = 0.0) -> Said:
    """What is wrong with this text and how it should be; with the chance of `news`, what nobody could have known."""
    present = found(request, text)
    if chance.random() < news:
        return _news(request, present, chance)
    if not correct(request, text):
        return Said(reading="correction", text=_worded(request, WRONG, chance), parts=present)
    unmet = [wish for wish in tastes(request) if not wish.holds(request, text)]
    # Who misjudges an answer finds fault with a part that was right.
    wish = unmet[0] if unmet else _fault(request, present, chance)
    if wish.words:
        wanted = {other.part for other in tastes(request) if other.wanted}
        return Said(reading="correction", text=chance.choice(TOO_LONG), parts=present & wanted)
    return of_part(request, present, wish.part, chance)


def of_part(request: Request, present: frozenset[str], part: str, chance: random.Random) -> Said:
    """This part is missing, or should not be there."""
    wordings = TOO_MUCH if part in present else MISSING
    text = chance.choice(wordings).format(what=CALLED.get(part, f"the {part}"))
    return Said(reading="correction", text=text, parts=present ^ {part})


def objection(chance: random.Random) -> Said:
    """That it is wrong, and not how."""
    return Said(reading="objection", text=chance.choice(OBJECTIONS))


def question(request: Request, chance: random.Random) -> Said:
    """What something in the answer means: no verdict on it."""
    return Said(reading="question", text=_worded(request, QUESTIONS, chance))


def thanks(chance: random.Random) -> Said:
    return Said(reading="thanks", text=chance.choice(THANKS))


def answered(request: Request, said: Said) -> str:
    """What old answers said to thanks and to questions; empty where only the answer itself, anew, would do."""
    if said.reading == "thanks":
        return WELCOME
    return request.fill(MEANING) if said.reading == "question" else ""


def _news(request: Request, present: frozenset[str], chance: random.Random) -> Said:
    facts = {"depot": f"{chance.choice('BCDFGH')}{chance.randrange(2000, 9999)}", "carrier": chance.choice(CARRIERS)}
    text = _worded(request, NEWS, chance, **facts)
    return Said(reading="correction", text=text, parts=present, news=facts["depot"])


def _fault(request: Request, present: frozenset[str], chance: random.Random) -> Preference:
    part = chance.choice([part.name for part in request.writing.parts])
    return Preference(name=part, part=part, wanted=part not in present)


def _worded(request: Request, wordings: Sequence[str], chance: random.Random, **facts: str) -> str:
    trouble, done = request.writing.troubles[request.trouble]
    known = {"name": request.customer, "number": request.number, "trouble": trouble, "done": done}
    return chance.choice(wordings).format(**known, **facts)
