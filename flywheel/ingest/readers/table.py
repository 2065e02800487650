"""Tables that other people made: rows of CSV, Parquet or JSON whose columns are mapped by name in `flywheel.toml`.

    [[sources]]
    name = "chat"
    path = "exports/*.csv"
    format = "table"
    workload = "support"

    [sources.columns]
    prompt = "request"
    conversation = ["person", "task"]
    accepted = "copy_events"

Every row is a response, or several that answer one prompt, and what a person did with it. The rules, in order: what the
mapping names is taken, and a row without it is rejected unless the name ends in `?`; what it does not name is found by
the first of its well-known names that the row has and the mapping does not use otherwise; what is neither is not there.
A row without an id of its own is known by a hash of its content, so that the same row again is the same event. Which
column holds a field belongs in `columns`, what a cell means in `cells`.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from flywheel.capture.events import Accepted, Edited, Event, Message, Rated, Response
from flywheel.ingest import cells
from flywheel.ingest.cells import Unreadable
from flywheel.ingest.columns import Row, found, meant
from flywheel.ingest.reader import Reader, Rejected, canonical, short
from flywheel.settings import Columns, Source

REPEATED = 2**28  # bytes that the fields around an array may take in all its records together
WIDE = 1000  # columns; the shapes of wider rows are not remembered, so that memory stays bounded
HOW = {"copy_events": "copied", "copied": "copied", "sent": "sent", "applied": "applied"}


def reader(source: Source) -> Reader:
    held = partial(found, source.columns)
    remembered = lru_cache(maxsize=64)(held)

    def table(value: Any) -> list[Event] | Rejected:
        if not isinstance(value, dict):
            return Rejected(f"not a row of named columns; saw `{short(value)}`")
        row = {name: cell for name, cell in value.items() if isinstance(name, str)}
        where = remembered if len(row) <= WIDE else held
        try:
            return list(_events(Row(row, where(tuple(row))), source))
        except Unreadable as error:
            return Rejected(str(error))

    return table


def recognises(value: Any) -> bool:
    """A row whose well-known names give a prompt and an answer."""
    if not isinstance(value, dict):
        return False
    held = found(Columns(), tuple(name for name in value if isinstance(name, str)))
    answered = "text" in held or "answers" in held or held.get("prompt") in (("messages",), ("conversations",))
    return "prompt" in held and answered


def nested(value: Any, path: str) -> list[Any] | Rejected:
    """The records of one JSON document: the elements of the arrays at a dotted path.

    The fields of the objects around an element are its own unless it has the same.
    """
    head, _, rest = path.partition(".")
    if not isinstance(value, dict) or head not in value:
        return Rejected(f"records {path}: the document has no such array; saw `{short(value)}`")
    around, inner = {name: field for name, field in value.items() if name != head}, value[head]
    if not rest and not isinstance(inner, list):
        return Rejected(f"records {path}: not an array; saw `{short(inner)}`")
    if _size(around) * (len(inner) if isinstance(inner, list) else 1) > REPEATED:
        return Rejected(f"records {path}: too many for what they all repeat; saw {len(inner)} records")
    records: list[Any] = []
    for each in inner if isinstance(inner, list) else [inner]:
        under = nested(each, rest) if rest else [each]
        if isinstance(under, Rejected):
            return under
        records += [{**around, **record} if isinstance(record, dict) else record for record in under]
    return records


@dataclass(frozen=True)
class Answer:
    """One answer of a row: the column it stands in, its id, its text."""

    column: str
    id: str
    text: str
    model: str


def _events(row: Row, source: Source) -> Iterator[Event]:
    asked, written = _exchange(row)
    identity = row.one("id", cells.text, needed=True) or _hash(row.cells)
    common = _common(row, source)
    branch = [common["conversation"], [(turn.role, turn.content) for turn in asked]]
    # Judges compare the answers of their own row and no others.
    parent = _hash([*branch, identity] if "choices" in row.found else branch)
    tags = {name: meant(name, value, cells.text) for name, value in row.columns("tags") if not cells.blank(value)}
    answers = _answers(row, identity, written, source.columns.default_model)
    for answer in answers:
        named = {"id": answer.id, "text": answer.text, "model": answer.model, "tags": tags}
        yield Response(**common, **named, parent=parent, prompt=asked)
    if "answers" in row.found:
        yield from _choices(row, answers, common)
    else:
        yield from _feedback(row, answers[0], source.columns, common)


def _exchange(row: Row) -> tuple[list[Message], list[tuple[str, Any]]]:
    """The prompt, and the columns of its answers."""
    prompt, answers = row.columns("prompt"), row.columns("answers") or row.columns("text")
    if not prompt:
        raise Unreadable(row.unknown("prompt"))
    if len(prompt) == 1:
        asked = meant(*prompt[0], cells.messages)
    else:
        parts = [meant(name, value, cells.text) for name, value in prompt if not cells.blank(value)]
        asked = [Message(role="user", content="\n\n".join(parts))]
    if not answers and asked and asked[-1].role == "assistant":
        answers, asked = [(prompt[0][0], asked[-1].content)], asked[:-1]
    if cells.blank("".join(turn.content for turn in asked)):
        raise Unreadable(f"field {prompt[0][0]}: empty")
    if not answers:
        raise Unreadable(row.unknown("text"))
    if system := row.one("system", cells.text):
        asked = [Message(role="system", content=system), *asked]
    return asked, answers


def _answers(row: Row, identity: str, written: list[tuple[str, Any]], default_model: str) -> list[Answer]:
    """An empty text is what a model answered; null is no answer."""
    models = [
        default_model if cells.blank(value) else meant(name, value, cells.text) for name, value in row.columns("model")
    ] or [default_model]
    answers = []
    for n, (column, value) in enumerate(written):
        if cells.blank(value) and not isinstance(value, str):
            raise Unreadable(f"field {column}: empty")
        name = f"{identity}:{n + 1}" if len(written) > 1 else identity
        model = models[n] if len(models) == len(written) else models[0]
        answers.append(Answer(column, name, meant(column, value, cells.text), model))
    return answers


def _common(row: Row, source: Source) -> dict[str, Any]:
    """What all events of a row carry."""
    columns = source.columns
    at = row.one("at", partial(cells.moment, epoch=columns.epoch), needed=True) or cells.moment(0, columns.epoch)
    workload = row.one("workload", cells.text) or source.workload
    if not workload:
        raise Unreadable("field workload: missing; allowed: a column for it, or the source's `workload`")
    user = row.one("user", cells.text)
    if user and columns.user_match:
        if not (match := re.search(columns.user_match, user)) or not match[0]:
            raise Unreadable(f"field {row.columns('user')[0][0]}: user_match finds nothing; saw `{short(user)}`")
        user = match[0]
    return {"at": at, "workload": workload, "conversation": _conversation(row), "user": user}


def _conversation(row: Row) -> str | None:
    """Of several columns a hash: one of them may be the person, who is never named here."""
    parts = ["" if cells.blank(cell) else meant(name, cell, cells.text) for name, cell in row.columns("conversation")]
    if not any(parts):
        return None
    return parts[0] if len(parts) == 1 else _hash(parts)


def _feedback(row: Row, answer: Answer, columns: Columns, common: dict[str, Any]) -> Iterator[Event]:
    edited = row.one("edited", cells.text)
    if edited is not None and edited != answer.text:
        yield Edited(**common, id=f"{answer.id}:edited", answer=answer.id, text=edited)
    if row.one("accepted", cells.yes) or columns.sent:
        how = columns.how or next((HOW.get(name.lower()) for name, _ in row.columns("accepted")), None)
        yield Accepted(**common, id=f"{answer.id}:accepted", answer=answer.id, how=how)
    rated = row.one("rated", partial(cells.opinion, ends=columns.rated_range))
    comment = row.one("comment", cells.text)
    if rated is not None or comment:
        # A comment alone is an opinion without a direction.
        yield Rated(**common, id=f"{answer.id}:rated", answer=answer.id, value=rated or 0.0, comment=comment)


def _choices(row: Row, answers: list[Answer], common: dict[str, Any]) -> Iterator[Event]:
    """A judge's choice is 1 for the answer they preferred and -1 for the others, a tie 0 for all."""
    judges = row.columns("choices")
    preferred = partial(cells.choice, answers=[answer.column for answer in answers])
    for judge, value in judges:
        if cells.blank(value):
            continue
        chosen = meant(judge, value, preferred)
        user = common["user"] if common["user"] and len(judges) == 1 else judge
        for n, answer in enumerate(answers, start=1):
            opinion = 0.0 if chosen == 0 else 1.0 if chosen == n else -1.0
            yield Rated(**{**common, "user": user}, id=f"{answer.id}:rated:{judge}", answer=answer.id, value=opinion)


def _size(value: Any) -> int:
    try:
        return len(canonical(value))
    except (TypeError, ValueError, OverflowError, RecursionError):
        return REPEATED + 1


def _hash(value: Any) -> str:
    try:
        return hashlib.sha256(canonical(value).encode()).hexdigest()[:24]
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Unreadable(f"a row without an id that JSON cannot write ({error})") from None
