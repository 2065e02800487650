"""A signal as a person reads it to say yes or no, and the line they give back.

The label says whether the reading is right: the act really happened, and was meant as the reading says.
"""

import json
from typing import Annotated, Any

from pydantic import ConfigDict, Field, ValidationError

from flywheel.settings import Frozen

Line = dict[str, Any]

HOW = 'Write true or false for "label": is the reading right? Leave null where you cannot tell.'
SAYS = {
    "acceptance": "The person used the answer because it was good enough for them.",
    "edit": "The person changed the answer because something in it was not as it should be.",
    "regeneration": "The person asked for another answer because this one would not do.",
    "rephrase": "The person asked for the same thing in other words because this answer would not do.",
    "correction": "The person said next that this answer was wrong.",
    "abandonment": "The person left without what they had come for.",
    "dismissal": "The person saw the answer and chose not to use it.",
    "rating": "The rating says what the person thought of this answer.",
    "refusal": "The answer refuses a request that should have been answered.",
    "tool_failure": "The tool call failed, and the reading names whose fault it was.",
    "retrieval_miss": "The search did not find what the answer needed.",
}


class Labelled(Frozen):
    """What is read back of a line; everything else in it was there for the person."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)

    workload: str
    answer: str
    kind: str
    about: str
    detector: str
    detail: str | None
    confidence: Annotated[float, Field(ge=0, le=1)]
    label: bool | None


def told(signal: Line, happened: list[Line], followed: list[Line]) -> Line:
    """The line of one signal: `happened` are the events of its answer, `followed` the answers of its conversation."""
    asked = signal["asked"]
    then = [(event["at"], _happened(event)) for event in happened]
    then += [(later["at"], _followed(signal, later)) for later in followed if later["at"] > asked]
    return {
        "label": None,
        "says": SAYS.get(signal["kind"], f"The reading {signal['kind']} is right."),
        "how": HOW,
        "kind": signal["kind"],
        "detail": signal["detail"],
        "value": signal["value"],
        "request": signal["request"],
        "response": signal["response"],
        "kept": signal["final"],
        "wrote": signal["text"],
        "then": [f"{(at - asked) / 1e6:+.0f} s: {what}" for at, what in sorted(then)],
        "confidence": signal["confidence"],
        **{name: signal[name] for name in ("workload", "answer", "about", "detector")},
    }


def read(line: str) -> Labelled | str:
    """The label of a line with the signal it speaks of, or why it cannot be read."""
    try:
        return Labelled.model_validate(json.loads(line))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the line"
        what = {"label": "the label must be true, false or null"}.get(field, f"{field}: {first['msg']}")
        seen = json.dumps(first["input"], ensure_ascii=False)[:60]
        return f"{what}; saw `{seen}`; leave all but the label as it was drawn"
    except (ValueError, RecursionError):
        return f"it is not JSON; saw `{line.strip()[:60]}`"


def _happened(event: Line) -> str:
    match event["kind"]:
        case "shown":
            seen = "on screen" if event["visible"] is not False else "never on screen"
            return f"{seen} for {event['dwell_ms'] / 1000:.1f} s" if event["dwell_ms"] is not None else seen
        case "edited":
            return f"edited: {event['text']}"
        case "tool_call":
            return f"tool {event['name']}: {'failed: ' + event['error'] if event['error'] else event['text']}"
        case "rated" | "outcome":
            said = " ".join(filter(None, [event["kind"], event["name"], f"{event['value'] or 0:g}"]))
            return f"{said}: {event['text']}" if event["text"] else said
        case kind:
            return kind


def _followed(signal: Line, later: Line) -> str:
    if later["request"] == signal["request"]:
        return f"asked again; answered: {later['response']}"
    return f"wrote: {later['request']}; answered: {later['response']}"
