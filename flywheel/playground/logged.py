"""What is logged of an answer, and what the truth says of it.

The log holds what a product can know: that an answer was given and seen, and what was done with it. What people thought
stands in the truth alone.
"""

import random
from datetime import datetime, timedelta
from typing import Any

from flywheel.capture.events import (
    Accepted,
    Edited,
    Event,
    Message,
    Outcome,
    Rated,
    Response,
    Retrieval,
    Shown,
    ToolCall,
)
from flywheel.playground.people import Act
from flywheel.playground.product import Ask, Lived, Served
from flywheel.playground.tastes import results, satisfaction
from flywheel.playground.world import Playground, draws

TOOL = "find_order"
WAITS = timedelta(seconds=150)


def events(world: Playground, lived: Lived, *, model: str, version: str) -> list[Event]:
    """The events of one answer: what was done for it, that it was given and seen, and what was done with it."""
    ask, served, acts = lived
    chance = draws("pace", ask.answer)
    latency = 120.0 + 9.0 * served.tokens_out + chance.randrange(80)
    given = ask.at + timedelta(milliseconds=latency)
    about = _about(ask)
    response = Response(
        id=ask.answer,
        at=_stamp(given),
        component="generator",
        parent=f"m-{ask.need}-{ask.message}",
        prompt=[Message(**message) for message in ask.prompt()],
        text=served.text,
        model=model,
        model_version=version,
        prompt_version="1",
        refused=True if served.marked else None,
        tokens_in=served.tokens_in,
        tokens_out=served.tokens_out,
        latency_ms=latency,
        **about,
    )
    shown, seen_for = _shown(world, lived, given, chance)
    acted = given + timedelta(milliseconds=seen_for)
    # Who asks first what the answer means uses it after that.
    waited = WAITS if any(act.act == "question" for act in acts) else timedelta()
    done = [event for act in acts for event in _act_events(act, ask.answer, acted + waited, about)]
    if solved(world, lived):
        facts = {"id": f"{ask.answer}-solved", "at": _stamp(acted + timedelta(hours=1)), "answer": ask.answer}
        done.append(Outcome(name="solved", value=1.0, **facts, **about))
    return [*_work(ask, served, about), response, shown, *done]


def solved(world: Playground, lived: Lived) -> bool:
    """Whether the product learns of one who used nothing that the matter was solved: often it was, at times it errs."""
    rates = {"ignore": world.leaving.solved, "walk_away": world.leaving.wrongly_solved}
    rate = max(rates.get(act.act, 0.0) for act in lived.acts)
    return not lived.ask.aside and draws("solved", lived.ask.answer).random() < rate


def truth(world: Playground, week: int, lived: Lived) -> dict[str, Any]:
    """What the answer was worth, what was done with it and why, and what the person had said to get it."""
    ask, served, acts = lived
    return {
        "workload": ask.request.workload,
        "week": week,
        "user": ask.user.id,
        "character": ask.user.character,
        "segment": ask.request.segment,
        "conversation": ask.conversation,
        "need": ask.need,
        "attempt": ask.attempt,
        "answer": ask.answer,
        "said": ask.said.reading if ask.said else "request",
        "news": ask.said.news if ask.said else "",
        "preferences": {} if ask.aside else results(ask.request, served.text),
        "satisfaction": None if ask.aside else satisfaction(ask.request, served.text),
        "acts": [{"act": act.act, "means": act.means} for act in acts],
        "solved": solved(world, lived),
        "refused": served.refused,
        "calls": [{"id": id, "cause": call.cause} for id, call in zip(_calls(ask, served), served.calls, strict=True)],
        "search": "" if not served.searched else "found" if served.found else "empty",
    }


def _about(ask: Ask) -> dict[str, Any]:
    return {
        "workload": ask.request.workload,
        "conversation": ask.conversation,
        "user": ask.user.id,
        "tags": {"segment": ask.request.segment, "language": "en"},
    }


def _calls(ask: Ask, served: Served) -> list[str]:
    return [f"{ask.answer}-call-{number}" for number in range(len(served.calls))]


def _work(ask: Ask, served: Served, about: dict[str, Any]) -> list[Event]:
    """What the product did before it answered."""
    work: list[Event] = []
    if served.searched:
        facts = {"id": f"{ask.answer}-search", "at": _stamp(ask.at + timedelta(milliseconds=10)), "answer": ask.answer}
        query = ask.request.writing.troubles[ask.request.trouble][0]
        work.append(Retrieval(query=query, documents=list(served.found), empty=not served.found, **facts, **about))
    for number, (id, call) in enumerate(zip(_calls(ask, served), served.calls, strict=True)):
        at = _stamp(ask.at + timedelta(milliseconds=20 + 40 * number))
        given = {"name": TOOL, "arguments": call.arguments, "text": call.text, "error": call.error}
        work.append(ToolCall(id=id, at=at, answer=ask.answer, latency_ms=30.0, **given, **about))
    return work


def _shown(world: Playground, lived: Lived, given: datetime, chance: random.Random) -> tuple[Shown, float]:
    """That it was seen, and for how long: those who go without using it go before or long after it can be read."""
    ask, served, acts = lived
    knobs, deeds = world.leaving, {act.act for act in acts}
    pleased = "ignore" in deeds and not ask.aside
    dwell = 1500.0 + 30.0 * len(served.text) + chance.randrange(4000)
    visible = True
    if "scroll_past" in deeds:
        visible, dwell = chance.random() < 0.5, float(chance.randrange(100, 900))
    elif ("walk_away" in deeds and chance.random() < knobs.hasty) or (pleased and chance.random() < knobs.glances):
        dwell = float(chance.randrange(1000, 3000))
    elif pleased and chance.random() < knobs.lingers:
        dwell *= chance.uniform(2.5, 6.0)
    facts = {"id": f"{ask.answer}-shown", "at": _stamp(given + timedelta(milliseconds=60)), "answer": ask.answer}
    return Shown(visible=visible, dwell_ms=dwell if visible else None, **facts, **_about(ask)), dwell


def _act_events(act: Act, answered: str, at: datetime, about: dict[str, Any]) -> list[Event]:
    """Writing again and walking away leave no event of their own: a next response, or nothing, tells of them."""

    def facts(name: str, **after: float) -> dict[str, Any]:
        return {"id": f"{answered}-{name}", "at": _stamp(at + timedelta(**after)), "answer": answered, **about}

    if act.act == "rate":
        return [Rated(value=act.value, comment=act.text or None, **facts("rated"))]
    if act.act == "send":
        return [Accepted(how="sent", **facts("accepted", seconds=2))]
    if act.act == "edit":
        edited = Edited(text=act.text, **facts("edited", seconds=12))
        return [edited, Accepted(how="sent", **facts("accepted", seconds=14))]
    if act.act == "complaint":
        return [Outcome(name="complaint", value=act.value, **facts("complaint", hours=3))]
    return []


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
