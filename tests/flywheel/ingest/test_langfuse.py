"""Langfuse: its traces and table rows as documented, and real traces of seven frameworks beside what Langfuse reads."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flywheel.capture.events import Edited, Event, Message, Outcome, Rated, Response, Retrieval, ToolCall
from flywheel.ingest import calls, ingest, waiting
from flywheel.ingest.cells import ROLES
from flywheel.ingest.opinions import EVALUATOR
from flywheel.ingest.reader import Reader, Rejected, tool_call
from flywheel.ingest.readers import FORMATS, reader_for
from flywheel.lake import Lake
from flywheel.settings import Source
from tests.flywheel.capture.made import JSON
from tests.flywheel.ingest.logs import conserved
from tests.flywheel.ingest.mutated import REAL, holds, mutated, needs_real_data, sound

ASKED = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Where is order 17?"}]
CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"id": 17}'}}
TURNS = [*ASKED, {"role": "assistant", "content": None, "tool_calls": [CALL]}, {"role": "tool", "content": "it left"}]


def observation(id: str, type: str, parent: str | None, second: int, **more: Any) -> dict[str, Any]:
    start, end = (f"2025-06-11T14:01:{second + at:02}.500Z" for at in (0, 1))
    return {"id": id, "traceId": "t1", "type": type, "parentObservationId": parent, "name": id} | {
        "startTime": start,
        "endTime": end,
        "level": "DEFAULT",
        **more,
    }


def score(id: str, type: str, value: Any, **more: Any) -> dict[str, Any]:
    return {"id": id, "traceId": "t1", "observationId": None, "name": "quality", "value": value, "dataType": type} | {
        "source": "ANNOTATION",
        "authorUserId": "nurse",
        "stringValue": None,
        "longStringValue": "",
        "comment": None,
        "timestamp": "2025-06-11T15:00:00.000Z",
        **more,
    }


SPENT = {"model": "gpt-4o", "usageDetails": {"input": 30, "output": 4, "total": 34}, "totalCost": 0.25}
SENT = {"role": "assistant", "content": "It was sent."}
OBSERVATIONS = [
    observation("agent", "AGENT", None, 0, input=json.dumps({"question": "Where is order 17?"}), output="It was sent."),
    observation("look", "RETRIEVER", "agent", 1, input={"query": "order 17"}, output=[{"id": "d1"}, {"page": "x"}]),
    observation("first", "GENERATION", "agent", 3, input=json.dumps(ASKED), output={"tool_calls": [CALL]}, **SPENT),
    observation("find", "TOOL", "agent", 5, input='{"id": 17}', output="it left"),
    observation("wrap", "GENERATION", "agent", 7, input={"messages": TURNS}, output=json.dumps(SENT), **SPENT),
    observation("second", "GENERATION", "wrap", 8, input=json.dumps(TURNS), output=json.dumps(SENT), **SPENT),
]
OBSERVATIONS[2]["output"] |= {"role": "assistant", "content": None}
CORRECTION = score("k", "CORRECTION", 0, name="output", longStringValue="It was sent today.")
ABOUT: dict[str, Any] = {
    "id": "t1",
    "projectId": "p",
    "name": "answer",
    "timestamp": "2025-06-11T14:01:00.000Z",
    "environment": "production",
    "tags": ["gold"],
    "userId": "u1",
    "sessionId": "s1",
    "input": None,
    "output": json.dumps("It was sent."),
    "metadata": "{}",
    "scores": [score("n", "NUMERIC", 0.5), score("e", "NUMERIC", 1, source="EVAL", comment="fine")],
    "corrections": [CORRECTION],
}
TRACE = {"trace": ABOUT, "observations": OBSERVATIONS}
BARE = {**ABOUT, "observations": OBSERVATIONS}
OBSERVATION_ROW = {
    "id": "first",
    "trace_id": "t1",
    "project_id": "p",
    "type": "GENERATION",
    "parent_observation_id": "agent",
    "start_time": "2025-06-11 14:01:03.500",
    "end_time": "2025-06-11 14:01:04.500",
    "name": "first",
    "metadata": {},
    "level": "DEFAULT",
    "input": json.dumps(ASKED),
    "output": json.dumps(SENT),
    "provided_model_name": "gpt-4o",
    "usage_details": {"input": 30, "output": 4},
    "total_cost": "0.25",
    "prompt_name": "helper",
    "prompt_version": 3,
}
SCORE_ROW = {
    "id": "b",
    "timestamp": "2025-06-11 15:00:00.000",
    "project_id": "p",
    "trace_id": "t1",
    "observation_id": "first",
    "name": "thumb",
    "value": 0,
    "string_value": "False",
    "source": "API",
    "data_type": "BOOLEAN",
    "comment": "late",
}
RECORDS = [TRACE, BARE, OBSERVATION_ROW, SCORE_ROW, CORRECTION]


def read() -> Reader:
    return reader_for(Source(name="export", path="*", format="langfuse", workload="help"))


def events(value: Any) -> list[Event]:
    found = read()(value)
    assert isinstance(found, list), found
    return found


def scored(*scores: dict[str, Any], **about: Any) -> list[Any]:
    """What a trace's scores come to."""
    trace = {**ABOUT, "scores": list(scores), "corrections": [], **about}
    return [event for event in events({**TRACE, "trace": trace}) if isinstance(event, Rated | Outcome | Edited)]


# ---- every record ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_is_known_by_its_looks(record: dict[str, Any]) -> None:
    assert next(name for name, each in FORMATS.items() if each.recognises(record)) == "langfuse"
    assert reader_for(Source(name="export", path="*", workload="help"))(record) == events(record)


@pytest.mark.parametrize("record", RECORDS)
@given(data=st.data())
def test_a_mangled_record_is_events_or_a_reason(record: dict[str, Any], data: st.DataObject) -> None:
    value = data.draw(JSON | mutated(record))
    assume(sound(value))
    assert holds(read(), value)


def test_a_stranger_is_rejected_in_words() -> None:
    found = read()({"hello": 1})
    assert isinstance(found, Rejected)
    assert found.reason.startswith("not a trace of Langfuse")


def test_the_two_shapes_of_a_trace_and_any_order_of_its_parts_are_equal_events() -> None:
    assert events(TRACE) == events(BARE)
    assert events({**TRACE, "observations": OBSERVATIONS[::-1]}) == events(TRACE)


# ---- a trace --------------------------------------------------------------------------------------------------------


def test_generations_are_answers_and_one_told_twice_counts_once() -> None:
    first, second = [event for event in events(TRACE) if isinstance(event, Response)]
    assert (first.id, second.id) == ("first", "second")
    assert first.prompt == [Message(**each) for each in ASKED]
    assert first.text == tool_call("find", {"id": 17})
    assert [turn.role for turn in second.prompt] == ["system", "user", "assistant", "tool"]
    assert (second.text, second.model, second.at) == ("It was sent.", "gpt-4o", "2025-06-11T14:01:09.500000Z")
    assert (second.tokens_in, second.tokens_out, second.cost, second.latency_ms) == (30, 4, 0.25, 1000)
    assert (second.conversation, second.user) == ("s1", "u1")
    assert second.tags == {"gold": "yes", "trace_name": "answer", "environment": "production"}


def test_without_a_session_the_trace_is_the_conversation() -> None:
    found = events({**TRACE, "trace": {**ABOUT, "sessionId": None}})
    assert {event.conversation for event in found} == {"t1"}


def test_a_wrapper_that_tells_more_than_the_leaf_is_the_answer() -> None:
    told_as_text = {**OBSERVATIONS[5], "input": "user: Where?", "output": "It was sent."}
    found = [each for each in events({**TRACE, "observations": [*OBSERVATIONS[:5], told_as_text]})]
    assert [each.id for each in found if isinstance(each, Response)] == ["first", "wrap"]


def test_a_turn_that_does_not_tell_its_prompt_was_given_what_stands_around_it() -> None:
    agent = {**OBSERVATIONS[0], "input": {"prompt": "Where is order 17?", "system": "Be kind."}}
    second = {**OBSERVATIONS[5], "parentObservationId": "agent", "input": {"content": "role"}}
    found = events({**TRACE, "observations": [agent, *OBSERVATIONS[2:4], second]})
    answer = next(each for each in found if each.id == "second")
    assert isinstance(answer, Response)
    assert [(turn.role, turn.content) for turn in answer.prompt] == [
        ("system", "Be kind."),
        ("user", "Where is order 17?"),
        ("assistant", tool_call("find", {"id": 17})),
        ("tool", "it left"),
    ]


def test_a_tool_belongs_to_the_answer_that_called_it_and_a_search_to_the_one_after() -> None:
    [tool] = [event for event in events(TRACE) if isinstance(event, ToolCall)]
    assert (tool.answer, tool.name, tool.arguments, tool.text, tool.error) == (
        "first",
        "find",
        {"id": 17},
        "it left",
        None,
    )
    [search] = [event for event in events(TRACE) if isinstance(event, Retrieval)]
    assert (search.answer, search.query, search.empty) == ("first", "order 17", False)
    assert search.documents[0] == "d1"


def test_a_tool_that_failed_says_why() -> None:
    failed = {**OBSERVATIONS[3], "level": "ERROR", "statusMessage": "no such order", "output": None}
    [tool] = [
        each for each in events({**TRACE, "observations": [*OBSERVATIONS[:3], failed]}) if each.kind == "tool_call"
    ]
    assert isinstance(tool, ToolCall)
    assert tool.error == "no such order"


# ---- scores ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "value", "comment"),
    [
        (score("x", "BOOLEAN", 1, comment="good"), 1, "good"),
        (score("x", "BOOLEAN", 0), -1, None),
        (score("x", "CATEGORICAL", 2, stringValue="thumbs_down"), -1, "thumbs_down"),
        (score("x", "CATEGORICAL", 2, stringValue="off topic", comment="sent?"), 0, "off topic: sent?"),
        (score("x", "TEXT", 0, longStringValue="Too long."), 0, "Too long."),
    ],
)
def test_what_a_person_said_is_a_rating_of_the_last_answer(given: Any, value: float, comment: str | None) -> None:
    [rated] = scored(given)
    assert isinstance(rated, Rated)
    assert (rated.answer, rated.value, rated.comment, rated.name) == ("second", value, comment, "quality")
    assert (rated.user, rated.component) == ("nurse", None)


def test_a_number_is_an_outcome_since_nothing_says_its_range() -> None:
    measured, said = scored(score("x", "NUMERIC", 4, comment="nearly"))
    assert isinstance(measured, Outcome)
    assert (measured.value, measured.name, measured.answer) == (4, "quality", "second")
    assert (said.value, said.comment) == (0, "nearly")


def test_what_a_program_computed_is_no_persons_opinion() -> None:
    found = scored(score("x", "BOOLEAN", 1, source="EVAL"), score("y", "NUMERIC", 1, source="EVAL", comment="so"))
    assert [(each.id, each.component) for each in found] == [("x", EVALUATOR), ("y", EVALUATOR)]
    assert scored(score("z", "CORRECTION", 0, source="EVAL", longStringValue="Better.")) == []


def test_a_products_feedback_is_its_users() -> None:
    [rated] = scored(score("x", "BOOLEAN", 1, source="API", authorUserId=None))
    assert rated.user == "u1"


@pytest.mark.parametrize(
    ("named", "answer"),
    [("first", "first"), ("second", "second"), ("wrap", "second"), ("agent", "second"), ("find", "first")],
)
def test_a_score_on_an_observation_speaks_of_its_answer(named: str, answer: str) -> None:
    [rated] = scored(score("x", "BOOLEAN", 1, observationId=named))
    assert rated.answer == answer


@pytest.mark.parametrize("named", [None, "agent", "wrap", "second"])
def test_a_correction_is_an_edit_of_the_answer_whose_words_it_corrects(named: str | None) -> None:
    [edited] = scored({**CORRECTION, "observationId": named})
    assert isinstance(edited, Edited)
    assert (edited.answer, edited.text) == ("second", "It was sent today.")


def test_a_correction_of_words_that_no_answer_said_waits() -> None:
    [edited] = scored(CORRECTION, output=json.dumps({"order": 17, "sent": True}))
    assert edited.answer == "t1"


# ---- rows of tables -------------------------------------------------------------------------------------------------


def test_a_row_of_observations_is_an_answer_and_a_row_of_scores_finds_it() -> None:
    [answer] = events(OBSERVATION_ROW)
    assert isinstance(answer, Response)
    assert (answer.text, answer.model, answer.tokens_in, answer.cost) == ("It was sent.", "gpt-4o", 30, 0.25)
    assert (answer.conversation, answer.prompt_version) == ("t1", "helper:3")
    [rated] = events(SCORE_ROW)
    assert isinstance(rated, Rated)
    assert (rated.answer, rated.value, rated.comment) == (answer.id, -1, "late")
    assert rated.at == "2025-06-11T15:00:00.000000Z"


def test_rows_of_tools_and_searches_hang_below_what_they_name() -> None:
    tool, search = (events(each)[0] for each in (OBSERVATIONS[3], OBSERVATIONS[1]))
    assert isinstance(tool, ToolCall)
    assert isinstance(search, Retrieval)
    assert tool.answer == search.answer == "agent"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (OBSERVATIONS[0], "neither an answer"),
        ({"id": "t", "session_id": None, "user_id": None, "bookmarked": False}, "traces"),
    ],
)
def test_a_row_that_says_nothing_is_rejected_in_words(row: dict[str, Any], reason: str) -> None:
    found = read()(row)
    assert isinstance(found, Rejected)
    assert reason in found.reason


# ---- real traces ----------------------------------------------------------------------------------------------------


def expected(turn: dict[str, Any]) -> tuple[str | None, str] | None:
    """A turn of Langfuse's own reading as (role, text with calls); None where it says neither role nor text nor call.

    Roles: `model` is our assistant, as ROLES has it. Langfuse keeps an OpenTelemetry choice under `json`.
    """
    turn = turn["json"]["message"] if isinstance(turn.get("json"), dict) and "message" in turn["json"] else turn
    if not {"role", "content", "tool_calls"} & turn.keys():
        return None
    content, said = turn.get("content") or "", []
    if isinstance(content, str):
        said = [content] if content else []
    elif all("type" in part for part in content):
        said = [part["text"] if part["type"] == "text" else tool_call(part["name"], part["input"]) for part in content]
    else:
        said = [json.dumps(content)]  # Langfuse opened the text of a tool
    said += [tool_call(call["name"], json.loads(call["arguments"])) for call in turn.get("tool_calls", [])]
    role = turn.get("role")
    return role and ROLES.get(role, role), "\n".join(said)


def real(kind: str) -> list[Path]:
    return sorted(REAL.glob(f"langfuse/*.{kind}.json"))


@needs_real_data
@pytest.mark.parametrize("path", real("chatml"), ids=lambda path: path.name)
def test_roles_texts_and_calls_are_those_that_langfuse_reads(path: Path) -> None:
    trace = json.loads(Path(str(path).replace("chatml", "trace")).read_text())
    logged = {each["id"]: each for each in trace["observations"]}
    compared = 0
    for name, sides in json.loads(path.read_text()).items():
        for side, theirs in sides.items():
            if not theirs["success"]:
                continue
            if turns := [each for turn in theirs["data"] if (each := expected(turn))]:
                ours = [(turn.role, turn.content) for turn in calls.messages(logged[name][side]) or []]
                assert [text for _, text in ours] == [text for _, text in turns]
                assert all(role in (None, said) for (said, _), (role, _) in zip(ours, turns, strict=True))
                compared += len(turns)
    assert compared >= 2


@needs_real_data
def test_real_traces_are_counted_once_and_the_correction_is_an_edit(tmp_path: Path) -> None:
    lake, source = Lake(tmp_path), Source(name="langfuse", path=str(REAL / "langfuse/*.trace.json"), workload="real")
    taken = ingest(lake, [source], now=datetime(2026, 12, 1, tzinfo=UTC))
    conserved(tmp_path)
    assert (taken.records, taken.accepted, taken.quarantined) == (8, 8, 0)
    assert taken.by_type == {"edited": 1, "outcome": 11, "response": 17, "tool_call": 9}
    assert waiting(lake).is_empty()
    assert lake.read("events").filter(kind="outcome")["component"].to_list() == [EVALUATOR] * 11
    edits = lake.sql("""
        SELECT answer.conversation, edited.text = answer.text FROM events AS edited JOIN events AS answer
        ON edited.kind = 'edited' AND answer.kind = 'response' AND answer.id = edited.answer
    """)
    assert edits.rows() == [("session_abc", True)]  # this one "corrects" the answer to its own words
    assert ingest(lake, [source], now=datetime(2026, 12, 2, tzinfo=UTC)).records == 0
