"""One line in, one event or one reason out."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flywheel.capture.events import KINDS, Accepted, Event, Message, Rated, Response, Retrieval, ToolCall
from flywheel.ingest.reader import Rejected, native
from flywheel.ingest.rows import row
from flywheel.tables import Events
from tests.flywheel.capture.made import EVENTS

COMMON: dict[str, Any] = {"v": 1, "id": "1", "at": "2026-01-05T09:30:00Z", "workload": "drafts"}
RATED = {**COMMON, "kind": "rated", "answer": "a", "value": 1}
RESPONSE = {
    **COMMON,
    "kind": "response",
    "parent": "p",
    "prompt": [{"role": "user", "content": "?"}],
    "text": "!",
    "model": "m",
}
TOOL = {**COMMON, "kind": "tool_call", "answer": "a", "name": "t"}


def reason(record: object) -> str:
    said = native(record if isinstance(record, bytes) else json.dumps(record).encode())
    assert isinstance(said, Rejected)
    return said.reason


def made(record: dict[str, Any], source: str = "app") -> dict[str, Any]:
    events = native(json.dumps(record).encode())
    assert isinstance(events, list)
    return row(events[0], source)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({**RATED, "surprise": "x"}, 'field surprise: rated has no such field; saw `"x"`'),
        ({**RATED, "value": "good"}, 'field value: expected float, got str; saw `"good"`'),
        ({**RATED, "value": True}, "field value: expected float, got bool; saw `true`"),
        ({**RATED, "value": 5}, "field value: must be a number from -1 to 1; saw `5.0`"),
        ({**RATED, "id": 7}, "field id: expected str, got int; saw `7`"),
        ({**RATED, "id": None}, "field id: expected str, got null; saw `null`"),
        ({**RATED, "tags": {"a": 1}}, 'field tags[...]: expected str, got int; saw `{"a": 1}`'),
        ({key: RATED[key] for key in RATED if key != "answer"}, "field answer: missing"),
        ({key: RATED[key] for key in RATED if key != "at"}, "field at: missing"),
        (
            {key: RATED[key] for key in RATED if key != "kind"},
            "field kind: no such event; saw `null`; allowed: response, ",
        ),
        ({**RATED, "kind": "liked"}, 'field kind: no such event; saw `"liked"`; allowed: response, '),
        ({**RATED, "kind": ["rated"]}, 'field kind: no such event; saw `["rated"]`'),
        ({**RATED, "v": 2}, "field v: no such version of the contract; saw `2`; allowed: 1"),
        ({**RATED, "v": True}, "field v: expected int, got bool; saw `true`"),
        ({**RATED, "at": "2026-01-05T09:30:00"}, "field at: a time without its offset from UTC; saw "),
        ({**RATED, "at": "2026-02-30T09:30:00Z"}, "field at: invalid RFC3339 encoded datetime; saw "),
        ({**RATED, "at": "0001-01-01T00:00:00+05:00"}, "field at: "),
        (
            {**RATED, "comment": "x" * 500, "more": "y" * 500},
            'field more: rated has no such field; saw `"' + "y" * 56 + "...`",
        ),
        (
            {**RESPONSE, "prompt": [{"role": "user", "content": "?", "name": "Ana"}]},
            "field name: a message of the prompt has no",
        ),
        ({**RESPONSE, "prompt": [{"role": "user"}]}, "field prompt[0]: "),
        ({**RESPONSE, "prompt": "?"}, 'field prompt: expected array, got str; saw `"?"`'),
        ({**RESPONSE, "tokens_in": 2**63}, "field tokens_in: must be a number from 0"),
        ({**RESPONSE, "tokens_in": 1.5}, "field tokens_in: expected int | null, got float; saw `1.5`"),
        ({**RESPONSE, "propensity": 1.5}, "field propensity: must be a number from 0 to 1; saw `1.5`"),
        ([RATED], "not a JSON object; saw `[{"),
        (b"null", "not a JSON object; saw `null`"),
        (b'{"v":1,"kind":"rated","id":"1', "not a line of JSON ("),
        (json.dumps(RATED).encode() + json.dumps(RATED).encode(), "not a line of JSON ("),
        (json.dumps(RATED).encode().replace(b'"value": 1', b'"value": NaN'), "not a line of JSON ("),
        (json.dumps(RATED).encode().replace(b'"value": 1', b'"value": 1e999'), "not a line of JSON ("),
        (json.dumps(RATED | {"id": "\ud800"}).encode(), "not a line of JSON ("),
        (b'{"id": "\xff"}', "not a line of JSON ("),
        (json.dumps(RATED).encode("utf-16"), "not a line of JSON ("),
        (b"\xff\xfe\x00\x00", "not a line of JSON ("),
        (b'{"a":' * 100_000, "not a line of JSON ("),
        (
            json.dumps(TOOL)[:-1].encode() + b', "arguments": {"a":' + b"[" * 200 + b"]" * 200 + b"}}",
            "field arguments: nested more",
        ),
    ],
)
def test_a_bad_line_is_rejected_in_words(record: object, words: str) -> None:
    assert words in reason(record)


@given(data=st.binary(max_size=60))
@example(b"{}")
@example(b'{"v": 1, "kind": "rated", "at": 10000000000000000000000000000000}')
@example(b'{"v": 1' + b"0" * 5000 + b"}")
def test_no_bytes_at_all_make_the_reader_raise(data: bytes) -> None:
    assert isinstance(native(data), Rejected)


@pytest.mark.parametrize(
    "at",
    ["2026-01-05T09:30:00.000000Z", "2026-01-05T09:30:00+00:00", "2026-01-05T11:30:00+02:00", "2026-01-05t09:30:00z"],
)
def test_equal_moments_have_one_spelling_and_one_key(at: str) -> None:
    assert made({**RATED, "at": at}) == made(RATED)
    assert made(RATED)["time"] == datetime(2026, 1, 5, 9, 30, tzinfo=UTC)


@given(order=st.permutations(list(RATED)))
def test_a_key_does_not_depend_on_the_order_of_fields(order: list[str]) -> None:
    assert made({name: RATED[name] for name in order}) == made(RATED)


@pytest.mark.parametrize(
    "defaults",
    [
        {"user": None},
        {"tags": {}},
        {"may_train": True},
        {"comment": None},
        {"value": 1.0},
        {"tenant": None, "tags": {}},
    ],
)
def test_a_key_does_not_depend_on_fields_at_their_default(defaults: dict[str, Any]) -> None:
    assert made({**RATED, **defaults}) == made(RATED)


@pytest.mark.parametrize(
    "other",
    [
        {"id": "2"},
        {"value": 0.5},
        {"at": "2026-01-05T09:30:00.000001Z"},
        {"comment": ""},
        {"may_train": False},
        {"user": "u"},
    ],
)
def test_a_key_depends_on_everything_else(other: dict[str, Any]) -> None:
    keys = [made(RATED)["key"], made(RATED, source="web")["key"], made({**RATED, **other})["key"]]
    assert len(set(keys)) == 3


def test_an_old_key_stays_the_same_key() -> None:
    # Written down on purpose: another result here stores every event of every lake a second time.
    assert made(RATED)["key"] == "300f1b1ce7b4a2cb4755e42e982d974f2accc1fa756d407a91a6d5aa98ef9c62"


def test_each_field_has_its_column() -> None:
    common: dict[str, Any] = {"id": "1", "at": COMMON["at"], "workload": "w", "tags": {"b": "2", "a": "1"}}
    prompt = [Message(role="user", content="é\n")]
    response = Response(**common, parent="p", prompt=prompt, text="!", model="m", refused=False, tokens_in=3, user="u")
    made = row(response, "app")
    assert made["prompt"] == '[{"content":"é\\n","role":"user"}]'
    assert made["tags"] == '{"a":"1","b":"2"}'
    assert (made["source"], made["kind"], made["text"]) == ("app", "response", "!")
    assert (made["refused"], made["tokens_in"]) == (False, 3)
    assert row(Rated(**common, answer="a", value=1, comment="ok"), "app")["text"] == "ok"
    assert row(Accepted(**common, answer="a", how="sent"), "app")["detail"] == '{"how":"sent"}'
    assert "detail" not in row(Accepted(**common, answer="a"), "app")
    tool = row(ToolCall(**common, answer="a", name="t", arguments={"n": [1]}, text="r", error="e"), "app")
    assert (tool["name"], tool["text"], tool["error"], tool["detail"]) == ("t", "r", "e", '{"arguments":{"n":[1]}}')
    retrieval = row(Retrieval(**common, answer="a", query="q", documents=["d"], empty=False), "app")
    assert retrieval["detail"] == '{"documents":["d"],"query":"q"}'


@given(event=EVENTS)
def test_no_field_of_any_event_is_lost_on_the_way_to_its_row(event: Event) -> None:
    made = row(event, "app")
    assert set(made) <= set(Events.columns())
    back = {name: made[name] for name in made.keys() - {"key", "source", "kind", "time", "detail"}}
    back |= json.loads(made.get("detail") or "{}") | {"tags": json.loads(made["tags"]), "at": event.at}
    if isinstance(event, Response):
        back["prompt"] = [Message(**message) for message in json.loads(made["prompt"])]
    if isinstance(event, Rated):
        back["comment"] = back.pop("text", None)
    assert KINDS[event.kind](**back) == event
