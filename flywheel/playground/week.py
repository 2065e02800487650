"""One simulated week of the product: people ask, the served models answer, people act, the log is written.

Imports torch, so it runs in a process of its own. Everything a week holds is decided first and laid in an outbox, then
written to the truth and to the log, and marked as played last: a week killed anywhere is repeated line by line.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from flywheel.capture.events import KINDS, Event, Message, as_record
from flywheel.capture.writer import Writer
from flywheel.lake import locked
from flywheel.model import Decoding, answer, load_model, load_tokenizer
from flywheel.playground import logged, product
from flywheel.playground.product import Answering, Ask, Served
from flywheel.playground.world import Playground, first_day
from flywheel.process import Report, Result

MODEL = "playground-llama"
Serve = Mapping[str, Mapping[str, str]]


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
        answering = _answering(
            world, Path(served["path"]), partial(_tell, report, f"week {week}: answering {workload}")
        )
        for lived in product.live(world, week, {workload: answering}):
            events += logged.events(world, lived, model=MODEL, version=served["version"])
            truth.append(logged.truth(world, week, lived))
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


def _answering(world: Playground, folder: Path, tell: Callable[[str, int, int], None]) -> Answering:
    """Ask the model of this folder."""
    model, tokenizer = load_model(folder), load_tokenizer(folder)
    decoding = Decoding(temperature=1.0, max_new_tokens=world.max_new_tokens, seed=world.seed)

    def answers(asks: Sequence[Ask]) -> list[Served]:
        prompts = [ask.prompt() for ask in asks]
        progress = partial(tell, f"attempt {asks[0].attempt + 1}")
        texts = answer(model, tokenizer, prompts, decoding, salts=[ask.answer for ask in asks], progress=progress)
        asked = tokenizer([tokenizer.apply_chat_template(prompt, tokenize=False) for prompt in prompts])["input_ids"]
        told = tokenizer(texts)["input_ids"]
        return [
            Served(text=text, tokens_in=len(before) + 1, tokens_out=len(after) + 1)
            for text, before, after in zip(texts, asked, told, strict=True)
        ]

    return answers


def _tell(report: Report, what: str, attempt: str, done: int, of: int) -> None:
    report(f"{what}, {attempt}", done=done, of=of)


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
