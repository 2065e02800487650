"""tau-bench's agent runs: one record is a task tried once, with its messages, its tool calls and its reward.

Each assistant message is a response to all that stood before it, each tool message the end of the call it answers, and
the reward an outcome of the run. The same point of two trials of a task has the same `parent`: they are siblings. The
tag `run_of` names the task, so that trials which begin with other words are known for tries of one. A record carries no
ids, times or model, so they are made from its content, the same ones each time.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

import msgspec

from flywheel.capture.events import Event, Message, Outcome, Response, ToolCall
from flywheel.ingest.reader import Reader, Rejected, canonical, sentence, short, spelled, tool_call
from flywheel.ingest.strict import decode
from flywheel.settings import Source

MARKS = {"task_id", "reward", "traj"}
EPOCH = datetime(2024, 1, 1, tzinfo=UTC)  # tau-bench was published in 2024; a message is a second, in order
SLOT, SLOTS, TRIALS = timedelta(minutes=5), 100_000, 64  # each run has minutes of its own, all within a year
LONGEST = 64_000_000  # characters in all prompts of one run: each repeats what came before it


@dataclass(frozen=True, kw_only=True)
class Function:
    name: str
    arguments: Any = None


@dataclass(frozen=True, kw_only=True)
class Call:
    function: Function
    id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One message of a run, as the chat API writes it."""

    role: str
    content: Any = None
    tool_calls: list[Call] | None = None
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        said = self.content if isinstance(self.content, str) else canonical(self.content) if self.content else ""
        called = [tool_call(each.function.name, _opened(each.function.arguments)) for each in self.tool_calls or []]
        return "\n".join([said, *called] if said else called)


@dataclass(frozen=True, kw_only=True)
class Run:
    task_id: int
    reward: float
    traj: list[Turn]
    trial: int = 0
    info: Any = None
    model: str | None = None


def reader(source: Source) -> Reader:
    def tau(value: Any) -> list[Event] | Rejected:
        if not recognises(value):
            return Rejected(f"not a run of tau-bench; saw `{short(value)}`")
        try:
            return _events(msgspec.convert(value, Run), source.workload or source.name, value["traj"])
        except (msgspec.ValidationError, OverflowError) as error:
            return Rejected(sentence(error, value))
        except (ValueError, RecursionError) as error:
            return Rejected(str(error))

    return tau


def recognises(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() >= MARKS


def _events(run: Run, workload: str, traj: Any) -> list[Event]:
    said = [Message(role=turn.role, content=turn.text) for turn in run.traj]
    if _repeated(said) > LONGEST:
        raise ValueError(f"field traj: its prompts together hold more than {LONGEST} characters; saw `{short(traj)}`")
    # Two models' runs of one task and trial differ in what was said.
    conversation = f"{run.task_id}-{run.trial}-{_hash(traj)[:12]}"
    common: dict[str, Any] = {"workload": workload, "conversation": conversation, "user": _user(run.info)}
    common["tags"] = {"run_of": str(run.task_id)}
    events: list[Event] = []
    calls: dict[str | None, tuple[str, Function]] = {}
    answer = None
    for index, turn in enumerate(run.traj):
        common |= {"id": f"{conversation}-{index}", "at": _at(run, index)}
        if turn.role == "assistant":
            answer = f"{conversation}-{index}"
            events.append(_response(run, said[: index + 1], common))
            calls |= {each.id: (answer, each.function) for each in turn.tool_calls or []}
        elif turn.role == "tool":
            if turn.tool_call_id not in calls:
                raise ValueError(f"field traj[{index}]: the result of no call; saw `{short(turn.tool_call_id)}`")
            events.append(_result(said[index].content, *calls[turn.tool_call_id], common))
    common |= {"id": f"{conversation}-reward", "at": _at(run, len(run.traj))}
    return [*events, Outcome(**common, name="reward", value=run.reward, answer=answer)]


def _repeated(said: list[Message]) -> int:
    sizes = accumulate((len(each.content) + 1 for each in said), initial=0)
    return sum(before for before, each in zip(sizes, said, strict=False) if each.role == "assistant")


def _response(run: Run, said: list[Message], common: dict[str, Any]) -> Response:
    *before, last = said
    asked = [run.task_id, [[each.role, each.content] for each in before]]
    return Response(**common, parent=_hash(asked)[:32], prompt=before, text=last.content, model=_model(run))


def _result(text: str, answer: str, called: Function, common: dict[str, Any]) -> ToolCall:
    arguments = _opened(called.arguments)
    return ToolCall(
        **common,
        answer=answer,
        name=called.name,
        arguments=arguments if isinstance(arguments, dict) else {"raw": arguments},
        text=text,
        error=text if text.startswith("Error") else None,
    )


def _opened(arguments: Any) -> Any:
    """Arguments are JSON text; what is no object stays as it was written."""
    if arguments is None:
        return {}
    text = arguments if isinstance(arguments, str) else canonical(arguments)
    opened = decode(text.encode())
    return opened if isinstance(opened, dict) else text


def _user(info: Any) -> str | None:
    match info:
        case {"task": {"user_id": str(user)}}:
            return user
    return None


def _model(run: Run) -> str:
    match run.info:
        case {"model": str(model)}:
            return run.model or model
    return run.model or "unknown"


def _at(run: Run, index: int) -> str:
    slot = (run.task_id * TRIALS + run.trial) % SLOTS
    return spelled(EPOCH + slot * SLOT + timedelta(seconds=index))


def _hash(value: Any) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()
