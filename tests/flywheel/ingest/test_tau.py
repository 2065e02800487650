"""tau-bench's agent runs as events."""

import json
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from flywheel.capture.events import Event, Message, Outcome, Response, ToolCall
from flywheel.ingest.reader import Rejected
from flywheel.ingest.readers.tau import LONGEST, reader, recognises
from flywheel.settings import Source
from tests.flywheel.capture.made import JSON
from tests.flywheel.ingest.mutated import REAL, holds, mutated, needs_real_data, sound

read = reader(Source(name="agents", path="*", workload="airline"))


def called(name: str, arguments: Any, id: str | None = "c1", said: str | None = None) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {
        "role": "assistant",
        "content": said,
        "tool_calls": [{"id": id, "type": "function", "function": function}],
    }


def returned(text: str, id: str | None = "c1") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "name": "get_user", "content": text}


TRAJ: list[dict[str, Any]] = [
    {"role": "system", "content": "Be an agent."},
    {"role": "user", "content": "Book a flight."},
    {"role": "assistant", "content": "Who are you?"},
    {"role": "user", "content": "mia"},
    called("get_user", '{"user_id": "mia"}'),
    returned("Error: user not found"),
    {"role": "assistant", "content": "I cannot find you."},
    {"role": "user", "content": "###STOP###"},
]
RUN: dict[str, Any] = {
    "task_id": 3,
    "trial": 1,
    "reward": 0.0,
    "info": {"task": {"user_id": "mia_li_3668"}},
    "traj": TRAJ,
}
CALL = '{"arguments":{"user_id":"mia"},"name":"get_user","type":"tool_call"}'


def events(run: Any) -> list[Event]:
    said = read(run)
    assert isinstance(said, list), said
    return said


def responses(run: Any) -> list[Response]:
    return [event for event in events(run) if isinstance(event, Response)]


def tools(*turns: dict[str, Any]) -> list[ToolCall]:
    return [event for event in events({**RUN, "traj": list(turns)}) if isinstance(event, ToolCall)]


def reason(run: Any) -> str:
    said = read(run)
    assert isinstance(said, Rejected)
    return said.reason


def test_a_run_is_its_answers_its_tool_calls_and_its_reward() -> None:
    first, second, tool, third, reward = events(RUN)
    assert [event.kind for event in events(RUN)] == ["response", "response", "tool_call", "response", "outcome"]
    assert isinstance(second, Response)
    assert (second.text, second.model, second.workload) == (CALL, "unknown", "airline")
    assert second.prompt == [Message(role=turn["role"], content=turn["content"]) for turn in TRAJ[:4]]
    assert isinstance(tool, ToolCall)
    assert (tool.answer, tool.name, tool.arguments) == (second.id, "get_user", {"user_id": "mia"})
    assert (tool.text, tool.error) == ("Error: user not found", "Error: user not found")
    assert isinstance(third, Response)
    assert third.prompt[4:] == [
        Message(role="assistant", content=CALL),
        Message(role="tool", content="Error: user not found"),
    ]
    assert isinstance(reward, Outcome)
    assert (reward.name, reward.value, reward.answer) == ("reward", 0.0, third.id)
    assert {event.conversation for event in events(RUN)} == {first.conversation}
    assert {(event.user, event.may_train) for event in events(RUN)} == {("mia_li_3668", True)}


def test_the_same_point_of_two_trials_is_a_sibling() -> None:
    # The ids of calls are random: equal histories have other ones.
    again = {
        **RUN,
        "trial": 2,
        "traj": [*TRAJ[:4], called("get_user", '{"user_id":"mia"}', "c9"), returned("{}", "c9")],
    }
    first, other = responses(RUN), responses(again)
    assert [each.parent for each in other] == [each.parent for each in first[:2]]
    assert [each.text for each in other] == [each.text for each in first[:2]]
    assert len({each.parent for each in first}) == 3
    assert responses({**RUN, "task_id": 4})[0].parent != first[0].parent
    assert {each.conversation for each in first}.isdisjoint(each.conversation for each in other)


def test_runs_of_two_models_share_no_id() -> None:
    other = {**RUN, "traj": [*TRAJ[:2], {"role": "assistant", "content": "Your name?"}]}
    assert {event.id for event in events(RUN)}.isdisjoint(event.id for event in events(other))
    rescored = {**RUN, "reward": 1.0}
    assert [event.id for event in events(rescored)] == [event.id for event in events(RUN)]


def test_messages_are_seconds_and_runs_do_not_overlap() -> None:
    assert [event.at[:19] for event in events(RUN)[:2]] == ["2024-01-01T16:05:02", "2024-01-01T16:05:04"]
    runs = [events({**RUN, "task_id": task, "trial": trial}) for task in range(3) for trial in range(3)]
    spans = sorted((run[0].at, run[-1].at) for run in runs)
    assert all(before[1] < after[0] for before, after in pairwise(spans))
    assert all(
        run[0].at < run[-1].at < "2025"
        for run in [*runs, events({**RUN, "task_id": -(10**18) - 7, "trial": 10**18 + 9})]
    )


@pytest.mark.parametrize(
    ("arguments", "read_as", "written_as"),
    [
        ('{"b": 1, "a": [2]}', {"b": 1, "a": [2]}, '{"a":[2],"b":1}'),
        ({"b": 1, "a": [2]}, {"b": 1, "a": [2]}, '{"a":[2],"b":1}'),
        (None, {}, "{}"),
        ("", {"raw": ""}, '""'),
        ("[1]", {"raw": "[1]"}, '"[1]"'),
        ('{"a": 1, "a": 2}', {"raw": '{"a": 1, "a": 2}'}, r'"{\"a\": 1, \"a\": 2}"'),
        ("[" * 5000, {"raw": "[" * 5000}, '"' + "[" * 5000 + '"'),
    ],
)
def test_arguments_are_an_object_or_what_was_written(arguments: Any, read_as: Any, written_as: str) -> None:
    (tool,) = tools(called("t", arguments), returned("ok"))
    assert (tool.arguments, tool.text, tool.error) == (read_as, "ok", None)
    (answer,) = responses({**RUN, "traj": [called("t", arguments, said="Let me see.")]})
    assert answer.text == f'Let me see.\n{{"arguments":{written_as},"name":"t","type":"tool_call"}}'


@pytest.mark.parametrize(("text", "error"), [("Error: no", "Error: no"), ("No Error", None), ("", None)])
def test_a_result_that_begins_with_error_is_one(text: str, error: str | None) -> None:
    (tool,) = tools(called("t", "{}"), returned(text))
    assert (tool.text, tool.error) == (text, error)


def test_a_result_belongs_to_the_call_it_names() -> None:
    both = called("one", "{}", "c1")
    both["tool_calls"] += called("two", "{}", "c2")["tool_calls"]
    assert [tool.name for tool in tools(both, returned("b", "c2"), returned("a", "c1"))] == ["two", "one"]
    assert [tool.name for tool in tools(called("old", "{}", None), returned("a", None))] == ["old"]


def test_a_run_that_broke_off_has_its_reward_only() -> None:
    broken = {**RUN, "traj": [], "info": {"error": "timeout", "traceback": "..."}}
    (only,) = events(broken)
    assert isinstance(only, Outcome)
    assert (only.value, only.answer, only.user) == (0.0, None, None)


@pytest.mark.parametrize(
    ("changes", "model"),
    [({"model": "m"}, "m"), ({"info": {"model": "m"}}, "m"), ({"info": {"model": 7}}, "unknown"), ({}, "unknown")],
)
def test_the_model_is_unknown_unless_the_run_names_it(changes: dict[str, Any], model: str) -> None:
    assert {each.model for each in responses({**RUN, **changes})} == {model}


@pytest.mark.parametrize("other", [None, [], "traj", {}, {"v": 1, "kind": "rated"}, {"id": "a", "input": "{}"}, [RUN]])
def test_other_records_are_not_recognised_and_rejected(other: Any) -> None:
    assert recognises(RUN)
    assert not recognises(other)
    assert reason(other).startswith("not a run of tau-bench; saw `")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reward": "1"}, 'field reward: expected float, got str; saw `"1"`'),
        ({"task_id": "3"}, 'field task_id: expected int, got str; saw `"3"`'),
        ({"traj": None}, "field traj: expected array, got null; saw `null`"),
        ({"traj": [{"content": "hi"}]}, "field traj[0]: object missing required field role; saw `["),
        (
            {"traj": [{"role": "user", "tool_calls": [{}]}]},
            "field traj[0].tool_calls[0]: object missing required field",
        ),
        ({"traj": [returned("ok")]}, 'field traj[0]: the result of no call; saw `"c1"`'),
        ({"traj": [*TRAJ[:6], returned("ok", "c2")]}, 'field traj[6]: the result of no call; saw `"c2"`'),
        (
            {"traj": [{"role": "user", "content": "x" * 10**6}] + [TRAJ[2]] * 70},
            f"field traj: its prompts together hold more than {LONGEST}",
        ),
    ],
)
def test_a_bad_run_is_rejected_in_words(changes: dict[str, Any], words: str) -> None:
    assert words in reason({**RUN, **changes})


@given(value=JSON | mutated(RUN))
@example({**RUN, "traj": [{"role": "assistant", "content": [{"type": "text", "text": "hi"}], "tool_calls": []}]})
def test_no_value_at_all_makes_the_reader_raise(value: Any) -> None:
    assume(sound(value))
    assert holds(read, value)


@given(order=st.permutations(list(RUN)))
def test_the_order_of_fields_says_nothing(order: list[str]) -> None:
    assert events({name: RUN[name] for name in order}) == events(RUN)


@needs_real_data
def test_every_real_run_is_read_whole() -> None:
    runs = json.loads((REAL / "tau_bench" / "gpt-4o-airline.json").read_text())
    read_as = [event for run in runs for event in events(run)]
    assert len(runs) == 200
    assert all(recognises(run) for run in runs)
    tool_calls = [event for event in read_as if isinstance(event, ToolCall)]
    assert (len(tool_calls), sum(tool.error is not None for tool in tool_calls)) == (1164, 73)
    assert Counter(event.value for event in read_as if isinstance(event, Outcome)) == {1.0: 84, 0.0: 116}
    assert len({(event.kind, event.id) for event in read_as}) == len(read_as)
    assert len({event.conversation for event in read_as}) == 200
    answered = {event.id for event in read_as if isinstance(event, Response)}
    assert {tool.answer for tool in tool_calls} <= answered
    for run in runs[::50]:
        assert holds(read, run)
