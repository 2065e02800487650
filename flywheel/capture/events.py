"""The event types: the public contract of the log, one frozen dataclass per kind.

A log line is the JSON object of one event, `kind` naming its class. `docs/events.schema.json` is made from this file.
Fields that a product cannot know stay at their default and are not written. What a type means belongs here; what the
wheel concludes from it belongs in `flywheel.signals`.
"""

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

VERSION = 1


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
    at: str
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
    """What slices are made of: segment, language, intent, step."""
    may_train: bool = True
    """False keeps everything derived from this conversation out of training."""
    v: int = VERSION
    """The version of this contract."""


@dataclass(frozen=True, kw_only=True)
class Response(Event):
    """A model answered. A regeneration is another response to the same `parent`; an edited prompt has a new `parent`."""

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
    propensity: float | None = None
    """The probability of that arm when it was assigned, 0 to 1."""
    refused: bool | None = None
    """The model declined to answer."""
    tokens_in: int | None = None
    """Tokens given to the model."""
    tokens_out: int | None = None
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
    value: float
    """From -1 (worst) to 1 (best); a thumb is -1 or 1."""
    comment: str | None = None
    """What they wrote with it."""


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
    for each in fields(event):
        value = getattr(event, each.name)
        if each.name == "prompt":
            value = [{"role": message.role, "content": message.content} for message in value]
        if value is not None and value != {} and value != []:
            record[each.name] = value
    return record
