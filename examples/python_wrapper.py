"""Log a product that answers with an OpenAI-style client: wrap it, call it, say what people did with the answer.

    logged = LoggedClient(OpenAI(), Writer("logs"), workload="reply-drafts", arms={"gpt-small": 0.9, "gpt-large": 0.1})
    answer = logged.answer(messages, user="3f9a...", conversation="ticket-17", tags={"language": "en"})
    logged.shown(answer)
    logged.edited(answer, "Dear Ana, ...")
    logged.accepted(answer, how="sent")

Copy it and change it: it needs nothing but `flywheel.capture`, which needs nothing but Python.
"""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flywheel.capture.assignment import assign
from flywheel.capture.events import Accepted, Edited, Message, Rated, Response, Shown
from flywheel.capture.writer import Writer


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the product shows, and what feedback on it needs to know."""

    id: str
    parent: str
    text: str
    conversation: str
    user: str


class LoggedClient:
    """`arms` says which share of the users each model answers; a user always gets the same one."""

    def __init__(self, client: Any, writer: Writer, *, workload: str, arms: Mapping[str, float]) -> None:
        self.client, self.writer, self.workload, self.arms = client, writer, workload, arms

    def answer(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        user: str,
        conversation: str,
        parent: str | None = None,
        tags: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Answer:
        """Ask the user's model and log its response. To regenerate, pass the `parent` of the answer before."""
        arm = assign(user, self.workload, self.arms)
        parent = parent or _new_id()
        started = time.monotonic()
        completion = self.client.chat.completions.create(model=arm.arm, messages=list(messages), **options)
        said = completion.choices[0].message
        text = said.content or said.refusal or ""
        answer = Answer(id=completion.id, parent=parent, text=text, conversation=conversation, user=user)
        self.writer.write(
            Response(
                **self._common(answer) | {"id": answer.id},
                parent=parent,
                tags=dict(tags or {}),
                prompt=[Message(role=message["role"], content=message["content"]) for message in messages],
                text=answer.text,
                model=completion.model,
                model_version=completion.system_fingerprint,
                arm=arm.arm,
                propensity=arm.propensity,
                refused=said.refusal is not None,
                tokens_in=completion.usage.prompt_tokens,
                tokens_out=completion.usage.completion_tokens,
                latency_ms=(time.monotonic() - started) * 1000,
            )
        )
        return answer

    def shown(self, answer: Answer, *, visible: bool = True, dwell_ms: float | None = None) -> None:
        self.writer.write(Shown(**self._common(answer), answer=answer.id, visible=visible, dwell_ms=dwell_ms))

    def edited(self, answer: Answer, text: str) -> None:
        self.writer.write(Edited(**self._common(answer), answer=answer.id, text=text))

    def accepted(self, answer: Answer, *, how: str) -> None:
        self.writer.write(Accepted(**self._common(answer), answer=answer.id, how=how))

    def rated(self, answer: Answer, value: float, *, comment: str | None = None) -> None:
        self.writer.write(Rated(**self._common(answer), answer=answer.id, value=value, comment=comment))

    def _common(self, answer: Answer) -> dict[str, Any]:
        return {
            "id": _new_id(),
            "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "workload": self.workload,
            "conversation": answer.conversation,
            "user": answer.user,
        }


def _new_id() -> str:
    return uuid.uuid4().hex
