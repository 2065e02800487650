"""Records with one thing about them changed, and what must hold of whatever a reader makes of them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from flywheel.capture.events import as_record
from flywheel.ingest.reader import Reader, Rejected
from flywheel.ingest.readers.native import native
from flywheel.ingest.strict import decode
from tests.flywheel.capture.made import JSON

REAL = Path(os.environ.get("FLYWHEEL_REAL_DATA") or "unset")
needs_real_data = pytest.mark.skipif(not REAL.is_dir(), reason="FLYWHEEL_REAL_DATA does not name the real logs")


@st.composite
def mutated(draw: st.DrawFn, value: Any) -> Any:
    """The value with something in it replaced, left out or cut short, also inside JSON that stands in a string."""
    if draw(st.integers(0, 5)) == 0:
        return draw(JSON)
    if isinstance(value, dict) and value:
        name = draw(st.sampled_from(sorted(value)))
        rest = {each: inside for each, inside in value.items() if each != name}
        return rest if draw(st.integers(0, 3)) == 0 else {**rest, name: draw(mutated(value[name]))}
    if isinstance(value, list) and value:
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], *draw(st.just([]) | mutated(value[at]).map(lambda one: [one, one])), *value[at + 1 :]]
    if isinstance(value, str) and value.startswith(("{", "[")):
        return draw(
            mutated(json.loads(value)).map(json.dumps) | st.integers(0, len(value)).map(lambda end: value[:end])
        )
    return draw(JSON)


def sound(value: Any) -> bool:
    """Whether the value would come through the door: readers see nothing else."""
    return not isinstance(decode(json.dumps(value).encode()), Rejected)


def holds(read: Reader, value: Any) -> bool:
    """No exception; the same answer again; a reason, or events that the contract takes as they are."""
    said = read(value)
    assert read(json.loads(json.dumps(value))) == said
    if isinstance(said, Rejected):
        return bool(said.reason)
    for event in said:
        record = decode(json.dumps(as_record(event)).encode())
        assert native(record) == [event]
    return bool(said)
