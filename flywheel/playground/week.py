"""One simulated week of the product: people ask, the served models answer, people act, the log is written.

Imports torch, so it runs in a process of its own. Everything a week holds is decided first and laid in an outbox, then
written to the truth and to the log, and marked as played last: a week killed anywhere is repeated line by line.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from flywheel.capture.events import KINDS, Accepted, Edited, Event, Message, Outcome, Rated, Response, Shown, as_record
from flywheel.capture.writer import Writer
from flywheel.lake import locked
from flywheel.model import Decoding, answer, load_model, load_tokenizer
from flywheel.playground.people import AGAIN, Act, react
from flywheel.playground.tastes import results, satisfaction
from flywheel.playground.texts import Request, some_request
from flywheel.playground.world import Playground, User, draws, first_day, identity, moments, population
from flywheel.process import Report, Result

Serve = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One answer a person waits for; `need` stays the same while they ask again, `message` counts their wordings."""

    need: str
    user: User
    request: Request
    at: datetime
    attempt: int = 0
    message: int = 0

    @property
    def answer(self) -> str:
        return f"a-{self.need}-{self.attempt}"


@dataclass(frozen=True, kw_only=True)
class Served:
    """An answer as the product gave it."""

    text: str
    tokens_in: int
    tokens_out: int


def play(world: Playground, home: Path, logs: Path, serve: Serve, report: Report) -> Result:
    """Play the next week of every workload in `serve`, or finish the one that was cut short."""
    with locked(home / "locks" / "playground"):
        week = played(home) + 1
        outbox = home / "playground" / f"outbox-{week:03}.json"
        if not outbox.exists():
            _write(outbox, json.dumps(live(world, week, serve, report)))
        report(f"week {week}: writing the log")
        lived = json.loads(outbox.read_text())
        truth = "".join(json.dumps(line) + "\n" for line in lived["truth"])
        _write(home / "playground" / "truth" / f"week-{week:03}.jsonl", truth)
        Writer(logs).write_all([_event(record) for record in lived["events"]])
        _write(home / "playground" / "played.json", json.dumps({"week": week}))
        outbox.unlink()
    return lived["result"]


def played(home: Path) -> int:
    """The last week that was played to its end; 0 before the first."""
    mark = home / "playground" / "played.json"
    return json.loads(mark.read_text())["week"] if mark.exists() else 0


def live(world: Playground, week: int, serve: Serve, report: Report) -> dict[str, Any]:
    """All that happens in a week: its events in order of time, its truth, its result."""
    events: list[Event] = []
    truth: list[dict[str, Any]] = []
    for workload, served in serve.items():
        model, tokenizer = load_model(Path(served["path"])), load_tokenizer(Path(served["path"]))
        asks = requests(world, week, workload)
        while asks:
            tell = partial(_tell, report, f"week {week}: answering {workload}, attempt {asks[0].attempt + 1}")
            answers = _answers(world, model, tokenizer, asks, tell)
            acts = [_acts(world, ask, given.text) for ask, given in zip(asks, answers, strict=True)]
            for ask, given, done in zip(asks, answers, acts, strict=True):
                events += _logged(ask, given, served["version"], done)
                truth.append(_truth(week, ask, given, done))
            asks = [again for ask, done in zip(asks, acts, strict=True) if (again := _again(ask, done))]
    events.sort(key=lambda event: (event.at, event.id))
    monday = first_day(world, week)
    result = {
        "week": week,
        "first_day": monday.isoformat(),
        "last_day": (monday + timedelta(days=6)).isoformat(),
        "exchanges": len(truth),
        "events": len(events),
        "workloads": list(serve),
    }
    return {"events": [as_record(event) for event in events], "truth": truth, "result": result}


def requests(world: Playground, week: int, workload: str) -> list[Ask]:
    """What everybody needs of this workload in this week."""
    asks = []
    for user in population(world):
        chance = draws(world.seed, "week", week, workload, user.id)
        often = int(world.requests.get(workload, 0) * user.activity + chance.random())
        for number, at in enumerate(moments(world, week, often, chance)):
            need = identity(world.seed, week, workload, user.id, number)
            asks.append(Ask(need=need, user=user, request=some_request(workload, user.segment, chance), at=at))
    return asks


def _tell(report: Report, what: str, done: int, of: int) -> None:
    report(what, done=done, of=of)


def _answers(
    world: Playground, model: Any, tokenizer: Any, asks: list[Ask], tell: Callable[[int, int], None]
) -> list[Served]:
    prompts = [ask.request.prompt() for ask in asks]
    decoding = Decoding(temperature=1.0, max_new_tokens=world.max_new_tokens, seed=world.seed)
    texts = answer(model, tokenizer, prompts, decoding, salts=[ask.answer for ask in asks], progress=tell)
    asked = tokenizer([tokenizer.apply_chat_template(prompt, tokenize=False) for prompt in prompts])["input_ids"]
    told = tokenizer(texts)["input_ids"]
    return [
        Served(text=text, tokens_in=len(before) + 1, tokens_out=len(after) + 1)
        for text, before, after in zip(texts, asked, told, strict=True)
    ]


def _acts(world: Playground, ask: Ask, text: str) -> list[Act]:
    # Chance belongs to the answer's place, not to its text: two models meet people in the same mood.
    chance = draws(world.seed, "acts", ask.answer)
    return react(world, ask.user, ask.request, text, last=ask.attempt + 1 >= world.attempts, chance=chance)


def _again(ask: Ask, acts: list[Act]) -> Ask | None:
    """The next answer this person waits for, if they asked again."""
    deed = acts[-1].act
    if deed not in AGAIN:
        return None
    later = replace(ask, attempt=ask.attempt + 1, at=ask.at + timedelta(seconds=40))
    if deed == "regenerate":
        return later
    request = replace(ask.request, wording=ask.request.wording + 1)
    return replace(later, request=request, message=ask.message + 1, at=later.at + timedelta(seconds=30))


def _logged(ask: Ask, served: Served, version: str, acts: list[Act]) -> list[Event]:
    """The events of one answer: it was given, it was seen, and what was done with it."""
    chance = draws("pace", ask.answer)
    latency = 120.0 + 9.0 * served.tokens_out + chance.randrange(80)
    dwell = 1500.0 + 30.0 * len(served.text) + chance.randrange(4000)
    given = ask.at + timedelta(milliseconds=latency)
    about = {
        "workload": ask.request.workload,
        "conversation": f"c-{ask.need}",
        "user": ask.user.id,
        "tags": {"segment": ask.request.segment, "language": "en"},
    }
    events: list[Event] = [
        Response(
            id=ask.answer,
            at=_stamp(given),
            component="generator",
            parent=f"m-{ask.need}-{ask.message}",
            prompt=[Message(**message) for message in ask.request.prompt()],
            text=served.text,
            model="playground-llama",
            model_version=version,
            prompt_version="1",
            tokens_in=served.tokens_in,
            tokens_out=served.tokens_out,
            latency_ms=latency,
            **about,
        ),
        Shown(
            id=f"{ask.answer}-shown",
            at=_stamp(given + timedelta(milliseconds=60)),
            answer=ask.answer,
            dwell_ms=dwell,
            **about,
        ),
    ]
    acted = given + timedelta(milliseconds=dwell)
    for act in acts:
        events += _act_events(act, ask.answer, acted, about)
    return events


def _act_events(act: Act, answered: str, at: datetime, about: dict[str, Any]) -> list[Event]:
    """Asking again and walking away leave no event of their own: a next response, or nothing, tells of them."""

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


def _truth(week: int, ask: Ask, served: Served, acts: list[Act]) -> dict[str, Any]:
    return {
        "workload": ask.request.workload,
        "week": week,
        "user": ask.user.id,
        "character": ask.user.character,
        "segment": ask.request.segment,
        "need": ask.need,
        "attempt": ask.attempt,
        "answer": ask.answer,
        "preferences": results(ask.request, served.text),
        "satisfaction": satisfaction(ask.request, served.text),
        "acts": [{"act": act.act, "means": act.means} for act in acts],
    }


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _event(record: dict[str, Any]) -> Event:
    """The event of a log line's object, the inverse of `as_record`."""
    values = {name: value for name, value in record.items() if name != "kind"}
    if "prompt" in values:
        values["prompt"] = [Message(**message) for message in values["prompt"]]
    return KINDS[record["kind"]](**values)


def _write(path: Path, text: str) -> None:
    """All of the file or nothing of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".half")
    half.write_text(text)
    half.replace(path)
