"""Messages with their calls as fields: what is opened, what is left alone."""

import json

from flywheel.turns import with_calls


def call(name: str, **arguments: str) -> str:
    return json.dumps({"arguments": arguments, "name": name, "type": "tool_call"}, separators=(",", ":"))


def test_calls_at_the_end_of_what_the_assistant_said_become_fields() -> None:
    said = {"role": "assistant", "content": f"I look.\n{call('find', id='1')}\n{call('ask', who='Ada')}"}
    [opened] = with_calls([said])
    assert opened["content"] == "I look."
    assert [one["function"] for one in opened["tool_calls"]] == [
        {"name": "find", "arguments": {"id": "1"}},
        {"name": "ask", "arguments": {"who": "Ada"}},
    ]


def test_each_tool_answers_its_call_in_order() -> None:
    said = {"role": "assistant", "content": f"{call('find')}\n{call('ask')}"}
    answers = [{"role": "tool", "content": "a"}, {"role": "tool", "content": "b"}]
    opened, first, second = with_calls([said, *answers])
    assert [first["name"], second["name"]] == ["find", "ask"]
    assert [first["tool_call_id"], second["tool_call_id"]] == [one["id"] for one in opened["tool_calls"]]
    assert len({one["id"] for one in opened["tool_calls"]}) == 2


def test_what_a_person_or_a_tool_wrote_is_never_a_call() -> None:
    messages = [{"role": "user", "content": call("find")}, {"role": "tool", "content": call("find")}]
    assert with_calls(messages) == messages


def test_json_that_is_no_call_stays_text() -> None:
    texts = ['{"name":"find"}', '{"arguments":{},"name":"find","type":"other"}', "{not json", '[1]\n{"a":1}']
    messages = [{"role": "assistant", "content": text} for text in texts]
    assert with_calls(messages) == messages


def test_a_call_in_the_middle_of_a_text_stays_text() -> None:
    message = {"role": "assistant", "content": f"{call('find')}\nDone."}
    assert with_calls([message]) == [message]
