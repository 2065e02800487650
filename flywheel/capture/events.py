"""The event types: the public contract of the log, one frozen dataclass per kind.

A log line is the JSON object of one event, `kind` naming its class. `docs/events.schema.json` is made from this file.
Fields that a product cannot know stay at their default and are not written. What a type means belongs here; what the
wheel concludes from it belongs in `flywheel.signals`.
"""

from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from typing import Any, ClassVar

VERSION = 1

# What a field's values must look like beyond their type, in JSON Schema's words: a writer and a reader both hold them.
UTC_TIME = {"pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"}
COUNT = {"minimum": 0, "maximum": 2**63 - 1}
PROBABILITY = {"minimum": 0, "maximum": 1}
OPINION = {"minimum": -1, "maximum": 1}


@dataclass(frozen=True, kw_only=True)
class Message:
    """One turn of the conversation as it was sent to the model."""

    role: str
    """system, user, assistant or tool."""
    content: str
    """The text of the turn."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """What every logged fact carries."""

    kind: ClassVar[str]

    id: str
    """Unique within the source and the kind."""
    at: str = field(metadata=UTC_TIME)
    """When it happened: RFC 3339 in UTC, as in 2026-01-05T09:30:00.000000Z."""
    workload: str
    """The job the product uses a model for, such as reply-drafts."""
    conversation: str | None = None
    """The conversation the fact belongs to; feedback may leave it out and names its answer."""
    user: str | None = None
    """A stable hash of the person; never a name or an address."""
    component: str | None = None
    """The part of the product: router, generator, validator, ..."""
    tenant: str | None = None
    """The customer organisation, where there are several."""
    tags: dict[str, str] = field(default_factory=dict)
    """What slices are made of: segment, language, intent, step; `run_of` names the task that several runs try."""
    may_train: bool = True
    """False keeps everything derived from this conversation out of training."""
    v: int = VERSION
    """The version of this contract."""


@dataclass(frozen=True, kw_only=True)
class Response(Event):
    """A model answered. A regeneration is another response to the same `parent`; an edited prompt has a new one."""

    kind: ClassVar[str] = "response"

    parent: str
    """The id of the message that was answered; answers that share it are siblings."""
    prompt: list[Message]
    """Everything the model was given."""
    text: str
    """What it answered."""
    model: str
    """The model's name."""
    model_version: str | None = None
    """The registered version, or the provider's fingerprint."""
    prompt_version: str | None = None
    """The version of the prompt template."""
    arm: str | None = None
    """The arm of an experiment the user is assigned to."""
    propensity: float | None = field(default=None, metadata=PROBABILITY)
    """The probability of that arm when it was assigned, 0 to 1."""
    refused: bool | None = None
    """The model declined to answer."""
    tokens_in: int | None = field(default=None, metadata=COUNT)
    """Tokens given to the model."""
    tokens_out: int | None = field(default=None, metadata=COUNT)
    """Tokens it answered with."""
    cost: float | None = None
    """What the call cost, in the product's currency."""
    latency_ms: float | None = None
    """From request to the last token."""


@dataclass(frozen=True, kw_only=True)
class Shown(Event):
    """A person could see the answer."""

    kind: ClassVar[str] = "shown"

    answer: str
    """The id of the response this speaks of."""
    visible: bool = True
    """It was really on screen, not below the fold."""
    dwell_ms: float | None = None
    """How long it stayed there."""


@dataclass(frozen=True, kw_only=True)
class Edited(Event):
    """A person changed the answer; the last edit is what they kept."""

    kind: ClassVar[str] = "edited"

    answer: str
    """The id of the response this speaks of."""
    text: str
    """The whole text after the edit."""


@dataclass(frozen=True, kw_only=True)
class Accepted(Event):
    """A person used the answer, as it was or as they edited it."""

    kind: ClassVar[str] = "accepted"

    answer: str
    """The id of the response this speaks of."""
    how: str | None = None
    """sent, copied, applied, ..."""


@dataclass(frozen=True, kw_only=True)
class Rated(Event):
    """A person gave an opinion."""

    kind: ClassVar[str] = "rated"

    answer: str
    """The id of the response this speaks of."""
    value: float = field(metadata=OPINION)
    """From -1 (worst) to 1 (best); a thumb is -1 or 1."""
    comment: str | None = None
    """What they wrote with it."""
    name: str | None = None
    """What was rated; nothing for the answer as a whole."""


@dataclass(frozen=True, kw_only=True)
class ToolCall(Event):
    """A tool call of an answer ended."""

    kind: ClassVar[str] = "tool_call"

    answer: str
    """The id of the response this speaks of."""
    name: str
    """The tool."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """What it was called with."""
    text: str | None = None
    """What it returned."""
    error: str | None = None
    """Why it failed, if it did."""
    latency_ms: float | None = None
    """How long it took."""


@dataclass(frozen=True, kw_only=True)
class Retrieval(Event):
    """A search for documents ended."""

    kind: ClassVar[str] = "retrieval"

    answer: str
    """The id of the response this speaks of."""
    query: str
    """What was searched for."""
    documents: list[str] = field(default_factory=list)
    """Ids of what was found, best first."""
    empty: bool = False
    """Nothing was found."""


@dataclass(frozen=True, kw_only=True)
class Outcome(Event):
    """What came of it became known: the ticket was solved, the query ran, the sale was made."""

    kind: ClassVar[str] = "outcome"

    name: str
    """What was measured."""
    value: float
    """Its value."""
    answer: str | None = None
    """The id of the response it speaks of; otherwise it speaks of the conversation."""


KINDS: dict[str, type[Event]] = {
    kind.kind: kind for kind in (Response, Shown, Edited, Accepted, Rated, ToolCall, Retrieval, Outcome)
}


def as_record(event: Event) -> dict[str, Any]:
    """The event as the object of its log line: kind first, fields at their default left out."""
    record: dict[str, Any] = {"v": event.v, "kind": event.kind}
    for name, default in _defaults(type(event)):
        value = getattr(event, name)
        if value != default:
            record[name] = value
    if isinstance(event, Response):
        record["prompt"] = [{"role": message.role, "content": message.content} for message in event.prompt]
    return record


def outside_limits(event: Event) -> str:
    """What is wrong with the first number beyond its limits; empty when nothing is."""
    for name, low, high in _limits(type(event)):
        value = getattr(event, name)
        if value is not None and not (isinstance(value, int | float) and low <= value <= high):
            return f"field {name}: must be a number from {low} to {high}; saw `{value}`"
    return ""


@cache
def _defaults(kind: type[Event]) -> list[tuple[str, Any]]:
    made = [(each, each.default_factory) for each in fields(kind)]
    return [(each.name, each.default if factory is MISSING else factory()) for each, factory in made]


@cache
def _limits(kind: type[Event]) -> list[tuple[str, float, float]]:
    bounds = [(each.name, each.metadata) for each in fields(kind) if "minimum" in each.metadata]
    return [(name, limits["minimum"], limits["maximum"]) for name, limits in bounds]
