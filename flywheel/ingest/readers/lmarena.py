"""LMArena's and FastChat's records: the server's log of answers and votes, and published battles.

The server logs each answer as a line of type `chat` with the whole conversation, and each vote as a line that repeats
it. An answer is known by its conversation and what was said in it, so a vote finds it; a vote alone waits for its
answer. A published battle (`conversation_a`, `conversation_b`, `winner`) holds both answers and the vote. A flag is a
complaint, so it counts as a thumb down.
"""

from collections.abc import Iterator
from typing import Any

from flywheel.capture.events import Event, Message, Rated, Response
from flywheel.ingest import chat
from flywheel.ingest.cells import ROLES
from flywheel.ingest.reader import Reader, hashed, reading, short
from flywheel.settings import Source

ONE = {"upvote": 1.0, "downvote": -1.0, "flag": -1.0}
TWO = {"leftvote": (1.0, -1.0), "rightvote": (-1.0, 1.0), "tievote": (0.0, 0.0), "bothbad_vote": (-1.0, -1.0)}
WINNERS = {
    "model_a": TWO["leftvote"],
    "model_b": TWO["rightvote"],
    "tie": TWO["tievote"],
    "tie (bothbad)": TWO["bothbad_vote"],
}
BATTLE = {"conversation_a", "conversation_b", "winner"}


def reader(source: Source) -> Reader:
    workload = source.workload or source.name

    def events(value: dict[str, Any]) -> Iterator[Event]:
        return _battle(value, workload) if value.keys() >= BATTLE else _logged(value, workload)

    return reading(recognises, events, "a line of the server's log or a battle")


def recognises(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    logged = value.get("type") in ("chat", *ONE, *TWO) and ("state" in value or "states" in value)
    return value.keys() >= BATTLE or (logged and "tstamp" in value)


def _logged(value: dict[str, Any], workload: str) -> Iterator[Event]:
    common: dict[str, Any] = {"workload": workload, "user": chat.name(value.get("ip"), "ip")}
    common["at"] = chat.moment(value["tstamp"], "tstamp")
    if value["type"] == "chat":
        yield _response(_said(value.get("state")), _name(value.get("state")), value.get("model"), common)
        return
    states = value.get("states") if value["type"] in TWO else [value.get("state")]
    opinions = TWO.get(value["type"]) or (ONE[value["type"]],)
    if not isinstance(states, list) or len(states) != len(opinions):
        raise ValueError(f"field states: not a conversation for each model; saw `{short(states)}`")
    for state, opinion in zip(states, opinions, strict=True):
        yield _vote(_id(_name(state), _said(state)), opinion, common)


def _battle(value: dict[str, Any], workload: str) -> Iterator[Event]:
    if value["winner"] not in list(WINNERS):
        raise ValueError(f"field winner: one of {', '.join(WINNERS)}; saw `{short(value['winner'])}`")
    name = chat.name(value.get("question_id"), "question_id") or hashed(value)
    common: dict[str, Any] = {"workload": workload, "user": chat.name(value.get("judge"), "judge")}
    common["at"] = chat.moment(value.get("tstamp"), "tstamp")
    for side, opinion in zip("ab", WINNERS[value["winner"]], strict=True):
        said = chat.messages(value[f"conversation_{side}"], f"conversation_{side}")
        answer = _response(said, f"{name}:{side}", value.get(f"model_{side}"), common)
        yield answer
        yield _vote(answer.id, opinion, common)


def _said(state: Any) -> list[Message]:
    """The turns of a state; the system's message stands apart in it."""
    match state:
        case {"messages": list(turns)}:
            pass
        case _:
            raise ValueError(f"field state.messages: missing; saw `{short(state)}`")
    system = state.get("system_message") or state.get("system")
    said = [Message(role="system", content=system)] if isinstance(system, str) and system else []
    for place, turn in enumerate(turns):
        match turn:
            case [str(role), str(text)]:
                said.append(Message(role=ROLES.get(role.lower(), role.lower()), content=text))
            case [str(), None]:
                pass  # the answer that was not there yet
            case _:
                raise ValueError(f"field state.messages[{place}]: no role and text; saw `{short(turn)}`")
    return said


def _name(state: Any) -> str:
    if not isinstance(state, dict) or not isinstance(state.get("conv_id"), str):
        raise ValueError(f"field state.conv_id: missing; saw `{short(state)}`")
    return state["conv_id"]


def _response(said: list[Message], conversation: str, model: Any, common: dict[str, Any]) -> Response:
    if len(said) < 2 or said[-1].role != "assistant":
        raise ValueError(
            f"the conversation does not end with an answer; saw `{short(said[-1].role if said else None)}`"
        )
    *asked, answer = said
    return Response(
        **common,
        id=_id(conversation, said),
        conversation=conversation,
        parent=hashed([[each.role, each.content] for each in asked]),
        prompt=asked,
        text=answer.content,
        model=chat.name(model, "model") or "unknown",
    )


def _vote(answer: str, opinion: float, common: dict[str, Any]) -> Rated:
    return Rated(**common, id=f"{answer}:rated", answer=answer, value=opinion)


def _id(conversation: str, said: list[Message]) -> str:
    return f"{conversation}:{hashed([[each.role, each.content] for each in said])[:12]}"
