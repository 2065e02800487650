"""OpenTelemetry's GenAI telemetry: one call of a model told in every age of the conventions, and what came of it."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flywheel.capture.events import Event, Message, Outcome, Rated, Response, Retrieval, ToolCall
from flywheel.ingest.opinions import EVALUATOR
from flywheel.ingest.reader import Reader, Rejected, tool_call
from flywheel.ingest.readers import FORMATS, reader_for
from flywheel.settings import Source
from tests.flywheel.capture.made import JSON
from tests.flywheel.ingest.mutated import holds, mutated, sound

START = 1755850000000000000
CHAT = "00f067aa0ba902b7"
CALL = tool_call("find", {"id": 17})
PROMPT = [
    Message(role="system", content="Be kind."),
    Message(role="user", content="Where is order 17?"),
    Message(role="assistant", content=CALL),
    Message(role="tool", content="it left"),
]
FUNCTION = {"name": "find", "arguments": '{"id": 17}'}


def value(plain: Any) -> dict[str, Any]:
    """A value as OTLP JSON writes it."""
    match plain:
        case bool():
            return {"boolValue": plain}
        case int():
            return {"intValue": str(plain)}
        case float():
            return {"doubleValue": plain}
        case dict():
            return {"kvlistValue": {"values": attributes(plain)}}
        case list():
            return {"arrayValue": {"values": [value(each) for each in plain]}}
    return {"stringValue": plain}


def attributes(plain: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": value(each)} for name, each in plain.items()]


def span(id: str, second: int, told: Mapping[str, Any], *events: dict[str, Any], **more: Any) -> dict[str, Any]:
    times = {"startTimeUnixNano": str(START + second * 10**9), "endTimeUnixNano": str(START + second * 10**9 + 10**9)}
    found = {"traceId": "4bf92f3577b34da6", "spanId": id, "parentSpanId": "", "name": id, "kind": 3, **times}
    return {**found, "attributes": attributes(told), "events": list(events), "status": {}, **more}


def event(name: str, place: int, told: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "timeUnixNano": str(START + place), "attributes": attributes(told)}


def record(name: str, place: int, body: Any, **told: Any) -> dict[str, Any]:
    ids = {"traceId": "4bf92f3577b34da6", "spanId": CHAT}
    return {"timeUnixNano": str(START + place), "eventName": name, "body": value(body), **ids} | {
        "attributes": attributes(told)
    }


RESOURCE = {"attributes": attributes({"service.name": "shop", "deployment.environment.name": "prod"})}


def spans(*each: dict[str, Any]) -> dict[str, Any]:
    return {"resourceSpans": [{"resource": RESOURCE, "scopeSpans": [{"scope": {"name": "x"}, "spans": list(each)}]}]}


def logs(*each: dict[str, Any]) -> dict[str, Any]:
    return {"resourceLogs": [{"resource": RESOURCE, "scopeLogs": [{"scope": {"name": "x"}, "logRecords": list(each)}]}]}


ABOUT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.conversation.id": "talk",
    "user.id": "u1",
    "gen_ai.usage.input_tokens": 52,
    "gen_ai.usage.output_tokens": 47,
}
GIVEN = [
    {"role": "user", "parts": [{"type": "text", "content": "Where is order 17?"}]},
    {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "find", "arguments": {"id": 17}}]},
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "it left"}]},
]
SAID = [
    {
        "role": "assistant",
        "parts": [{"type": "reasoning", "content": "hm"}, {"type": "text", "content": "It was sent."}],
        "finish_reason": "stop",
    }
]
SYSTEM = [{"type": "text", "content": "Be kind."}]
CURRENT = {"gen_ai.system_instructions": SYSTEM, "gen_ai.input.messages": GIVEN, "gen_ai.output.messages": SAID}
AS_TEXT = {name: json.dumps(each) for name, each in CURRENT.items()}
OLD = {name.replace("provider.name", "system"): each for name, each in ABOUT.items()}
TOLD: list[tuple[str, dict[str, Any]]] = [
    ("gen_ai.system.message", {"content": "Be kind."}),
    ("gen_ai.user.message", {"content": "Where is order 17?"}),
    ("gen_ai.assistant.message", {"tool_calls": [{"id": "c1", "type": "function", "function": FUNCTION}]}),
    ("gen_ai.tool.message", {"id": "c1", "content": "it left"}),
    ("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": {"content": "It was sent."}}),
]
FLAT = {
    "llm.request.type": "chat",
    "gen_ai.prompt.0.role": "system",
    "gen_ai.prompt.0.content": "Be kind.",
    "gen_ai.prompt.1.role": "user",
    "gen_ai.prompt.1.content": "Where is order 17?",
    "gen_ai.prompt.2.role": "assistant",
    "gen_ai.prompt.2.tool_calls.0.name": "find",
    "gen_ai.prompt.2.tool_calls.0.arguments": '{"id": 17}',
    "gen_ai.prompt.3.role": "tool",
    "gen_ai.prompt.3.content": "it left",
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.content": "It was sent.",
}
INFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "gpt-4o-2024-08-06",
    "session.id": "talk",
    "llm.token_count.prompt": 52,
    "llm.token_count.completion": 47,
    "llm.input_messages.0.message.role": "system",
    "llm.input_messages.0.message.content": "Be kind.",
    "llm.input_messages.1.message.role": "user",
    "llm.input_messages.1.message.contents.0.message_content.type": "text",
    "llm.input_messages.1.message.contents.0.message_content.text": "Where is order 17?",
    "llm.input_messages.2.message.role": "assistant",
    "llm.input_messages.2.message.tool_calls.0.tool_call.function.name": "find",
    "llm.input_messages.2.message.tool_calls.0.tool_call.function.arguments": '{"id": 17}',
    "llm.input_messages.3.message.role": "tool",
    "llm.input_messages.3.message.content": "it left",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.content": "It was sent.",
}
WITHOUT_OPERATION = {name: each for name, each in OLD.items() if name != "gen_ai.operation.name"}
EVENTS = [event(name, place, told) for place, (name, told) in enumerate(TOLD)]
AGES: dict[str, dict[str, Any]] = {
    "structured": spans(span(CHAT, 0, ABOUT | CURRENT)),
    "as text": spans(span(CHAT, 0, ABOUT | AS_TEXT)),
    "an event for each message": spans(span(CHAT, 0, OLD, *EVENTS)),
    "events whose content is text": spans(
        span(
            CHAT,
            0,
            OLD,
            *(event(name, at, {"gen_ai.event.content": json.dumps(told)}) for at, (name, told) in enumerate(TOLD)),
        )
    ),
    "flat": spans(span(CHAT, 0, WITHOUT_OPERATION | FLAT)),
    "OpenInference": spans(span(CHAT, 0, INFERENCE | {"user.id": "u1"})),
    "logs": logs(*(record(name, at, told) for at, (name, told) in enumerate(TOLD))),
    "details in the log": logs(record("gen_ai.client.inference.operation.details", 0, None, **ABOUT, **CURRENT)),
}
FIND = span(
    "find",
    1,
    {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find", "gen_ai.tool.call.arguments": '{"id": 17}'}
    | {"gen_ai.tool.call.result": "it left", "error.type": "timeout"},
    status={"code": 2},
    parentSpanId=CHAT,
)
JUDGED = {
    "gen_ai.evaluation.name": "relevance",
    "gen_ai.evaluation.score.label": "good",
    "gen_ai.evaluation.explanation": "it says when",
}


def read() -> Reader:
    return reader_for(Source(name="app", path="*", format="otel", workload="help"))


def events(given: Any) -> list[Event]:
    found = read()(given)
    assert isinstance(found, list), found
    return found


@pytest.mark.parametrize("age", AGES)
def test_a_call_of_a_model_is_the_same_answer_in_every_age(age: str) -> None:
    [answer] = events(AGES[age])
    assert isinstance(answer, Response)
    assert answer.prompt == PROMPT
    assert (answer.id, answer.text) == (CHAT, "It was sent.")
    if age != "logs":  # which tell the messages and nothing else
        assert (answer.conversation, answer.user) == ("talk", "u1")
        assert (answer.model, answer.tokens_in, answer.tokens_out) == ("gpt-4o-2024-08-06", 52, 47)
    assert answer.tags == {"service": "shop", "environment": "prod"}
    if "log" not in age:
        assert (answer.at, answer.latency_ms) == ("2025-08-22T08:06:41.000000Z", 1000)


@pytest.mark.parametrize("age", AGES)
def test_a_request_is_known_by_its_looks(age: str) -> None:
    assert next(name for name, each in FORMATS.items() if each.recognises(AGES[age])) == "otel"


@pytest.mark.parametrize("age", AGES)
@given(data=st.data())
def test_a_mangled_request_is_events_or_a_reason(age: str, data: st.DataObject) -> None:
    mangled = data.draw(JSON | mutated(AGES[age]))
    assume(sound(mangled))
    assert holds(read(), mangled)


def test_a_tool_belongs_to_the_answer_that_called_it() -> None:
    calling = [{"role": "assistant", "parts": GIVEN[1]["parts"], "finish_reason": "tool_call"}]
    first = span(CHAT, 0, ABOUT | {**CURRENT, "gen_ai.output.messages": calling})
    [tool] = [each for each in events(spans(FIND, first)) if isinstance(each, ToolCall)]
    assert (tool.id, tool.answer, tool.name, tool.arguments) == ("find", CHAT, "find", {"id": 17})
    assert (tool.text, tool.error) == ("it left", "timeout")


def test_a_tool_whose_answer_came_in_another_request_names_what_it_hangs_below() -> None:
    [tool] = events(spans(FIND))
    assert isinstance(tool, ToolCall)
    assert tool.answer == CHAT


def test_a_search_is_of_the_answer_after_it() -> None:
    told = {"openinference.span.kind": "RETRIEVER", "input.value": "order 17", "output.value": '[{"id": "d1"}]'}
    found = events(spans(span("look", 0, told), span(CHAT, 1, ABOUT | CURRENT)))
    [search] = [each for each in found if isinstance(each, Retrieval)]
    assert (search.answer, search.query, search.documents) == (CHAT, "order 17", ["d1"])


def test_an_agent_that_repeats_its_answer_counts_once() -> None:
    agent = span("agent", 0, {**ABOUT, **CURRENT, "gen_ai.operation.name": "invoke_agent"})
    found = events(spans(agent, span(CHAT, 0, ABOUT | CURRENT, parentSpanId="agent")))
    assert [each.id for each in found] == [CHAT]


@pytest.mark.parametrize("by", [{}, {"gen_ai.evaluation.source": "human", "user.id": "nurse"}])
def test_an_evaluation_is_a_programs_unless_it_says_a_person(by: dict[str, str]) -> None:
    judged = event("gen_ai.evaluation.result", 5, JUDGED | by)
    [rated] = [each for each in events(spans(span(CHAT, 0, ABOUT | CURRENT, judged))) if isinstance(each, Rated)]
    assert (rated.answer, rated.value, rated.name) == (CHAT, 1, "relevance")
    assert (rated.component, rated.user) == ((None, "nurse") if by else (EVALUATOR, None))


def test_an_evaluation_in_the_log_finds_the_answer_of_another_request() -> None:
    [outcome] = events(
        logs(record("gen_ai.evaluation.result", 9, None, **JUDGED, **{"gen_ai.evaluation.score.value": 0.5}))
    )
    assert isinstance(outcome, Outcome)
    assert (outcome.answer, outcome.value, outcome.component) == (CHAT, 0.5, EVALUATOR)


def test_spans_without_messages_say_how_to_capture_them() -> None:
    found = read()(spans(span(CHAT, 0, ABOUT)))
    assert isinstance(found, Rejected)
    assert "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT" in found.reason


def test_a_stranger_is_rejected_in_words() -> None:
    found = read()({"hello": 1})
    assert isinstance(found, Rejected)
    assert found.reason.startswith("not an export request of OpenTelemetry")
