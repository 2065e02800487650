"""TensorZero's records, of every table and age, as events."""

import json
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from flywheel.capture.events import Edited, Event, Message, Outcome, Rated, Response
from flywheel.ingest.reader import Rejected
from flywheel.ingest.readers.tensorzero import reader, recognises
from flywheel.settings import Source
from tests.flywheel.capture.made import JSON
from tests.flywheel.ingest.mutated import REAL, holds, mutated, needs_real_data, sound

ID = "0193fbb4-c749-72f3-b1ca-be79eec50c91"
AT = "2024-12-25T02:45:49.001000Z"
read = reader(Source(name="gateway", path="*", workload="haikus"))

INPUT: dict[str, Any] = {
    "system": {"tone": "dry"},
    "messages": [{"role": "user", "content": [{"type": "text", "value": {"topic": "fuel"}}]}],
}
CHAT: dict[str, Any] = {
    "id": ID,
    "function_name": "write_haiku",
    "variant_name": "better_prompt",
    "episode_id": "0193fbb4-c749-72f3-b1ca-35a165156003",
    "input": json.dumps(INPUT),
    "output": json.dumps([{"type": "text", "text": "Burning liquid heart"}]),
    "tool_params": "",
    "processing_time_ms": 5191,
    "tags": {"lang": "en"},
}
RAW = '{\n  "person": [],\n  "location": ["BUDAPEST"]\n}'
JSONS = {**CHAT, "output": json.dumps({"raw": RAW, "parsed": json.loads(RAW)}), "output_schema": "{}"}
BOOLEAN: dict[str, Any] = {"id": ID, "target_id": "t", "metric_name": "solved", "value": True, "tags": {}}
FLOAT = {**BOOLEAN, "metric_name": "score", "value": 3}
COMMENT = {"id": ID, "target_id": "t", "target_type": "episode", "value": "too long", "tags": {}}
DEMONSTRATION = {"id": ID, "inference_id": "t", "value": JSONS["output"], "tags": {}}
TABLES = [CHAT, JSONS, BOOLEAN, FLOAT, COMMENT, DEMONSTRATION]


def only(record: Any) -> Event:
    said = read(record)
    assert isinstance(said, list), said
    return said[0]


def answered(record: dict[str, Any]) -> Response:
    said = only(record)
    assert isinstance(said, Response)
    return said


def reason(record: Any) -> str:
    said = read(record)
    assert isinstance(said, Rejected)
    return said.reason


def content(*blocks: Any, role: str = "user", system: Any = None) -> list[str]:
    """What a message of these blocks reads as, after the system message if there is one."""
    given = {"messages": [{"role": role, "content": list(blocks)}]} | ({} if system is None else {"system": system})
    return [message.content for message in answered({**CHAT, "input": given}).prompt]


def test_a_chat_inference_is_a_response() -> None:
    said = answered(CHAT)
    assert (said.id, said.at, said.workload, said.component) == (ID, AT, "haikus", "write_haiku")
    assert (said.conversation, said.model, said.latency_ms) == (CHAT["episode_id"], "better_prompt", 5191.0)
    assert said.prompt == [
        Message(role="system", content='{"tone":"dry"}'),
        Message(role="user", content='{"topic":"fuel"}'),
    ]
    assert (said.text, said.tags) == ("Burning liquid heart", {"lang": "en"})
    assert len(said.parent) == 32


def test_a_json_inference_answers_with_what_the_model_wrote() -> None:
    assert answered(JSONS).text == RAW
    assert answered({**JSONS, "output": {"raw": "no JSON {", "parsed": None}}).text == "no JSON {"
    assert answered({**JSONS, "output": {"raw": None, "parsed": {"b": 1, "a": 2}}}).text == '{"a":2,"b":1}'


@pytest.mark.parametrize("record", [CHAT, JSONS])
def test_json_inside_json_and_plain_json_are_the_same_event(record: dict[str, Any]) -> None:
    plain = {**record, "input": json.loads(record["input"]), "output": json.loads(record["output"])}
    assert read(plain) == read(record)
    assert read({**DEMONSTRATION, "value": record["output"]}) == read({**DEMONSTRATION, "value": plain["output"]})


def test_samples_of_one_prompt_are_siblings() -> None:
    turned = {name: INPUT[name] for name in reversed(INPUT)}
    other = {**CHAT, "id": ID.replace("c91", "c92"), "input": json.dumps(turned, indent=1), "output": "[]"}
    assert answered(other).parent == answered(CHAT).parent
    assert answered({**CHAT, "function_name": "other"}).parent != answered(CHAT).parent
    assert answered({**CHAT, "input": {"messages": []}}).parent != answered(CHAT).parent


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({"type": "text", "text": "hello"}, "hello"),
        ({"type": "text", "value": "hello"}, "hello"),
        ({"type": "raw_text", "value": "hello"}, "hello"),
        ({"type": "text", "value": {"b": 1, "a": [2]}}, '{"a":[2],"b":1}'),
        ({"type": "text", "arguments": {"b": 1, "a": [2]}}, '{"a":[2],"b":1}'),
        ({"type": "template", "name": "user", "arguments": {"b": 1, "a": [2]}}, '{"a":[2],"b":1}'),
        (
            {"type": "template", "name": "greeting", "arguments": {"a": 1}},
            '{"arguments":{"a":1},"name":"greeting","type":"template"}',
        ),
        (
            {"type": "tool_call", "id": "c1", "name": "weather", "arguments": '{"unit": "C", "city": "Rome"}'},
            '{"arguments":{"city":"Rome","unit":"C"},"name":"weather","type":"tool_call"}',
        ),
        (
            {"type": "tool_call", "id": "c1", "name": None, "arguments": None, "raw_name": "w", "raw_arguments": "{"},
            '{"arguments":"{","name":"w","type":"tool_call"}',
        ),
        (
            {"type": "tool_result", "id": "c1", "name": "weather", "result": "sunny"},
            '{"name":"weather","result":"sunny","type":"tool_result"}',
        ),
        ({"type": "thought", "text": "hm"}, '{"text":"hm","type":"thought"}'),
        ({"type": "file", "url": "u"}, '{"type":"file","url":"u"}'),
        ({"type": "image", "image": {"url": "u"}}, '{"image":{"url":"u"},"type":"image"}'),
        ({"type": "unknown", "data": {"x": 1}}, '{"data":{"x":1},"type":"unknown"}'),
        ("hello", "hello"),
        (7, "7"),
    ],
)
def test_a_block_of_any_age_is_text(block: Any, text: str) -> None:
    assert content(block) == [text]
    assert content(block, {"type": "text", "text": "next"}) == [text + "\nnext"]


@pytest.mark.parametrize(
    ("system", "text"),
    [
        ("Be dry.", "Be dry."),
        ({"tone": "dry"}, '{"tone":"dry"}'),
        ({"type": "template", "name": "system", "arguments": {"tone": "dry"}}, '{"tone":"dry"}'),
    ],
)
def test_a_system_message_may_be_text_or_arguments(system: Any, text: str) -> None:
    assert content("hi", system=system) == [text, "hi"]
    assert content("hi") == ["hi"]


def test_an_answer_is_its_words_and_its_calls_and_not_its_thoughts() -> None:
    call = {"type": "tool_call", "id": "c1", "name": "w", "arguments": {}, "raw_name": "w", "raw_arguments": "{}"}
    output = [{"type": "thought", "text": "hm"}, {"type": "text", "text": "Let me see."}, call]
    said = read({**CHAT, "output": output})
    assert isinstance(said, list)
    assert [each.kind for each in said] == ["response"]  # what the tool returned is not known
    text = 'Let me see.\n{"arguments":{},"name":"w","type":"tool_call"}'
    assert answered({**CHAT, "output": output}).text == text
    assert answered({**CHAT, "output": [*output[:2], {**call, "id": "c2"}]}).text == text


@pytest.mark.parametrize(("value", "as_number"), [(True, 1.0), (False, -1.0)])
def test_a_boolean_is_a_rating(value: bool, as_number: float) -> None:
    said = only({**BOOLEAN, "value": value})
    assert said == Rated(id=ID, at=AT, workload="haikus", answer="t", value=as_number, name="solved")


@pytest.mark.parametrize("value", [3, 0, 1, -134.434])
def test_a_number_is_an_outcome_even_if_it_is_one_or_zero(value: float) -> None:
    assert only({**FLOAT, "value": value}) == Outcome(
        id=ID, at=AT, workload="haikus", answer="t", value=float(value), name="score"
    )


def test_a_comment_is_a_rating_without_a_side() -> None:
    said = only(COMMENT)
    assert said == Rated(id=f"comment:{ID}", at=AT, workload="haikus", answer="t", value=0.0, comment="too long")


def test_a_demonstration_is_what_the_person_wrote() -> None:
    said = only({**DEMONSTRATION, "value": json.dumps({"raw": RAW, "parsed": None})})
    assert said == Edited(id=ID, at=AT, workload="haikus", answer="t", text=answered(JSONS).text)


@pytest.mark.parametrize("record", [BOOLEAN, FLOAT])
@pytest.mark.parametrize(
    ("changes", "component"),
    [
        ({}, None),
        ({"metric_name": "tensorzero::evaluation_name::haiku::evaluator_name::exact_match"}, "evaluator"),
        ({"tags": {"tensorzero::evaluator_name": "exact_match"}}, "evaluator"),
        ({"tags": {"tensorzero::evaluator_name": "x", "tensorzero::human_feedback": "true"}}, None),
        ({"tags": {"tensorzero::human_feedback": "true"}}, None),
    ],
)
def test_what_a_program_computed_is_no_opinion(
    record: dict[str, Any], changes: dict[str, Any], component: str | None
) -> None:
    assert only({**record, **changes}).component == component


def test_without_a_workload_a_response_has_its_functions_and_feedback_its_sources() -> None:
    bare = reader(Source(name="gateway", path="*"))
    names = [each.workload for record in TABLES if isinstance(said := bare(record), list) for each in said]
    assert names == ["write_haiku", "write_haiku", "gateway", "gateway", "gateway", "gateway"]


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"created_at": "2030-01-01T00:00:00Z"}, AT),  # an export that names the time gives the same event
        ({"id": "a", "created_at": "2025-04-14T18:26:42+02:00"}, "2025-04-14T16:26:42.000000Z"),
        ({"id": "a", "timestamp": "2025-04-14 18:26:42"}, "2025-04-14T18:26:42.000000Z"),
        ({"id": "0193fbb4-c568-5c53-a8ce-ec66988b1ab9"}, "2024-12-25T02:45:48.520000Z"),
        (
            {"id": "6ec0bd7f-11c0-43da-975e-2a8ad9ebae0b", "timestamp": "2025-04-14T18:26:42Z"},
            "2025-04-14T18:26:42.000000Z",
        ),
    ],
)
def test_the_time_is_in_the_id_or_beside_it(changes: dict[str, Any], at: str) -> None:
    assert only({**BOOLEAN, **changes}).at == at


@pytest.mark.parametrize("record", TABLES)
def test_each_table_is_recognised_by_its_fields(record: dict[str, Any]) -> None:
    assert recognises(record)


@pytest.mark.parametrize("other", [None, [], "id", {}, {"v": 1, "kind": "rated"}, {"traj": [], "task_id": 1}, [CHAT]])
def test_other_records_are_not_recognised_and_rejected(other: Any) -> None:
    assert not recognises(other)
    assert reason(other).startswith("not a record of TensorZero's inference or feedback tables; saw `")


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({**BOOLEAN, "value": "yes"}, 'field value: expected bool | float, got str; saw `"yes"`'),
        ({**BOOLEAN, "value": None}, "field value: expected bool | float, got null; saw `null`"),
        ({**FLOAT, "value": 10**400}, "field value: number out of range; saw `1000"),
        ({name: CHAT[name] for name in CHAT if name != "episode_id"}, "field episode_id: missing"),
        ({**CHAT, "tags": {"lang": 7}}, 'field tags[...]: expected str, got int; saw `{"lang": 7}`'),
        ({**CHAT, "processing_time_ms": "5"}, "field processing_time_ms: expected float | null, got str"),
        ({**CHAT, "input": "{"}, "field input: not one JSON document: "),
        ({**CHAT, "input": '{"messages": [], "messages": []}'}, 'the key "messages" comes twice'),
        ({**CHAT, "input": '{"messages": [], "system": "\\ud800"}'}, "field input: half of a surrogate pair"),
        ({**CHAT, "input": '{"messages": [], "system": "\\u0000"}'}, "field input: an escaped NUL"),
        ({**CHAT, "input": "[" * 5000}, "field input: nested deeper than 100"),
        ({**CHAT, "input": "[]"}, "field input: no list of messages; saw `[]`"),
        ({**CHAT, "input": {"messages": [{"role": "user"}]}}, "field input: a message without its role or content"),
        (
            {**CHAT, "output": "text"},
            'field output: not one JSON document: Expecting value at character 0; saw `"text"`',
        ),
        ({**CHAT, "output": 5}, "field output: neither a list of blocks nor raw text; saw `5`"),
        ({**DEMONSTRATION, "value": {}}, "field value: neither a list of blocks nor raw text; saw `{}`"),
        ({**BOOLEAN, "id": "a"}, 'field id: no time in it, and none beside it; saw `"a"`'),
        ({**BOOLEAN, "id": "6ec0bd7f-11c0-43da-975e-2a8ad9ebae0b"}, "field id: no time in it, and none beside it"),
        ({**BOOLEAN, "id": "ffffffff-ffff-7fff-bfff-ffffffffffff"}, "field id: no time in it, and none beside it"),
        ({**BOOLEAN, "id": "a", "timestamp": "noon"}, 'field timestamp: not a time; saw `"noon"`'),
        ({**BOOLEAN, "id": "a", "created_at": {}, "timestamp": [1]}, "field timestamp: not a time; saw `[1]`"),
    ],
)
def test_a_bad_record_is_rejected_in_words(record: dict[str, Any], words: str) -> None:
    assert words in reason(record)


@given(value=JSON | st.sampled_from(TABLES).flatmap(mutated))
@example({**CHAT, "input": {"messages": [{"role": "user", "content": [{"type": "template"}, None, [], 1.5]}]}})
def test_no_value_at_all_makes_the_reader_raise(value: Any) -> None:
    assume(sound(value))
    assert holds(read, value)


# ---- the fixture of TensorZero's own repository ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    files = sorted((REAL / "tensorzero").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


@pytest.fixture(scope="module")
def events(rows: list[dict[str, Any]]) -> list[Event]:
    return [event for row in rows if isinstance(said := read(row), list) for event in said]


@needs_real_data
def test_every_real_record_is_one_event(rows: list[dict[str, Any]], events: list[Event]) -> None:
    assert len(rows) == 1493 + 1790 + 1558 + 1122 + 26 + 594 == 6583
    assert [row for row in rows if not recognises(row) or isinstance(read(row), Rejected)] == []
    assert len({(event.kind, event.id) for event in events}) == len(events) == 6583
    for row in rows[::50]:
        assert holds(read, row)


@needs_real_data
@given(data=st.data())
def test_no_real_record_changed_makes_the_reader_raise(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    value = data.draw(mutated(data.draw(st.sampled_from(rows))))
    assume(sound(value))
    assert holds(read, value)


@needs_real_data
def test_real_feedback_joins_what_it_speaks_of(events: list[Event]) -> None:
    responses = {event.id: event for event in events if isinstance(event, Response)}
    episodes = {event.conversation for event in responses.values()}
    joined = defaultdict(int)
    for event in events:
        if isinstance(event, Rated | Outcome | Edited):
            target = event.answer or ""
            where = "inference" if target in responses else "episode" if target in episodes else "nothing"
            joined[event.id.split(":")[0] if event.id.startswith("comment") else event.kind, where] += 1
    assert joined == {
        ("rated", "inference"): 1223,
        ("rated", "episode"): 168,
        ("rated", "nothing"): 167,
        ("outcome", "inference"): 862,
        ("outcome", "episode"): 260,
        ("comment", "episode"): 26,
        ("edited", "inference"): 594,
    }


@needs_real_data
def test_an_id_in_two_real_tables_is_two_facts(events: list[Event]) -> None:
    rated = {event.id for event in events if isinstance(event, Rated)}
    outcomes = {event.id for event in events if isinstance(event, Outcome)}
    assert len(rated & outcomes) == 491


@needs_real_data
def test_real_demonstrations_join_their_answers(rows: list[dict[str, Any]], events: list[Event]) -> None:
    outputs = {row["id"]: row["output"] for row in rows if "output" in row}
    demonstrations = [row for row in rows if "inference_id" in row]
    assert sum(row["value"] != outputs[row["inference_id"]] for row in demonstrations) == 589
    texts = {event.id: event.text for event in events if isinstance(event, Response)}
    edits = [event for event in events if isinstance(event, Edited)]
    assert len({edit.answer for edit in edits}) == 593
    assert sum(_meaning(edit.text) != _meaning(texts[edit.answer]) for edit in edits) == 585


def _meaning(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


@needs_real_data
def test_real_samples_of_one_prompt_are_siblings(rows: list[dict[str, Any]], events: list[Event]) -> None:
    outputs = {row["id"]: row["output"] for row in rows if "output" in row}
    written, said = defaultdict(set), defaultdict(set)
    for event in events:
        if isinstance(event, Response):
            written[event.parent].add(outputs[event.id])
            said[event.parent].add(event.text)
    assert sum(len(each) > 1 for each in written.values()) == 225
    assert max(len(each) for each in said.values()) == 50
    assert sum(len(each) > 1 for each in said.values()) == 225
