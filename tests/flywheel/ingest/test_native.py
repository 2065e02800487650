"""One record in, one event or one reason out; an event's row; a row's key."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from flywheel.capture.events import (
    KINDS,
    Accepted,
    Event,
    Message,
    Rated,
    Response,
    Retrieval,
    ToolCall,
    as_record,
)
from flywheel.ingest.reader import Rejected
from flywheel.ingest.readers.native import native, recognises
from flywheel.ingest.rows import frame, keys, row, sealed
from flywheel.tables import Events
from tests.flywheel.capture.made import EVENTS, JSON, TEXT
from tests.flywheel.ingest.mutated import holds, mutated, sound

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
    said = native(record)
    assert isinstance(said, Rejected)
    return said.reason


def made(record: dict[str, Any], source: str = "app", salt: str = "salt") -> dict[str, Any]:
    """The row of one record as it is stored."""
    events = native(record)
    assert isinstance(events, list)
    return sealed(frame([row(events[0])]), source, salt)[0].row(0, named=True)


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
        ({**RESPONSE, "tokens_in": -1}, "field tokens_in: must be a number from 0"),
        ({**RESPONSE, "tokens_in": 1.5}, "field tokens_in: expected int | null, got float; saw `1.5`"),
        ({**RESPONSE, "propensity": 1.5}, "field propensity: must be a number from 0 to 1; saw `1.5`"),
        ([RATED], "not a JSON object; saw `[{"),
        (None, "not a JSON object; saw `null`"),
        ("{}", 'not a JSON object; saw `"{}"`'),
        ({**RATED, "comment": float("nan")}, "field comment: expected str | null, got float; saw `NaN`"),
    ],
)
def test_a_bad_record_is_rejected_in_words(record: object, words: str) -> None:
    assert words in reason(record)


@settings(deadline=None)
@given(value=JSON | st.sampled_from([RATED, RESPONSE, TOOL]).flatmap(mutated))
@example({"v": 1, "kind": "rated", "at": 10**30})
@example({**RATED, "at": 10**400})
@example({**RESPONSE, "prompt": [[], None, {"role": {}}]})
def test_no_value_at_all_makes_the_reader_raise(value: Any) -> None:
    assume(sound(value))
    assert holds(native, value)


@settings(deadline=None)
@given(event=EVENTS)
def test_what_a_writer_writes_is_what_a_reader_reads(event: Event) -> None:
    assert native(json.loads(json.dumps(as_record(event)))) == [event]


@pytest.mark.parametrize(
    ("value", "known"),
    [
        (RATED, True),
        (RESPONSE, True),
        ({**RESPONSE, "kind": "liked"}, True),
        ({name: value for name, value in RESPONSE.items() if name != "v"}, True),
        ({name: value for name, value in RESPONSE.items() if name != "kind"}, True),
        ({"prompt": "?", "response": "!", "at": 1}, False),
        ([RATED], False),
        (None, False),
    ],
)
def test_a_native_record_is_recognised_and_a_bad_one_too(value: Any, known: bool) -> None:
    assert recognises(value) is known


@pytest.mark.parametrize(
    "at",
    ["2026-01-05T09:30:00.000000Z", "2026-01-05T09:30:00+00:00", "2026-01-05T11:30:00+02:00", "2026-01-05t09:30:00z"],
)
def test_equal_moments_have_one_spelling_and_one_key(at: str) -> None:
    assert made({**RATED, "at": at}) == made(RATED)
    assert made(RATED)["time"] == datetime(2026, 1, 5, 9, 30, tzinfo=UTC)


@settings(deadline=None)
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
    assert made(RATED)["key"] == "aa7f6eb0d5a37b674f6e54adfcd26eea7d17e8ee"


def test_a_keys_first_half_is_whose_it_is_and_its_second_half_what_it_says() -> None:
    edit = {name: RATED[name] for name in RATED if name != "value"} | {"kind": "edited", "text": "t"}
    others = [made({**RATED, "id": "2"}), made(RATED, source="web"), made(edit), made({**RATED, "value": 0.5})]
    first, second = made(RATED)["key"][:20], made(RATED)["key"][20:]
    assert [(len(each["key"]), each["key"][:20] == first, each["key"][20:] == second) for each in others] == [
        (40, False, True),
        (40, False, True),
        (40, False, False),
        (40, True, False),
    ]


@settings(max_examples=50, deadline=None)
@given(
    texts=st.lists(
        st.lists(TEXT.map(lambda text: text.replace("\0", "")), min_size=4, max_size=4), min_size=2, max_size=4
    )
)
def test_no_two_rows_that_differ_have_one_key(texts: list[list[str]]) -> None:
    """Also where a value could be taken for two, or for the name of the next column."""
    names = ("id", "answer", "comment", "user")
    rows = [made({**RATED, **dict(zip(names, each, strict=True))}) for each in texts]
    assert len({row["key"] for row in rows}) == len({tuple(each) for each in texts})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"user": "component"}, {"component": "user"}),
        ({"conversation": "c", "component": "k"}, {"conversation": "ck"}),
        ({"comment": "text"}, {"name": "text"}),
        ({"comment": ""}, {"comment": None}),
        ({"id": "1", "answer": "23"}, {"id": "12", "answer": "3"}),
        ({"value": 0.1}, {"value": 0.1 + 2**-56}),
        ({"at": "2026-01-05T09:30:00Z"}, {"at": "2026-01-05T09:30:00.000001Z"}),
    ],
)
def test_rows_that_look_alike_have_two_keys(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert made({**RATED, **one})["key"] != made({**RATED, **other})["key"]


def test_keys_do_not_depend_on_the_rows_beside_them() -> None:
    records = [RATED, RESPONSE, TOOL, {**RATED, "id": "2"}]
    together = sealed(frame([row(event) for record in records for event in native(record)]), "app", "salt")[0]
    assert together["key"].to_list() == [made(record)["key"] for record in records]
    assert keys(together.slice(2)).to_list() == together["key"].to_list()[2:]
    assert sealed(frame([]), "app", "salt")[0].columns == list(Events.columns())


@pytest.mark.parametrize("beside", [0, 1, 5])
@pytest.mark.parametrize("value", [0, 0.0, -0.0])
def test_zero_is_zero_whatever_rows_are_beside_it(value: float, beside: int) -> None:
    records = [{**RATED, "value": value}, *[{**RATED, "id": f"{n}"} for n in range(beside)]]
    together = sealed(frame([row(event) for record in records for event in native(record)]), "app", "salt")[0]
    assert together["key"][0] == made({**RATED, "value": 0})["key"]


# ---- masked at the door ---------------------------------------------------------------------------------------------


def test_nothing_of_a_person_or_a_secret_is_left_in_a_row() -> None:
    secret, mail = "sk-abcdefghijklmnopqrstuvwxyz0123456789", "ana.silva@example.org"
    prompt = [{"role": "user", "content": f"I am {mail}, my key is {secret}"}]
    stored = made({**RESPONSE, "prompt": prompt, "text": f"Thanks {mail}", "user": mail, "tags": {"by": mail}})
    told = json.dumps(stored, default=str)
    assert (mail in told, secret in told) == (False, False)
    (placeholder,) = set(re.findall(r"\[EMAIL_[0-9a-f]{4}\]", told))
    assert stored["text"] == f"Thanks {placeholder}"


def test_a_user_is_a_salted_hash_and_the_key_knows_no_more() -> None:
    ana = made({**RATED, "user": "ana"})
    assert ana["user"] == made({**RATED, "user": "ana", "id": "2"})["user"] != made({**RATED, "user": "bob"})["user"]
    assert ana["user"] != made({**RATED, "user": "ana"}, salt="other")["user"]
    assert "ana" not in ana["user"]
    # Whoever holds the lake cannot try names against the key: it is made of what is stored.
    again = pl.DataFrame([ana], schema=Events.create_empty().schema)
    assert keys(again).to_list() == [ana["key"]]


def test_each_field_has_its_column() -> None:
    common: dict[str, Any] = {"id": "1", "at": COMMON["at"], "workload": "w", "tags": {"b": "2", "a": "1"}}
    prompt = [Message(role="user", content="é\n")]
    response = Response(**common, parent="p", prompt=prompt, text="!", model="m", refused=False, tokens_in=3, user="u")
    made = row(response)
    assert made["prompt"] == '[{"role":"user","content":"é\\n"}]'
    assert made["tags"] == '{"a":"1","b":"2"}'
    assert (made["kind"], made["text"], made["time"]) == ("response", "!", datetime(2026, 1, 5, 9, 30, tzinfo=UTC))
    assert (made["refused"], made["tokens_in"]) == (False, 3)
    assert row(Rated(**common, answer="a", value=1, comment="ok"))["text"] == "ok"
    assert row(Accepted(**common, answer="a", how="sent"))["detail"] == '{"how":"sent"}'
    assert "detail" not in row(Accepted(**common, answer="a"))
    tool = row(ToolCall(**common, answer="a", name="t", arguments={"n": [1]}, text="r", error="e"))
    assert (tool["name"], tool["text"], tool["error"], tool["detail"]) == ("t", "r", "e", '{"arguments":{"n":[1]}}')
    retrieval = row(Retrieval(**common, answer="a", query="q", documents=["d"], empty=False))
    assert retrieval["detail"] == '{"documents":["d"],"query":"q"}'


@settings(deadline=None)
@given(event=EVENTS)
def test_no_field_of_any_event_is_lost_on_the_way_to_its_row(event: Event) -> None:
    made = row(event)
    assert set(made) <= set(Events.columns())
    back = {name: made[name] for name in made.keys() - {"kind", "time", "detail"}}
    back |= json.loads(made.get("detail") or "{}") | {"tags": json.loads(made["tags"]), "at": event.at}
    if isinstance(event, Response):
        back["prompt"] = [Message(**message) for message in json.loads(made["prompt"])]
    if isinstance(event, Rated):
        back["comment"] = back.pop("text", None)
    assert KINDS[event.kind](**back) == event
