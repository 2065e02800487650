"""Rows of other people's tables: the real files, the files a stranger brings, and anything at all."""

import csv
import json
import os
import tomllib
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flywheel.capture.events import Accepted, Edited, Event, Message, Rated, Response, as_record
from flywheel.errors import BadInput
from flywheel.ingest import strict
from flywheel.ingest.columns import SYNONYMS
from flywheel.ingest.reader import Rejected
from flywheel.ingest.readers import native, reader_for, table, tau, tensorzero
from flywheel.settings import Source, parse

PLAIN = {"prompt": "2 + 2?", "response": "4"}
PAIR = {"prompt": "?", "response1": "a", "response2": "b"}


def source(columns: str = "", more: str = 'workload = "w"') -> Source:
    """A source as a person writes it."""
    written = f'start = 2026-01-05\n[workloads]\n[[sources]]\nname = "chat"\npath = "*"\n{more}\n[sources.columns]\n'
    return parse(tomllib.loads(written + columns)).sources[0]


def events(row: Any, columns: str = "") -> list[Event]:
    read = table.reader(source(columns))(row)
    assert isinstance(read, list), read
    return read


def response(row: Any, columns: str = "") -> Response:
    first = events(row, columns)[0]
    assert isinstance(first, Response)
    return first


def reason(row: Any, columns: str = "") -> str:
    read = table.reader(source(columns))(row)
    assert isinstance(read, Rejected)
    return read.reason


@pytest.fixture(scope="module")
def real() -> Path:
    folder = os.environ.get("FLYWHEEL_REAL_DATA")
    if not folder:
        pytest.skip("FLYWHEEL_REAL_DATA names no folder with the real files")
    return Path(folder)


def read_all(rows: list[Any], written: Source) -> tuple[list[Event], list[str]]:
    read = [reader_for(written)(row) for row in rows]
    return (
        [event for each in read if isinstance(each, list) for event in each],
        [each.reason for each in read if isinstance(each, Rejected)],
    )


@pytest.mark.parametrize("columns", ["", 'conversation = ["programmer_id", "task_name"]\nepoch = 2024-01-01'])
def test_realhumaneval_says_who_asked_what_and_what_they_copied(real: Path, columns: str) -> None:
    with (real / "realhumaneval/chat_data.csv").open(newline="") as file:
        rows: list[Any] = list(csv.DictReader(file))
    read, rejected = read_all(rows, source(columns))
    assert len(rows) == 1055
    assert rejected == ["field request: empty"] * 2
    assert Counter(event.kind for event in read) == {"response": 1053, "accepted": 362}
    assert {event.how for event in read if isinstance(event, Accepted)} == {"copied"}
    assert len({event.id for event in read}) == len(read)
    assert len({event.user for event in read}) == 107
    assert len({event.model for event in read if isinstance(event, Response)}) == 4
    if columns:  # 388 people at a task; two of them only ever sent the empty request
        assert len({event.conversation for event in read}) == 386
        assert "2024-01-01T00:03:28.809000Z" in {event.at for event in read}


def test_a_follow_up_of_realhumaneval_is_read_with_all_its_turns(real: Path) -> None:
    with (real / "realhumaneval/chat_data.csv").open(newline="") as file:
        third = list(csv.DictReader(file))[2]
    assert [message.role for message in response(third).prompt] == ["user", "assistant", "user"]


@pytest.mark.parametrize(
    "columns",
    ["", 'prompt = "instruction"\ntext = "preedit"\nedited = "postedit"\nuser = "id"\nuser_match = "^W[0-9]+"'],
)
def test_creativity_eval_says_what_writers_made_of_a_text(real: Path, columns: str) -> None:
    rows = [row for path in real.glob("creativity_eval/W*_edits.json") for row in json.loads(path.read_text())]
    read, rejected = read_all(rows, source(columns))
    edits = {event.answer: event.text for event in read if isinstance(event, Edited)}
    answers = {event.id: event.text for event in read if isinstance(event, Response)}
    assert (len(rows), rejected) == (150, [])
    assert Counter(event.kind for event in read) == {"response": 150, "edited": 150}
    assert {(answers[name], text) for name, text in edits.items()} == {
        (row["preedit"], row["postedit"]) for row in rows
    }
    assert {event.model for event in read if isinstance(event, Response)} == {"claude3.5-sonnet", "gpt4o", "llama370B"}
    if columns:
        assert Counter(event.user for event in read) == {"W3": 100, "W12": 100, "W16": 100}


PANDALM = """
id = "idx"
prompt = ["instruction", "input"]
answers = ["response1", "response2"]
choices = ["annotator1", "annotator2", "annotator3"]
model = "cmp_key"
tags = ["motivation_app"]
"""


@pytest.mark.parametrize("columns", ["", PANDALM])
def test_pandalm_says_what_each_judge_preferred(real: Path, columns: str) -> None:
    rows = json.loads((real / "pandalm/testset-v1.json").read_text())
    read, rejected = read_all(rows, source(columns))
    pairs: dict[str, list[str]] = {}
    votes: dict[str, Counter[str]] = {}
    for event in read:
        if isinstance(event, Response):
            pairs.setdefault(event.parent, []).append(event.id)
        elif isinstance(event, Rated):
            assert event.user is not None
            votes.setdefault(event.answer, Counter())[f"{event.value:+.0f}"] += 1
    assert (len(rows), rejected) == (999, [])
    assert Counter(len(pair) for pair in pairs.values()) == {2: 999}
    assert {event.user for event in read if isinstance(event, Rated)} == {"annotator1", "annotator2", "annotator3"}
    majority = [sum(votes[answer]["+1"] > 1 for answer in pair) for pair in pairs.values()]
    assert Counter(majority) == {1: 894, 0: 105}


@pytest.mark.parametrize(
    "row",
    [
        PLAIN,
        {"Question": "2 + 2?", "Answer": "4"},
        {"input": "2 + 2?", "output": "4"},
        {"instruction": "2 + 2?", "input": "", "completion": 4},
        {"user message": "2 + 2?", "Assistant-Message": "4"},
        {"request": "[{'role': 'user', 'content': '2 + 2?'}]", "response": "4"},
        {"request": '[{"role": "user", "content": "2 + 2?"}]', "response": b"4"},
        {"request": {"messages": [{"role": "human", "content": [{"type": "text", "text": "2 + 2?"}]}]}, "text": "4"},
        {"messages": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}]},
        {"conversations": "[{'from': 'human', 'value': '2 + 2?'}, {'from': 'gpt', 'value': '4'}]"},
    ],
)
def test_a_plain_table_is_read_without_a_mapping(row: dict[str, Any]) -> None:
    [event] = events(row)
    assert isinstance(event, Response)
    assert (event.prompt, event.text) == ([Message(role="user", content="2 + 2?")], "4")
    assert (event.model, event.workload, event.at) == ("unknown", "w", "1970-01-01T00:00:00.000000Z")
    assert table.recognises(row)


def test_everything_a_person_did_is_read_without_a_mapping() -> None:
    row = PLAIN | {"corrected": "four", "sent": "true", "rating": "up", "comment": "ok", "session_id": "s", "user": 7}
    answer, edited, accepted, rated = events(row | {"model": "m", "created_at": "2026-01-05 11:30:00+02:00"})
    assert isinstance(answer, Response)
    common = {
        "answer": answer.id,
        "at": "2026-01-05T09:30:00.000000Z",
        "workload": "w",
        "conversation": "s",
        "user": "7",
    }
    assert answer.model == "m"
    assert edited == Edited(id=f"{answer.id}:edited", text="four", **common)
    assert accepted == Accepted(id=f"{answer.id}:accepted", how="sent", **common)
    assert rated == Rated(id=f"{answer.id}:rated", value=1.0, comment="ok", **common)


def test_what_nobody_did_is_no_event() -> None:
    row = PLAIN | {"edited": "", "accepted": "[]", "rating": None, "comment": " "}
    assert [event.kind for event in events(row)] == ["response"]
    assert [event.kind for event in events(PLAIN | {"edited": "4", "accepted": False})] == ["response"]


def test_a_comment_alone_has_no_direction() -> None:
    _, rated = events(PLAIN | {"comment": "hm"})
    assert isinstance(rated, Rated)
    assert (rated.value, rated.comment) == (0.0, "hm")


def test_a_mapping_wins_over_the_well_known_names() -> None:
    row = {"prompt": "no", "response": "no", "ask": "?", "said": "!"}
    read = response(row, 'prompt = "ask"\ntext = "said"\nsystem = ""')
    assert (read.prompt[0].content, read.text) == ("?", "!")


def test_a_column_that_is_mapped_is_not_guessed_again() -> None:
    row = PLAIN | {"feedback": "well done", "user": "u", "response": "4"}
    [_, rated] = events(row, 'comment = "feedback"\nconversation = "user"')
    assert isinstance(rated, Rated)
    assert (rated.value, rated.comment, rated.user, rated.conversation) == (0.0, "well done", "u", "u")


def test_an_empty_mapping_switches_guessing_off() -> None:
    assert "field score" in reason(PLAIN | {"score": "12.3"})
    assert [event.kind for event in events(PLAIN | {"score": "12.3"}, 'rated = ""')] == ["response"]


def test_a_row_has_one_answer_or_several_and_the_one_wins() -> None:
    assert [event.kind for event in events(PLAIN | PAIR | {"winner": 1, "rating": 1})] == ["response", "rated"]
    assert [event.kind for event in events(PAIR | {"rating": 12, "sent": "who knows"})] == ["response"] * 2


def test_no_column_has_two_well_known_meanings() -> None:
    names = [name for names in SYNONYMS.values() for name in names]
    assert len(set(names)) == len(names)


def test_a_dotted_name_looks_inside_and_a_question_mark_lets_rows_go_without() -> None:
    columns = 'user = "meta.person.id"\nconversation = "meta.thread?"\nworkload = "meta.job?"'
    inside = response(PLAIN | {"meta": {"person": {"id": 7}, "thread": "t", "job": "sql"}}, columns)
    assert (inside.user, inside.conversation, inside.workload) == ("7", "t", "sql")
    assert response(PLAIN | {"meta": {"person": {"id": 7}}}, columns).conversation is None
    assert response(PLAIN | {"meta.person.id": "8"}, columns).user == "8"
    assert [event.kind for event in events(PLAIN | {"of use?": "no"}, 'rated = "of use?"')] == ["response", "rated"]
    assert [event.kind for event in events(PLAIN | {"score": "12"}, 'comment = "score?"')] == ["response", "rated"]
    assert "field meta.person.id: no such column; the row has meta, prompt, response" in reason(
        PLAIN | {"meta": None}, columns
    )


def test_several_columns_become_one_prompt_and_one_conversation() -> None:
    row = {"instruction": "Fix:", "context": None, "input": "a b", "response": "ab", "person": "1", "task": "2"}
    read = response(row, 'prompt = ["instruction", "context", "input"]\nconversation = ["person", "task"]')
    assert read.prompt == [Message(role="user", content="Fix:\n\na b")]
    others = [
        response(row | other, 'conversation = ["person", "task"]') for other in ({}, {"task": "3"}, {"input": ""})
    ]
    assert [other.conversation == read.conversation for other in others] == [True, False, True]
    assert read.conversation not in (None, "1")
    assert response(PLAIN | {"system": "Be kind."}).prompt[0] == Message(role="system", content="Be kind.")


def test_tags_are_copied_as_text() -> None:
    row = PLAIN | {"lang": "de", "turn": 3, "none": None, "deep": {"a": [1]}}
    tags = response(row, 'tags = ["lang", "turn", "none", "deep"]').tags
    assert tags == {"lang": "de", "turn": "3", "deep": '{"a": [1]}'}


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2026-01-05T09:30:00Z", "2026-01-05T09:30:00.000000Z"),
        ("2026-01-05 09:30:00", "2026-01-05T09:30:00.000000Z"),
        ("2026-01-05 09:30:00.5 UTC", "2026-01-05T09:30:00.500000Z"),
        ("2026-01-05T11:30:00+02:00", "2026-01-05T09:30:00.000000Z"),
        ("2026-01-05", "2026-01-05T00:00:00.000000Z"),
        (datetime(2026, 1, 5, 9, 30), "2026-01-05T09:30:00.000000Z"),  # noqa: DTZ001 - Parquet without a zone
        (datetime(2026, 1, 5, 9, 30, tzinfo=UTC), "2026-01-05T09:30:00.000000Z"),
        (date(2026, 1, 5), "2026-01-05T00:00:00.000000Z"),
        (1767605400, "2026-01-05T09:30:00.000000Z"),
        ("1767605400.25", "2026-01-05T09:30:00.250000Z"),
        (1767605400123, "2026-01-05T09:30:00.123000Z"),
        (1767605400123456, "2026-01-05T09:30:00.123456Z"),
        ("1767605400123456789", "2026-01-05T09:30:00.123456Z"),
        (208.809, "2024-01-01T00:03:28.809000Z"),
        ("0.0", "2024-01-01T00:00:00.000000Z"),
        (Decimal("-0.5"), "2023-12-31T23:59:59.500000Z"),
    ],
)
def test_times_in_every_spelling(written: object, at: str) -> None:
    assert response(PLAIN | {"timestamp": written}, "epoch = 2024-01-01").at == at


@pytest.mark.parametrize(
    ("written", "columns", "value"),
    [
        (True, "", 1.0),
        ("false", "", -1.0),
        ("Thumbs Up", "", 1.0),
        ("👎", "", -1.0),
        ("good", "", 1.0),
        ("neutral", "", 0.0),
        ("0.5", "", 0.5),
        (-1, "", -1.0),
        ("5", "rated_range = [1, 5]", 1.0),
        (2, "rated_range = [1, 5]", -0.5),
        (1.0, "rated_range = [5, 1]", 1.0),
        ("0", "rated_range = [0, 1]", -1.0),
    ],
)
def test_opinions_in_every_spelling(written: object, columns: str, value: float) -> None:
    rated = events(PLAIN | {"rating": written}, columns)[-1]
    assert isinstance(rated, Rated)
    assert rated.value == value


@pytest.mark.parametrize(
    ("written", "used"),
    [
        (True, True),
        ("Yes", True),
        ("1", True),
        (2, True),
        ("[{'type': 'copy_button', 'copied': 'x'}]", True),
        (["x"], True),
        ("NO", False),
        ("0.0", False),
        ("[]", False),
        ([], False),
        (float("nan"), False),
        ("None", False),
    ],
)
def test_used_or_not_in_every_spelling(written: object, used: bool) -> None:
    assert ("accepted" in [event.kind for event in events(PLAIN | {"accepted": written})]) == used


@pytest.mark.parametrize(
    ("choice", "values"),
    [(1, [1, -1]), ("2", [-1, 1]), (2.0, [-1, 1]), ("response1", [1, -1]), (0, [0, 0]), ("Tie", [0, 0]), (None, [])],
)
def test_a_choice_is_for_one_answer_and_against_the_other(choice: object, values: list[float]) -> None:
    rated = [event for event in events(PAIR | {"winner": choice}) if isinstance(event, Rated)]
    assert [event.value for event in rated] == values
    assert {event.user for event in rated} <= {"winner"}


def test_one_judge_is_the_user_and_each_answer_has_its_model() -> None:
    columns = 'answers = ["response1", "response2"]\nchoices = "winner"\nmodel = ["a", "b"]'
    read = events(PAIR | {"winner": "1", "user": "u", "a": "small", "b": "large"}, columns)
    assert [event.model for event in read if isinstance(event, Response)] == ["small", "large"]
    assert [event.user for event in read] == ["u"] * 4


def test_answers_to_one_prompt_are_siblings_and_other_prompts_are_not() -> None:
    parents = [response(PLAIN | {"response": text, "session_id": s}).parent for text, s in ("4s", "5s", "4t")]
    assert parents[0] == parents[1] != parents[2]
    assert len({event.parent for event in events(PAIR) if isinstance(event, Response)}) == 1
    # What a judge said holds among the answers they saw.
    seen = [events(PAIR | {"winner": 1, "response2": other})[0] for other in "bc"]
    assert len({event.parent for event in seen if isinstance(event, Response)}) == 2


def test_the_same_row_is_the_same_event_and_any_other_row_is_another() -> None:
    row = PLAIN | {"rating": 1, "extra": "x"}
    assert events(dict(reversed(row.items()))) == events(row)
    assert response(row | {"extra": "y"}).id != response(row).id
    assert [event.id for event in events(row | {"key": 9}, 'id = "key"')] == ["9", "9:rated"]


@pytest.mark.parametrize(
    ("row", "columns", "words"),
    [
        (["prompt", "response"], "", 'not a row of named columns; saw `["prompt", "response"]`'),
        (
            {"response": "4"},
            "",
            "field prompt: no column for it; the row has response; allowed: a mapping of it, or prompt, ",
        ),
        (
            {"prompt": "?"},
            "",
            "field text: no column for it; the row has prompt; allowed: a mapping of it, or response, ",
        ),
        (PLAIN, 'text = "answr"', "field answr: no such column; the row has prompt, response"),
        ({"a" * 400: 1}, "", "the row has " + "a" * 297 + "...; allowed: a mapping of it, or prompt, "),
        (PLAIN | {"prompt": "  "}, "", "field prompt: empty"),
        (PLAIN | {"prompt": "[]"}, "", "field prompt: empty"),
        (PLAIN | {"prompt": "[{'role': 'user', 'content': ''}]"}, "", "field prompt: empty"),
        (PLAIN | {"prompt": None}, "", "field prompt: empty"),
        (PLAIN | {"response": None}, "", "field response: empty"),
        (PLAIN | {"k": ""}, 'id = "k"', "field k: empty"),
        (PLAIN | {"prompt": "[{'role': 'user', 'content': 'cut o"}, "", "field prompt: neither JSON nor Python's repr"),
        (PLAIN | {"prompt": "[{'role': 'user'}, 7]"}, "", "field prompt: not a list of turns"),
        (PLAIN | {"prompt": [{"content": "x"}]}, "", "field prompt: a turn without its role"),
        (PLAIN | {"prompt": [{"role": "user", "content": 7}]}, "", "field prompt: a turn whose content is not text"),
        (PLAIN | {"prompt": "[{'role': " + "[" * 3000}, "", "field prompt: neither JSON nor"),
        (PLAIN | {"prompt": "[{'role': " + " " * 2**18}, "", "field prompt: no JSON, and more than 262144"),
        (PLAIN | {"prompt": "[{'role': 'user', 'content': '\\ud800'}]"}, "", "field prompt: text that cannot be"),
        (PLAIN | {"prompt": "[{'role': 'user', 'content': '\\0'}]"}, "", "field prompt: not text, or with a NUL"),
        (PLAIN | {"response": b"\xff"}, "", "field response: text that cannot be stored; saw `...`"),
        (PLAIN | {"timestamp": "yesterday"}, "", 'field timestamp: not a time; saw `"yesterday"`'),
        (PLAIN | {"timestamp": "1e30"}, "", "field timestamp: not a time"),
        (PLAIN | {"timestamp": float("inf")}, "", "field timestamp: not a time"),
        (PLAIN | {"timestamp": ""}, "", "field timestamp: empty"),
        (PLAIN | {"rating": 5}, "", "field rating: not between -1 and 1, the rated_range; saw `5`"),
        (PLAIN | {"rating": "meh"}, "", "field rating: not an opinion, allowed: a number, "),
        (PLAIN | {"accepted": "perhaps"}, "", 'field accepted: neither yes nor no; saw `"perhaps"`'),
        (PAIR | {"winner": 3}, "", "field winner: no such answer, allowed: 1 to 2, 0 or tie"),
        (PAIR | {"winner": "1.5"}, "", "field winner: no such answer"),
        (PAIR | {"winner": True}, "", "field winner: no such answer"),
        (PLAIN | {"user": "Ana"}, 'user_match = "^W[0-9]+"', "field user: user_match finds nothing"),
    ],
)
def test_a_bad_row_is_rejected_in_words(row: object, columns: str, words: str) -> None:
    assert words in reason(row, columns)


def test_rows_of_ever_new_shapes_are_read_alike() -> None:
    reader = table.reader(source())
    for n in (1, 2000):
        wide = {f"column {each}": each for each in range(n)}
        assert isinstance(reader(PLAIN | wide), list)


def test_a_row_without_a_workload_is_rejected() -> None:
    read = table.reader(source(more=""))(PLAIN)
    assert isinstance(read, Rejected)
    assert "field workload: missing" in read.reason


def test_a_prompt_in_brackets_that_is_no_list_of_turns_is_text() -> None:
    for prompt in ("[INST] hello", "[1, 2] sorted?", "{}x", "['a']"):
        assert response(PLAIN | {"prompt": prompt}).prompt == [Message(role="user", content=prompt)]


def test_an_answer_may_be_empty() -> None:
    assert response(PLAIN | {"response": ""}).text == ""


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ('answers = ["a", "b"]\ntext = "c"', "`answers` goes with `choices`"),
        ('choices = ["a"]', "`choices` needs `answers`"),
        ("rated_range = [1, 1]", "`rated_range` is two different numbers"),
        ("rated_range = [1, inf]", "`rated_range` is two different numbers"),
        ('user_match = "("', "not a regular expression"),
        ('promt = "x"', "promt"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused(columns: str, words: str) -> None:
    with pytest.raises(BadInput, match="field sources") as error:
        source(columns)
    assert words in str(error.value)


DOCUMENT = {"session": "s", "user": "u", "turns": [{"prompt": "a"}, {"prompt": "b", "user": "v"}, 7]}


def test_the_elements_of_an_array_are_records_and_see_the_fields_around_them() -> None:
    seen = {"session": "s", "user": "u"}
    records = [{**seen, "prompt": "a"}, {**seen, "prompt": "b", "user": "v"}, 7]
    assert table.nested(DOCUMENT, "turns") == records
    assert table.nested({"day": 1, "data": DOCUMENT}, "data.turns") == [
        {"day": 1, **each} if isinstance(each, dict) else each for each in records
    ]
    assert table.nested({"data": [DOCUMENT, DOCUMENT]}, "data.turns") == records * 2
    assert table.nested({"turns": []}, "turns") == []


def test_fields_too_large_for_so_many_records_are_refused() -> None:
    turns = [{"prompt": str(n)} for n in range(300)]
    read = table.nested({"page": "x" * 2**20, "turns": turns}, "turns")
    assert read == Rejected("records turns: too many for what they all repeat; saw 300 records")
    assert len(table.nested({"page": "x" * 2**10, "turns": turns}, "turns")) == 300


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "records a.b: the document has no such array; saw `[]`"),
        ({"a": {}}, "records b: the document has no such array; saw `{}`"),
        ({"a": {"b": 1}}, "records b: not an array; saw `1`"),
        ({"a": [{"b": []}, 1]}, "records b: the document has no such array; saw `1`"),
    ],
)
def test_a_document_without_the_array_is_rejected(document: object, words: str) -> None:
    assert table.nested(document, "a.b") == Rejected(words)


@pytest.mark.parametrize(
    ("record", "more", "module"),
    [
        ({"v": 1, "kind": "rated", "prompt": "?", "response": "!"}, "", native),
        ({"function_name": "f", "variant_name": "v", "input": "?", "output": "!"}, "", tensorzero),
        (PLAIN, "", table),
        ({"what": "ever"}, "", native),
        (None, "", native),
        (PLAIN, 'format = "native"', native),
        ({"what": "ever"}, 'format = "tau"', tau),
    ],
)
def test_a_record_is_read_as_what_it_is(record: object, more: str, module: Any) -> None:
    written = source(more=f'workload = "w"\n{more}')
    assert reader_for(written)(record) == module.reader(written)(record)


def test_a_source_with_a_mapping_is_a_table() -> None:
    mapped = source('prompt = "frage"\ntext = "antwort"')
    assert isinstance(reader_for(mapped)({"frage": "?", "antwort": "!"}), list)


NAMES = [name for names in SYNONYMS.values() for several in names for name in several.split("+")]
CELLS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text(st.characters(), max_size=8)
    | st.binary(max_size=4)
    | st.datetimes()
    | st.dates()
    | st.timedeltas()
    | st.sampled_from(
        ["[{'role': 'user', 'content': 'x'}]", '{"role": 1}', "[", "1", "up", "tie", "2026-01-05", "1e99"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=7), inner, max_size=3),
    max_leaves=6,
)
ROWS = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), CELLS, max_size=5)
JUDGED = (
    PAIR
    | {"idx": 1, "instruction": "?", "input": "", "cmp_key": "m", "motivation_app": "x"}
    | {f"annotator{n}": 1 for n in (1, 2, 3)}
)
LOOSE = 'id = "id?"\ntags = ["user?", "time?"]\nrated_range = [0, 10]'


@given(row=ROWS, base=st.sampled_from([({}, ""), (PLAIN, ""), (PLAIN, LOOSE), (PAIR, ""), (JUDGED, PANDALM)]))
@example(row={"rating": float("nan"), "extra": float("inf")}, base=(PLAIN, ""))
@example(row={"response": 10**5000}, base=(PLAIN, ""))
@example(row={"user": "\ud800"}, base=(PLAIN, ""))
@example(row={"user": {1: 2, None: 3}, None: ["cells", "too", "many"]}, base=(PLAIN, ""))
def test_any_row_is_sound_events_or_a_reason(row: dict[str, Any], base: tuple[dict[str, Any], str]) -> None:
    reader = table.reader(source(base[1]))
    read = reader(base[0] | row)
    if isinstance(read, Rejected):
        assert read.reason
        return
    assert read == reader(base[0] | row)
    for event in read:
        # What a table says can be written into a native log and read from there, exactly.
        assert native.native(strict.decode(json.dumps(as_record(event)).encode())) == [event]


@given(value=CELLS, path=st.sampled_from(["a", "a.b"]))
def test_no_value_at_all_makes_the_reader_raise(value: Any, path: str) -> None:
    assert table.recognises(value) in (True, False)
    assert isinstance(table.reader(source())(value), Rejected)
    assert isinstance(table.nested({"a": value}, path), list | Rejected)
