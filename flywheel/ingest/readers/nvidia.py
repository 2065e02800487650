"""Records of NVIDIA's data-flywheel blueprint: one request to the chat API and its response, as they were sent.

    {"timestamp": 1738960610, "workload_id": "…", "client_id": "…", "request": {…}, "response": {…}}

They name no person, no conversation and no feedback: each record is a response and nothing else. `client_id` is an
application of the blueprint's customer, so it is the tenant.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from flywheel.capture.events import Response
from flywheel.ingest import chat
from flywheel.ingest.reader import Reader, hashed, reading, short
from flywheel.settings import Source

MARKS = {"workload_id", "client_id", "request", "response"}


def reader(source: Source) -> Reader:
    return reading(
        recognises, partial(_responses, workload=source.workload), f"an object with {', '.join(sorted(MARKS))}"
    )


def recognises(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() >= MARKS


def _responses(value: dict[str, Any], workload: str) -> Iterator[Response]:
    request, response = value["request"], value["response"]
    if not isinstance(request, dict):
        raise ValueError(f"field request: not an object; saw `{short(request)}`")
    asked = chat.messages(request.get("messages"), "request.messages")
    said = chat.answers(response, "response.")
    usage = response["usage"] if isinstance(response.get("usage"), dict) else {}
    written, job = value.get("timestamp", response.get("created")), chat.name(value["workload_id"], "workload_id")
    client = chat.name(value["client_id"], "client_id")
    identity = chat.name(response.get("id"), "response.id") or hashed(value)
    for place, answer in enumerate(said):
        yield Response(
            id=identity if len(said) == 1 else f"{identity}:{place}",
            at=chat.moment(written, "timestamp"),
            workload=workload or job or "unknown",
            tenant=client,
            parent=hashed([client, job, [[each.role, each.content] for each in asked]]),
            prompt=asked,
            text=answer.content,
            model=chat.name(response.get("model") or request.get("model"), "model") or "unknown",
            tokens_in=chat.number(usage.get("prompt_tokens")),
            tokens_out=chat.number(usage.get("completion_tokens")) if len(said) == 1 else None,
        )
