"""The public contract: the file in docs is the code's, and it accepts exactly what a reader accepts."""

import json
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from flywheel.capture.events import KINDS, Event, as_record
from flywheel.capture.schema import schema
from flywheel.ingest.reader import Rejected
from flywheel.ingest.readers.native import native
from tests.flywheel.capture.made import EVENTS, JSON

PUBLISHED = Path(__file__).parents[3] / "docs" / "events.schema.json"
CONTRACT = Draft202012Validator(schema())


def logged(record: dict[str, Any]) -> Any:
    """The record as a reader sees it."""
    return json.loads(json.dumps(record))


def test_the_published_contract_is_up_to_date() -> None:
    remake = "stale: run `python -m flywheel.capture.schema > docs/events.schema.json`"
    assert json.loads(PUBLISHED.read_text()) == schema(), remake


def test_the_contract_is_a_valid_schema_and_explains_every_field() -> None:
    Draft202012Validator.check_schema(schema())
    for name, kind in KINDS.items():
        described = schema()["$defs"][name]
        assert described["properties"]["kind"] == {"const": name}
        assert set(described["properties"]) == {"kind", *(each.name for each in fields(kind))}
        assert all(each.get("description") for field, each in described["properties"].items() if field != "kind")
        needed = {each.name for each in fields(kind) if each.default is MISSING and each.default_factory is MISSING}
        assert set(described["required"]) == {"kind", "v", *needed}
        assert described["additionalProperties"] is False


@given(event=EVENTS)
def test_what_a_writer_writes_is_in_the_contract_and_read_back_whole(event: Event) -> None:
    record = as_record(event)
    assert list(CONTRACT.iter_errors(logged(record))) == []
    assert native(logged(record)) == [event]


@given(event=EVENTS, data=st.data())
def test_contract_and_reader_agree_on_lines_with_one_thing_changed(event: Event, data: st.DataObject) -> None:
    record = as_record(event)
    name = data.draw(st.sampled_from([*sorted({each.name for each in fields(event)} - {"at"}), "kind", "surprise"]))
    if data.draw(st.booleans()):
        record.pop(name, None)
    else:
        record[name] = data.draw(JSON)
    if isinstance(record.get(name), float) and record[name].is_integer():
        return  # JSON Schema takes 1.0 for an integer; the reader does not
    said = native(logged(record))
    assert CONTRACT.is_valid(logged(record)) == (not isinstance(said, Rejected)), said


@pytest.mark.parametrize("at", ["2026-01-05", "2026-01-05T09:30:00", "yesterday", "", 1767605400, None])
def test_contract_and_reader_agree_on_times_that_are_none(at: Any) -> None:
    record = {"v": 1, "kind": "outcome", "id": "1", "at": at, "workload": "w", "name": "sold", "value": 1}
    assert not CONTRACT.is_valid(record)
    assert isinstance(native(logged(record)), Rejected)
