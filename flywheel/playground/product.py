"""The product around its model: who asks when, what the model is given, what else the product does, and who asks again.

Knows neither torch nor where answers come from: `live` is given a function for each workload that answers. What is
logged of it, and what the truth says, belongs in `logged`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from flywheel.playground.people import AGAIN, BESIDE, Act, Deed, heard, react
from flywheel.playground.talk import Said
from flywheel.playground.texts import Request, some_request
from flywheel.playground.world import Playground, User, draws, identity, moments, population

REFUSAL = "I am sorry, but I cannot help with that."
BROKEN = (
    "timeout after 30 s", "503 Service Unavailable", "connection reset by peer", "the order system is down",
    "lookup cancelled",
)  # fmt: skip
MISUSED = ("unknown order number {number}", "order {number} not found", "argument number: must be 5 digits")
# How long after an answer was asked for the next message comes.
DELAYS: dict[Deed, tuple[int, int]] = {
    "regenerate": (40, 40), "rephrase": (70, 70), "correct": (40, 110), "object": (30, 60),
    "question": (40, 120), "thanks": (35, 90), "topic": (300, 1500),
}  # fmt: skip

Cause = Literal["environment", "model", "repeat"]


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One answer a person waits for; `need` stays the same while they ask again, `message` counts their wordings.

    `said` is what they wrote after an answer, where that is no request. The model is given the request before it and
    not its own earlier answers: one as small as the playground's copies names and numbers from the wrong place then.
    """

    need: str
    user: User
    request: Request
    at: datetime
    conversation: str
    attempt: int = 0
    message: int = 0
    said: Said | None = None

    @property
    def answer(self) -> str:
        return f"a-{self.need}-{self.attempt}"

    @property
    def aside(self) -> bool:
        """Thanks or a question: the answer is not an answer to the need."""
        return self.said is not None and self.said.reading in BESIDE

    def prompt(self) -> list[dict[str, str]]:
        said = [{"role": "user", "content": self.said.text}] if self.said else []
        return [*self.request.prompt(), *said]


@dataclass(frozen=True, kw_only=True)
class Call:
    """A lookup of the order: what it was asked, what came back or why nothing did, and what truly was the matter.

    A `repeat` did not fail: it was made once more for nothing.
    """

    arguments: dict[str, str]
    text: str | None = None
    error: str | None = None
    cause: Cause | None = None


@dataclass(frozen=True, kw_only=True)
class Served:
    """An answer as the product gave it, and what it did for that."""

    text: str
    tokens_in: int
    tokens_out: int
    refused: bool = False
    marked: bool = False
    calls: tuple[Call, ...] = ()
    searched: bool = False
    found: tuple[str, ...] = field(default=())


class Lived(NamedTuple):
    """An answer with what its person did."""

    ask: Ask
    served: Served
    acts: list[Act]


Answering = Callable[[Sequence[Ask]], list[Served]]


def live(world: Playground, week: int, workloads: Mapping[str, Answering]) -> Iterable[Lived]:
    """All that happens in a week, workload by workload, one round of answers after the other."""
    for workload, answering in workloads.items():
        asks = requests(world, week, workload)
        while asks:
            served = [busy(world, ask, given) for ask, given in zip(asks, answering(asks), strict=True)]
            acts = [_acts(world, ask, given) for ask, given in zip(asks, served, strict=True)]
            lived = [Lived(*each) for each in zip(asks, served, acts, strict=True)]
            yield from lived
            asks = [again for each in lived if (again := _again(each.ask, each.acts))]


def requests(world: Playground, week: int, workload: str) -> list[Ask]:
    """What everybody needs of this workload in this week."""
    asks = []
    for user in population(world):
        chance = draws(world.seed, "week", week, workload, user.id)
        often = int(world.requests.get(workload, 0) * user.activity + chance.random())
        for number, at in enumerate(moments(world, week, often, chance)):
            need = identity(world.seed, week, workload, user.id, number)
            request = some_request(workload, user.segment, chance)
            asks.append(Ask(need=need, user=user, request=request, at=at, conversation=f"c-{need}"))
    return asks


def busy(world: Playground, ask: Ask, served: Served) -> Served:
    """The answer with what the product did for it; a refusal stands in place of what the model wrote."""
    chance, knobs = draws(world.seed, "product", ask.answer), world.product
    if ask.aside:
        return served
    if chance.random() < knobs.refuses:
        return replace(served, text=REFUSAL, tokens_out=9, refused=True, marked=chance.random() >= knobs.silent)
    # What was looked up once is known for the rest of the conversation.
    calls = _looked_up(world, ask) if chance.random() < knobs.lookups and ask.attempt == 0 else ()
    searched = chance.random() < knobs.searches
    empty = searched and chance.random() < knobs.empty
    found = () if empty else tuple(f"doc-{number}" for number in chance.sample(range(100, 200), 3))
    return replace(served, calls=calls, searched=searched, found=found if searched else ())


def _looked_up(world: Playground, ask: Ask) -> tuple[Call, ...]:
    chance, knobs = draws(world.seed, "lookup", ask.answer), world.product
    right = {"number": ask.request.number}
    good = Call(arguments=right, text=f"order {ask.request.number} {ask.request.fill('{done}')}")
    drawn = chance.random()
    if drawn < knobs.broken:
        failed = Call(arguments=right, error=chance.choice(BROKEN), cause="environment")
    elif drawn < knobs.broken + knobs.misused:
        wrong = {"number": f"{chance.randrange(1000, 9999)}"}
        failed = Call(arguments=wrong, error=chance.choice(MISUSED).format(**wrong), cause="model")
    else:
        return (good, replace(good, cause="repeat")) if chance.random() < knobs.repeats else (good,)
    return (failed, good) if chance.random() < knobs.tries_again else (failed,)


def _acts(world: Playground, ask: Ask, served: Served) -> list[Act]:
    if ask.aside:
        return heard()
    # Chance belongs to the answer's place, not to its text: two models meet people in the same mood.
    chance = draws(world.seed, "acts", ask.answer)
    return react(world, ask.user, ask.request, served.text, last=ask.attempt + 1 >= world.attempts, chance=chance)


def _again(ask: Ask, acts: list[Act]) -> Ask | None:
    """The next answer this person waits for, if they wrote again."""
    act = next((act for act in acts if act.act in (*AGAIN, *BESIDE)), None)
    if act is None:
        return None
    chance = draws("again", ask.answer)
    seconds = chance.randint(*DELAYS[act.act])
    later = replace(ask, attempt=ask.attempt + 1, at=ask.at + timedelta(seconds=seconds))
    if act.act == "regenerate":
        return later
    if act.act == "rephrase":
        request = replace(ask.request, wording=ask.request.wording + 1)
        return replace(later, request=request, message=ask.message + 1, said=None)
    if act.act != "topic":
        return replace(later, message=ask.message + 1, said=act.said)
    request = some_request(ask.request.workload, ask.user.segment, chance)
    return replace(later, need=identity(ask.need, "topic"), request=request, attempt=0, message=0, said=None)
