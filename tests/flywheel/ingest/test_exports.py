"""Other tools' exports as events: their documented shapes, and what a mangled one comes to."""

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flywheel.capture.events import Event, Message, Rated, Response
from flywheel.ingest import trees
from flywheel.ingest.reader import Reader, Rejected
from flywheel.ingest.readers import FORMATS, reader_for
from flywheel.ingest.trees import Node
from flywheel.settings import Columns, Format, Source
from tests.flywheel.capture.made import JSON
from tests.flywheel.ingest.mutated import holds, mutated, sound

ASKED = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Where is order 17?"}]
CALL = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": '{"id": "17"}'}}

NVIDIA: dict[str, Any] = {
    "timestamp": 1738960610,
    "workload_id": "router",
    "client_id": "shop",
    "request": {"model": "llama-70b", "messages": ASKED, "temperature": 0.2, "tools": []},
    "response": {
        "id": "r-1",
        "object": "chat.completion",
        "model": "llama-70b",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "It was sent."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 13, "completion_tokens": 4, "total_tokens": 17},
    },
}
STORED: dict[str, Any] = {
    "object": "chat.completion",
    "id": "chatcmpl-AyPN",
    "model": "gpt-4o-2024-08-06",
    "created": 1738960610,
    "usage": {"total_tokens": 31, "completion_tokens": 18, "prompt_tokens": 13},
    "system_fingerprint": "fp_50cad350e4",
    "input_user": "u-42",
    "metadata": {"segment": "retail"},
    "choices": [{"index": 0, "message": {"role": "assistant", "content": None, "tool_calls": [CALL]}}],
    "messages": {
        "object": "list",
        "data": [{"id": "chatcmpl-AyPN-0", "role": "user", "content": "Where is order 17?", "content_parts": None}],
    },
}
PREFERENCE: dict[str, Any] = {
    "input": {"messages": ASKED, "tools": [], "parallel_tool_calls": True},
    "preferred_output": [{"role": "assistant", "content": "It was sent."}],
    "non_preferred_output": [{"role": "assistant", "content": "Who knows."}],
}


def webui_message(name: str, parent: str | None, role: str, content: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "parentId": parent, "childrenIds": [], "role": role, "content": content} | more


HISTORY = {
    "currentId": "a2",
    "messages": {
        "u1": webui_message("u1", None, "user", "Where is order 17?", timestamp=1738960600),
        "a1": webui_message("a1", "u1", "assistant", "Who knows.", timestamp=1738960601, model="small", done=True),
        "a2": webui_message("a2", "u1", "assistant", "It was sent.", timestamp=1738960620, model="small", done=True),
        "u2": webui_message("u2", "a2", "user", "Thanks", timestamp=1738960630),
        "a3": webui_message("a3", "u2", "assistant", "half an ans", timestamp=1738960631, model="small", done=False),
    },
}
OPENWEBUI: dict[str, Any] = {
    "id": "f1",
    "user_id": "person",
    "version": 0,
    "type": "rating",
    "data": {"rating": -1, "model_id": "small", "reason": "not_factual", "comment": "it was sent", "tags": []},
    "meta": {"chat_id": "c1", "message_id": "a1", "message_index": 2, "arena": False},
    "snapshot": {"chat": {"id": "c1", "title": "Order", "chat": {"history": HISTORY}}},
    "created_at": 1738960640,
    "updated_at": 1738960640,
}
ANNOTATED = {**HISTORY["messages"]["a2"], "annotation": {"rating": 1}}  # pyright: ignore
OPENWEBUI_CHAT: dict[str, Any] = {
    "id": "c1",
    "user_id": "person",
    "title": "Order",
    "chat": {"history": {**HISTORY, "messages": {**HISTORY["messages"], "a2": ANNOTATED}}},  # pyright: ignore
}


def said(role: str, *parts: Any, at: float | None = 1738960600.5, **more: Any) -> dict[str, Any]:
    content = {"content_type": "text", "parts": list(parts)}
    return {"author": {"role": role}, "content": content, "create_time": at, "recipient": "all"} | more


def node(name: str, parent: str | None, message: dict[str, Any] | None) -> dict[str, Any]:
    return {"id": name, "parent": parent, "children": [], "message": message}


CHATGPT: dict[str, Any] = {
    "title": "Order",
    "create_time": 1738960590.0,
    "update_time": 1738960700.0,
    "conversation_id": "talk",
    "current_node": "a3",
    "mapping": {
        "root": node("root", None, None),
        "s": node("s", "root", said("system", "", metadata={"is_visually_hidden_from_conversation": True})),
        "u1": node("u1", "s", said("user", "Where is order 17?")),
        "a1": node("a1", "u1", said("assistant", "Who knows.", metadata={"model_slug": "gpt-4o"})),
        "a2": node("a2", "u1", said("assistant", "I look.", at=1738960610.0, metadata={"model_slug": "gpt-4o"})),
        "c2": node("c2", "a2", said("assistant", "find(17)", recipient="find")),
        "t2": node("t2", "c2", said("tool", "the parcel left")),
        "a3": node("a3", "t2", said("assistant", "It was sent.", at=1738960620.0, metadata={"model_slug": "gpt-4o"})),
        "u3": node("u3", "s", said("user", "Where is order 18?")),
        "a4": node("a4", "u3", said("assistant", "Lost.", {"content_type": "image", "type": "image"})),
    },
}
THUMB: dict[str, Any] = {
    "id": "a3",
    "conversation_id": "talk",
    "user_id": "user-1",
    "rating": "thumbs_up",
    "create_time": "2025-02-07T20:37:00Z",
}
STATE = {
    "template_name": "one_shot",
    "system_message": "Be kind.",
    "roles": ["Human", "Assistant"],
    "messages": [["Human", "Where is order 17?"], ["Assistant", "It was sent."]],
    "offset": 0,
    "conv_id": "k1",
    "model_name": "vicuna",
}
OTHER_STATE = {**STATE, "conv_id": "k2", "messages": [["Human", "Where is order 17?"], ["Assistant", "Who knows."]]}
LOGGED: dict[str, Any] = {
    "tstamp": 1738960610.25,
    "type": "chat",
    "model": "vicuna",
    "gen_params": {"temperature": 0.7},
    "start": 1738960609.0,
    "finish": 1738960610.0,
    "state": STATE,
    "ip": "127.0.0.9",
}
VOTE: dict[str, Any] = {"tstamp": 1738960620.0, "type": "upvote", "model": "vicuna", "state": STATE, "ip": "127.0.0.9"}
ARENA: dict[str, Any] = {
    "tstamp": 1738960630.0,
    "type": "leftvote",
    "models": ["vicuna", "alpaca"],
    "states": [STATE, OTHER_STATE],
    "ip": "127.0.0.9",
}
BATTLE: dict[str, Any] = {
    "question_id": "q1",
    "model_a": "vicuna",
    "model_b": "alpaca",
    "winner": "model_b",
    "judge": "arena_user_1",
    "conversation_a": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "No."}],
    "conversation_b": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}],
    "turn": 1,
    "tstamp": 1738960610.0,
}
RECORDS: list[tuple[Format, dict[str, Any]]] = [
    ("nvidia", NVIDIA),
    ("openai", STORED),
    ("openai", PREFERENCE),
    ("openwebui", OPENWEBUI),
    ("openwebui", OPENWEBUI_CHAT),
    ("chatgpt", CHATGPT),
    ("chatgpt", THUMB),
    ("lmarena", LOGGED),
    ("lmarena", VOTE),
    ("lmarena", ARENA),
    ("lmarena", BATTLE),
]


def read(format: Format) -> Reader:
    return reader_for(Source(name="export", path="*", format=format, workload="help"))


def events(format: Format, value: Any) -> list[Event]:
    found = read(format)(value)
    assert isinstance(found, list), found
    return found


def answers(format: Format, value: Any) -> list[Response]:
    return [event for event in events(format, value) if isinstance(event, Response)]


def ratings(format: Format, value: Any) -> list[Rated]:
    return [event for event in events(format, value) if isinstance(event, Rated)]


# ---- every format ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("format", "record"), RECORDS)
def test_a_record_is_known_by_its_looks(format: Format, record: dict[str, Any]) -> None:
    assert next(name for name, each in FORMATS.items() if each.recognises(record)) == format
    assert reader_for(Source(name="export", path="*", workload="help"))(record) == events(format, record)


@pytest.mark.parametrize(("format", "record"), RECORDS)
@given(data=st.data())
def test_a_mangled_record_is_events_or_a_reason(format: Format, record: dict[str, Any], data: st.DataObject) -> None:
    value = data.draw(JSON | mutated(record))
    assume(sound(value))
    assert holds(read(format), value)


@pytest.mark.parametrize(
    ("format", "record", "field"),
    [
        ("nvidia", {**NVIDIA, "request": {"messages": [{"role": "user", "content": "So?", "tool_calls": 5}]}}, "calls"),
        ("openai", {**STORED, "messages": [{"role": "user", "content": "So?", "tool_calls": True}]}, "tool_calls"),
        ("chatgpt", {"conversation_id": "c", "rating": "thumbs_up", "mapping": []}, "message_id"),
    ],
)
def test_what_is_of_another_type_is_a_reason(format: Format, record: dict[str, Any], field: str) -> None:
    found = read(format)(record)
    assert isinstance(found, Rejected)
    assert field in found.reason


def test_a_source_that_maps_columns_is_a_table_though_another_format_has_columns_of_such_names() -> None:
    row = {"conversation_a": "Who knows.", "conversation_b": "It was sent.", "winner": "2", "asked": "Where is it?"}
    columns = Columns(prompt="asked", answers=("conversation_a", "conversation_b"), choices="winner")
    found = reader_for(Source(name="export", path="*", workload="help", columns=columns))(row)
    assert isinstance(found, list)
    assert {each.text for each in found if isinstance(each, Response)} == {"Who knows.", "It was sent."}


@pytest.mark.parametrize(("format", "record"), RECORDS)
def test_the_order_of_fields_says_nothing(format: Format, record: dict[str, Any]) -> None:
    assert events(format, dict(reversed(record.items()))) == events(format, record)


@pytest.mark.parametrize("format", ["nvidia", "openai", "openwebui", "chatgpt", "lmarena"])
def test_a_stranger_is_rejected_in_words(format: Format) -> None:
    found = read(format)({"hello": 1})
    assert isinstance(found, Rejected)
    assert found.reason.startswith("not a")
    assert '{"hello": 1}' in found.reason


# ---- requests and completions ---------------------------------------------------------------------------------------


def test_a_request_and_its_response_are_one_answer() -> None:
    [answer] = answers("nvidia", NVIDIA)
    assert answer.prompt == [Message(**each) for each in ASKED]
    assert (answer.id, answer.text, answer.model, answer.tenant) == ("r-1", "It was sent.", "llama-70b", "shop")
    assert (answer.at, answer.tokens_in, answer.tokens_out) == ("2025-02-07T20:36:50.000000Z", 13, 4)


def test_the_blueprint_names_the_workload_where_the_source_does_not() -> None:
    found = reader_for(Source(name="export", path="*", format="nvidia"))(NVIDIA)
    assert isinstance(found, list)
    assert found[0].workload == "router"


def test_several_choices_are_siblings() -> None:
    choices = [{"message": {"content": "It was sent."}}, {"message": {"content": "Who knows."}}]
    first, second = answers("nvidia", {**NVIDIA, "response": {**NVIDIA["response"], "choices": choices}})
    assert (first.parent, first.id, second.id) == (second.parent, "r-1:0", "r-1:1")
    assert [first.text, second.text] == ["It was sent.", "Who knows."]


@pytest.mark.parametrize("arguments", ['{"id": "17"}', {"id": "17"}])
def test_calls_of_tools_are_lines_of_the_answer(arguments: Any) -> None:
    call = {"function": {"name": "find", "arguments": arguments}}
    choices = [{"message": {"content": "I look.", "tool_calls": [call]}}]
    [answer] = answers("nvidia", {**NVIDIA, "response": {**NVIDIA["response"], "choices": choices}})
    assert answer.text == 'I look.\n{"arguments":{"id":"17"},"name":"find","type":"tool_call"}'


def test_a_stored_completion_with_its_messages_is_an_answer() -> None:
    [answer] = answers("openai", STORED)
    assert answer.prompt == [Message(role="user", content="Where is order 17?")]
    assert (answer.id, answer.user, answer.tags) == ("chatcmpl-AyPN", "u-42", {"segment": "retail"})
    assert answer.model_version == "fp_50cad350e4"


def test_a_stored_completion_without_its_messages_says_where_they_are() -> None:
    found = read("openai")({name: value for name, value in STORED.items() if name != "messages"})
    assert isinstance(found, Rejected)
    assert "/messages" in found.reason


def test_a_preference_is_two_siblings_and_an_opinion_on_each() -> None:
    first, second = answers("openai", PREFERENCE)
    assert first.parent == second.parent
    assert [(rated.answer, rated.value) for rated in ratings("openai", PREFERENCE)] == [(first.id, 1), (second.id, -1)]
    assert [first.text, second.text] == ["It was sent.", "Who knows."]


def test_a_picture_leaves_only_its_kind() -> None:
    parts = [{"type": "text", "text": "See:"}, {"type": "image_url", "image_url": {"url": "data:" + "x" * 999}}]
    request = {**NVIDIA["request"], "messages": [{"role": "user", "content": parts}]}
    [answer] = answers("nvidia", {**NVIDIA, "request": request})
    assert answer.prompt[0].content == 'See:\n{"type":"image_url"}'


# ---- trees ----------------------------------------------------------------------------------------------------------


def test_a_feedback_brings_its_chat_and_finds_its_answer() -> None:
    first, second = answers("openwebui", OPENWEBUI)
    assert [first.text, second.text] == ["Who knows.", "It was sent."]
    assert first.parent == second.parent
    [rated] = ratings("openwebui", OPENWEBUI)
    assert (rated.answer, rated.value, rated.comment) == (first.id, -1, "not_factual: it was sent")


def test_an_answer_is_the_same_event_in_every_snapshot_and_in_the_chat() -> None:
    assert answers("openwebui", OPENWEBUI) == answers("openwebui", OPENWEBUI_CHAT)


def test_a_chats_own_thumb_counts_unless_a_feedback_tells_of_it() -> None:
    assert [rated.value for rated in ratings("openwebui", OPENWEBUI_CHAT)] == [1]
    told = json.loads(json.dumps(OPENWEBUI_CHAT))
    told["chat"]["history"]["messages"]["a2"]["feedbackId"] = "f1"
    assert ratings("openwebui", told) == []


def test_regenerations_and_edited_prompts_are_branches() -> None:
    found = {answer.id: answer for answer in answers("chatgpt", CHATGPT)}
    assert list(found) == ["talk:a1", "talk:a3", "talk:a4"]
    assert found["talk:a1"].parent == found["talk:a3"].parent == "talk:u1"
    assert found["talk:a4"].parent == "talk:u3"
    assert found["talk:a4"].prompt == [Message(role="user", content="Where is order 18?")]


def test_what_came_before_an_answer_in_its_turn_is_part_of_its_prompt() -> None:
    answer = next(each for each in answers("chatgpt", CHATGPT) if each.text == "It was sent.")
    assert [each.content for each in answer.prompt] == ["Where is order 17?", "I look.", "the parcel left"]


def test_a_thumb_finds_its_answer() -> None:
    assert [(rated.answer, rated.value) for rated in ratings("chatgpt", THUMB)] == [("talk:a3", 1)]


def test_many_answers_below_a_long_way_of_nothing_are_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """What says nothing costs nothing to write and much to walk: 10 MB of it would take hours."""
    monkeypatch.setattr(trees, "LONGEST", 10_000)
    way = {"0": Node(parent=None, role="user", text="So?", at="2025-01-01T00:00:00Z")}
    way |= {str(each): Node(parent=str(each - 1), role="user", text="", at="") for each in range(1, 200)}
    leaf = Node(parent="199", role="assistant", text="Yes.", at="2025-01-01T00:00:00Z")
    with pytest.raises(ValueError, match="together hold more than"):
        list(trees.responses(way | {f"a{each}": leaf for each in range(50)}, "c", {"workload": "help"}))


def test_messages_that_go_in_a_circle_are_rejected() -> None:
    looped = json.loads(json.dumps(CHATGPT))
    looped["mapping"]["u1"]["parent"] = "a3"
    found = read("chatgpt")(looped)
    assert isinstance(found, Rejected)
    assert "circle" in found.reason


# ---- the arena ------------------------------------------------------------------------------------------------------


def test_a_vote_finds_the_answer_that_the_log_holds() -> None:
    [answer] = answers("lmarena", LOGGED)
    assert (answer.text, answer.conversation, answer.user) == ("It was sent.", "k1", "127.0.0.9")
    assert [turn.role for turn in answer.prompt] == ["system", "user"]
    [rated] = ratings("lmarena", VOTE)
    assert (rated.answer, rated.value) == (answer.id, 1)


@pytest.mark.parametrize(
    ("kind", "values"), [("leftvote", [1, -1]), ("rightvote", [-1, 1]), ("tievote", [0, 0]), ("bothbad_vote", [-1, -1])]
)
def test_a_battles_vote_speaks_of_both(kind: str, values: list[float]) -> None:
    found = ratings("lmarena", {**ARENA, "type": kind})
    assert [rated.value for rated in found] == values
    [left], [right] = (answers("lmarena", {**LOGGED, "state": state}) for state in (STATE, OTHER_STATE))
    assert [rated.answer for rated in found] == [left.id, right.id]
    assert left.parent == right.parent


def test_a_published_battle_holds_both_answers_and_the_vote() -> None:
    first, second = answers("lmarena", BATTLE)
    assert (first.parent, [first.model, second.model]) == (second.parent, ["vicuna", "alpaca"])
    assert [rated.value for rated in ratings("lmarena", BATTLE)] == [-1, 1]
