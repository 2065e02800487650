"""MLflow's traces with assessments: the JSON of version 3, the older one, and what a mangled one comes to."""

import base64
import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flywheel.capture.events import Edited, Event, Message, Outcome, Rated, Response, Retrieval, ToolCall
from flywheel.ingest.opinions import EVALUATOR
from flywheel.ingest.reader import Reader, Rejected
from flywheel.ingest.readers import FORMATS, reader_for
from flywheel.settings import Source
from tests.flywheel.capture.made import JSON
from tests.flywheel.ingest.mutated import holds, mutated, sound

START = 1755850000000000000
ASKED = [{"role": "user", "content": "Where is order 17?"}]
COMPLETION = {"model": "gpt-4o", "choices": [{"message": {"role": "assistant", "content": "It was sent."}}]}
USAGE = {"input_tokens": 30, "output_tokens": 4, "total_tokens": 34}


def id_of(place: int) -> bytes:
    return place.to_bytes(8, "big")


def encoded(**attributes: Any) -> dict[str, str]:
    """Attribute values are JSON inside strings."""
    return {f"mlflow.{name}": json.dumps(value) for name, value in attributes.items()}


def attributes(kind: str, inputs: Any, outputs: Any) -> dict[str, str]:
    return encoded(spanType=kind, spanInputs=inputs, spanOutputs=outputs)


CHAT = attributes("CHAT_MODEL", {"messages": ASKED}, COMPLETION) | encoded(**{"chat.tokenUsage": USAGE})
SPANS = [
    (1, None, "app", attributes("AGENT", {"q": "Where is order 17?"}, "It was sent."), "OK", ""),
    (2, 1, "look", attributes("RETRIEVER", {"query": "17"}, [{"page_content": "x", "id": "d1"}]), "OK", ""),
    (3, 1, "chat", CHAT, "OK", ""),
    (4, 1, "find", attributes("TOOL", {"id": 17}, None), "ERROR", "no such order"),
]


def current(place: int, parent: int | None, name: str, said: dict[str, str], code: str, told: str) -> dict[str, Any]:
    return {
        "trace_id": base64.b64encode(bytes(16)).decode(),
        "span_id": base64.b64encode(id_of(place)).decode(),
        "parent_span_id": parent and base64.b64encode(id_of(parent)).decode(),
        "name": name,
        "start_time_unix_nano": START + place * 10**9,
        "end_time_unix_nano": START + place * 10**9 + 5 * 10**8,
        "events": [],
        "status": {"code": f"STATUS_CODE_{code}", "message": told},
        "attributes": said,
        "links": [],
    }


def older(place: int, parent: int | None, name: str, said: dict[str, str], code: str, told: str) -> dict[str, Any]:
    return {
        "name": name,
        "context": {"span_id": f"0x{id_of(place).hex()}", "trace_id": "0x00"},
        "parent_id": parent and f"0x{id_of(parent).hex()}",
        "start_time": START + place * 10**9,
        "end_time": START + place * 10**9 + 5 * 10**8,
        "status_code": code,
        "status_message": told,
        "attributes": said,
        "events": [],
    }


def assessment(name: str, by: str = "HUMAN", **said: Any) -> dict[str, Any]:
    return {
        "assessment_id": f"a-{name}",
        "assessment_name": name,
        "trace_id": "tr-1",
        "source": {"source_type": by, "source_id": "u-42"},
        "create_time": "2025-08-22T08:10:00Z",
        "last_update_time": "2025-08-22T08:11:00Z",
        "valid": True,
        **said,
    }


ABOUT = {"mlflow.trace.session": "s-1", "mlflow.trace.user": "u-1", "mlflow.trace_schema.version": "3"}
TAGS = {"mlflow.traceName": "app", "mlflow.artifactLocation": "/x", "segment": "retail"}
TRACE: dict[str, Any] = {
    "info": {
        "trace_id": "tr-1",
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "1"}},
        "request_time": "2025-08-22T08:06:40Z",
        "execution_duration_ms": 1000,
        "state": "OK",
        "trace_metadata": ABOUT,
        "tags": TAGS,
        "assessments": [
            assessment("thumbs", feedback={"value": False}, rationale="wrong city"),
            assessment("expected_response", expectation={"value": "It was sent today."}),
            assessment("judge", "LLM_JUDGE", feedback={"value": 0.3}, rationale="vague"),
        ],
    },
    "data": {"spans": [current(*each) for each in SPANS]},
}
OLDER: dict[str, Any] = {
    "info": {
        "request_id": "tr-1",
        "experiment_id": "1",
        "timestamp_ms": START // 10**6,
        "execution_time_ms": 1000,
        "status": "OK",
        "request_metadata": ABOUT,
        "tags": TAGS,
        "assessments": TRACE["info"]["assessments"],
    },
    "data": {"spans": [older(*each) for each in SPANS], "request": "{}", "response": "{}"},
}


def read() -> Reader:
    return reader_for(Source(name="app", path="*", format="mlflow", workload="help"))


def events(value: Any) -> list[Event]:
    found = read()(value)
    assert isinstance(found, list), found
    return found


def said(*assessments: dict[str, Any]) -> list[Any]:
    found = events({**TRACE, "info": {**TRACE["info"], "assessments": list(assessments)}})
    return [event for event in found if isinstance(event, Rated | Outcome | Edited)]


@pytest.mark.parametrize("record", [TRACE, OLDER])
def test_a_trace_is_known_by_its_looks(record: dict[str, Any]) -> None:
    assert next(name for name, each in FORMATS.items() if each.recognises(record)) == "mlflow"
    assert reader_for(Source(name="app", path="*", workload="help"))(record) == events(record)


@pytest.mark.parametrize("record", [TRACE, OLDER])
@given(data=st.data())
def test_a_mangled_trace_is_events_or_a_reason(record: dict[str, Any], data: st.DataObject) -> None:
    value = data.draw(JSON | mutated(record))
    assume(sound(value))
    assert holds(read(), value)


def test_both_ages_of_a_trace_are_equal_events() -> None:
    assert events(OLDER) == events(TRACE)


def test_a_chat_span_is_an_answer() -> None:
    [answer] = [event for event in events(TRACE) if isinstance(event, Response)]
    assert (answer.id, answer.at) == (id_of(3).hex(), "2025-08-22T08:06:43.500000Z")
    assert (answer.prompt, answer.text) == ([Message(**each) for each in ASKED], "It was sent.")
    assert (answer.model, answer.tokens_in, answer.tokens_out, answer.latency_ms) == ("gpt-4o", 30, 4, 500)
    assert (answer.conversation, answer.user) == ("s-1", "u-1")
    assert answer.tags == {"segment": "retail", "trace_name": "app"}


def test_tools_and_searches_belong_to_it() -> None:
    [search] = [event for event in events(TRACE) if isinstance(event, Retrieval)]
    assert (search.answer, search.query, search.documents) == (id_of(3).hex(), "17", ["d1"])
    [tool] = [event for event in events(TRACE) if isinstance(event, ToolCall)]
    assert (tool.answer, tool.name, tool.arguments, tool.error) == (search.answer, "find", {"id": 17}, "no such order")


def test_where_no_model_was_traced_the_outermost_function_answered() -> None:
    [answer] = [
        event
        for event in events({**TRACE, "data": {"spans": TRACE["data"]["spans"][:2]}})
        if isinstance(event, Response)
    ]
    assert (answer.id, answer.text) == (id_of(1).hex(), "It was sent.")
    assert answer.prompt == [Message(role="user", content="Where is order 17?")]


@pytest.mark.parametrize(
    ("value", "opinion", "comment"),
    [(True, 1, "so"), (False, -1, "so"), ("no", -1, "no: so"), ("vague", 0, "vague: so")],
)
def test_a_persons_feedback_is_a_rating(value: Any, opinion: float, comment: str) -> None:
    [rated] = said(assessment("thumbs", feedback={"value": value}, rationale="so"))
    assert isinstance(rated, Rated)
    assert (rated.answer, rated.value, rated.comment, rated.name) == (id_of(3).hex(), opinion, comment, "thumbs")
    assert (rated.user, rated.component, rated.at) == ("u-42", None, "2025-08-22T08:11:00.000000Z")


def test_a_number_is_an_outcome_since_nothing_says_its_range() -> None:
    [outcome] = said(assessment("stars", feedback={"value": 4}))
    assert isinstance(outcome, Outcome)
    assert (outcome.value, outcome.name, outcome.answer) == (4, "stars", id_of(3).hex())


@pytest.mark.parametrize("by", ["LLM_JUDGE", "CODE"])
def test_what_a_program_says_is_no_persons_opinion(by: str) -> None:
    [rated] = said(
        assessment("fine", by, feedback={"value": True}),
        assessment("expected_response", by, expectation={"value": "x"}),
    )
    assert (rated.component, rated.user) == (EVALUATOR, None)


@pytest.mark.parametrize("name", ["expected_response", "expected_output"])
def test_what_a_person_expected_is_an_edit(name: str) -> None:
    [edited] = said(assessment(name, expectation={"value": "It was sent today."}))
    assert isinstance(edited, Edited)
    assert (edited.answer, edited.text) == (id_of(3).hex(), "It was sent today.")


def test_other_expectations_and_what_was_overridden_say_nothing() -> None:
    facts = assessment("expected_facts", expectation={"serialized_value": {"value": "[]"}})
    assert said(facts, assessment("thumbs", feedback={"value": True}, valid=False)) == []


@pytest.mark.parametrize(("named", "answer"), [(3, 3), (1, 3), (4, 3)])
def test_feedback_on_a_span_speaks_of_its_answer(named: int, answer: int) -> None:
    [rated] = said(assessment("thumbs", feedback={"value": True}, span_id=id_of(named).hex()))
    assert rated.answer == id_of(answer).hex()


def test_a_stranger_is_rejected_in_words() -> None:
    found = read()({"info": {}, "data": {}})
    assert isinstance(found, Rejected)
    assert found.reason.startswith("not a trace of MLflow")
