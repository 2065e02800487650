"""Events of every kind, made by hypothesis from the event types themselves."""

from dataclasses import fields
from datetime import datetime
from typing import Any, get_type_hints

from hypothesis import strategies as st

from flywheel.capture.events import KINDS, Event, Message

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)  # any character that UTF-8 can carry
PAST = st.datetimes(max_value=datetime(2025, 12, 31))  # noqa: DTZ001
TIMES = PAST.map(lambda time: time.isoformat(timespec="microseconds") + "Z")
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
BY_HINT: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    bool: st.booleans(),
    float: NUMBERS,
    dict[str, str]: st.dictionaries(TEXT, TEXT, max_size=3),
    dict[str, Any]: st.dictionaries(TEXT, JSON, max_size=3),
    list[str]: st.lists(TEXT, max_size=3),
    list[Message]: st.lists(st.builds(Message, role=TEXT, content=TEXT), max_size=3),
}


def _values(kind: type[Event]) -> dict[str, st.SearchStrategy[Any]]:
    made: dict[str, st.SearchStrategy[Any]] = {}
    hints = get_type_hints(kind)
    for each in fields(kind):
        hint, limits = hints[each.name], each.metadata
        whole = int in (hint, *getattr(hint, "__args__", ()))
        plain = next((BY_HINT[part] for part in (hint, *getattr(hint, "__args__", ())) if part in BY_HINT), TEXT)
        if "minimum" in limits:
            plain = (st.integers if whole else st.floats)(limits["minimum"], limits["maximum"])
        made[each.name] = st.none() | plain if type(None) in getattr(hint, "__args__", ()) else plain
    return made | {"at": TIMES, "v": st.just(1)}


EVENTS: st.SearchStrategy[Event] = st.one_of([st.builds(kind, **_values(kind)) for kind in KINDS.values()])
