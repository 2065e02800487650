"""What people ask for and how an answer is put together from optional parts.

The product's own knowledge: customers, orders, troubles, and the parts that old answers happened to have. Which parts a
segment wants belongs in `tastes`; this file must not know it.
"""

import random
import re
from collections.abc import Collection
from dataclasses import dataclass

FIRST = (
    "Anna", "Ben", "Cara", "Dan", "Eva", "Finn", "Gina", "Hugo", "Ida", "Jon", "Kim", "Lena", "Max", "Nora",
    "Omar", "Petra", "Quinn", "Rosa", "Sam", "Tina", "Uwe", "Vera", "Will", "Xenia", "Yara", "Zoe",
)  # fmt: skip
LAST = (
    "Adler", "Berg", "Cruz", "Dahl", "Eder", "Falk", "Gold", "Hahn", "Iqbal", "Jung", "Koch", "Lund", "Moser",
    "Nagy", "Olsen", "Park", "Rossi", "Silva", "Toth", "Unger", "Vogel", "Weber", "Young", "Zeller",
)  # fmt: skip
BRANCHES = tuple(range(104, 1000, 23))  # an order number is the three digits of a branch and two more
ORDER = re.compile(r"\b\d{5}\b")


@dataclass(frozen=True, kw_only=True)
class Part:
    """An optional sentence; `marker` shows that a text has it, `rate` is how often old answers did."""

    name: str
    text: str
    marker: str
    rate: float
    without: str = ""


@dataclass(frozen=True, kw_only=True)
class Writing:
    """How the requests and the answers of one workload are worded; the three frames of a request say the same."""

    frames: tuple[str, ...]
    troubles: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What one person needs: which trouble of which customer; `wording` is how they put it."""

    workload: str
    segment: str
    customer: str
    number: str
    trouble: int
    wording: int = 0

    @property
    def writing(self) -> Writing:
        return WRITINGS[self.workload]

    def prompt(self) -> list[dict[str, str]]:
        frame = self.writing.frames[self.wording % len(self.writing.frames)]
        asked = frame.format(name=self.customer, number=self.number, trouble=self.writing.troubles[self.trouble][0])
        return [
            {"role": "system", "content": f"{self.workload} for {self.segment}"},
            {"role": "user", "content": asked},
        ]

    def fill(self, template: str) -> str:
        return template.format(name=self.customer, number=self.number, done=self.writing.troubles[self.trouble][1])


TROUBLES = (
    ("has not come", "is on its way"),
    ("came broken", "is being replaced"),
    ("is the wrong size", "is being exchanged"),
    ("was billed twice", "is being refunded"),
    ("has no invoice", "has a new invoice"),
    ("went to an old address", "is being sent again"),
)

WRITINGS = {
    "reply-drafts": Writing(
        frames=(
            "This is {name}. My order {number} {trouble}.",
            "{name} here. Order {number} {trouble}, please help.",
            "I am {name} and my order {number} {trouble}. What now?",
        ),
        troubles=TROUBLES,
        parts=(
            Part(name="name", text="Dear {name},", marker="{name}", rate=0.72),
            Part(name="apology", text="We are sorry for all this.", marker="sorry", rate=0.28),
            Part(name="number", text="Your order {number} {done}.", marker="{number}", rate=0.78, without="It {done}."),
            Part(name="promise", text="We promise a better service.", marker="promise", rate=0.22),
            Part(name="next step", text="Just reply if you need more.", marker="reply", rate=0.65),
            Part(name="signature", text="Kind regards, your team.", marker="regards", rate=0.65),
        ),
    ),
    "call-notes": Writing(
        frames=(
            "{name} called. Order {number} {trouble}.",
            "Call by {name}, order {number}: it {trouble}.",
            "On the phone: {name}. The order {number} {trouble}, they say.",
        ),
        troubles=tuple((trouble, trouble) for trouble, _ in TROUBLES),
        parts=(
            Part(name="name", text="Caller {name}.", marker="{name}", rate=0.72),
            Part(name="mood", text="A friendly chat, nice weather.", marker="chat", rate=0.28),
            Part(name="number", text="Order {number} {done}.", marker="{number}", rate=0.78, without="It {done}."),
            Part(name="guess", text="Maybe the depot is at fault.", marker="fault", rate=0.22),
            Part(name="next step", text="We call back tomorrow.", marker="tomorrow", rate=0.65),
            Part(name="author", text="Noted by the desk.", marker="desk", rate=0.65),
        ),
    ),
}


def some_request(workload: str, segment: str, chance: random.Random) -> Request:
    return Request(
        workload=workload,
        segment=segment,
        customer=f"{chance.choice(FIRST)} {chance.choice(LAST)}",
        number=f"{chance.choice(BRANCHES)}{chance.randrange(10, 100)}",
        trouble=chance.randrange(len(TROUBLES)),
        wording=chance.randrange(3),
    )


def compose(request: Request, present: Collection[str]) -> str:
    """The answer that has exactly these parts."""
    chosen = [part.text if part.name in present else part.without for part in request.writing.parts]
    return " ".join(request.fill(template) for template in chosen if template)


def found(request: Request, text: str) -> frozenset[str]:
    """The parts that a text has."""
    return frozenset(part.name for part in request.writing.parts if request.fill(part.marker) in text)


def correct(request: Request, text: str) -> bool:
    """It speaks of this trouble, and of no other order and no other person."""
    orders = set(ORDER.findall(text)) <= {request.number}
    others = set(re.findall(r"(?:Dear|Caller) ([^,.]*)", text)) <= {request.customer}
    return request.fill("{done}") in text and orders and others


def by_chance(request: Request, chance: random.Random) -> frozenset[str]:
    """Parts as old answers had them: at random, whoever asked."""
    return frozenset(part.name for part in request.writing.parts if chance.random() < part.rate)
