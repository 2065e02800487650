"""What the next message says about an answer: which are candidates, and how the rules read them."""

import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from flywheel import settings, signals
from flywheel.capture.events import Event, Message
from flywheel.signals.cues import by_rules, measured
from flywheel.signals.followups import READINGS
from tests.product import answer, read, take

RULES = settings.Signals()
TALK = {"conversation": "talk", "user": "u"}


def reading(
    said: str, request: str = "Where is order 48213?", response: str = "It is on its way.", gap: float = 60
) -> str:
    return _read(said, request, response, gap)[0]


def _read(said: str, request: str, response: str, gap: float) -> tuple[str, float]:
    row = {"request": request, "response": response, "said": said, "gap": gap}
    return by_rules(measured(pl.DataFrame([row]), RULES), RULES).row(0)


READ = {
    "correction": [
        "No, it should say Friday.",
        "That\u2019s wrong, the name is Anna Berg.",
        "You forgot the order number, please add it.",
        "use string.split instead",
        "f(3) should return 9",
        "Please rewrite it without the apology.",
        "I don't want a table",
    ],
    "complaint": [
        "That is wrong.",
        "this doesn't work",
        "still not working",
        "Errors: File 'index.py', in <module> AssertionError: expected an indented block",
        "That is not what I asked.",
        "great, another wrong answer: it is incorrect",
    ],
    "rephrase": ["where's my order 48213", "I mean the number of the order", "Where is order 48213?"],
    "clarification": ["What do you mean?", "Can you explain that?", 'What is "on its way"?'],
    "thanks": ["Thanks!", "ok, perfect", "that works, thank you"],
    "nothing": [
        "How do I delete a column?",
        "Where is order 48214?",
        "My invoice is wrong, what now?",
        "Write a note about the fair.",
        "No problem, now the next one please",
        "何か別の質問です",
    ],
}


@pytest.mark.parametrize(("expected", "said"), [(name, said) for name, texts in READ.items() for said in texts])
def test_the_rules_read_five_ways_and_nothing(expected: str, said: str) -> None:
    assert reading(said) == expected


def test_what_the_request_was_about_is_no_blame() -> None:
    assert (
        reading("Call by Anna, order 11: it is the wrong size.", "Anna called. Order 11 is the wrong size.")
        == "rephrase"
    )


def test_a_reply_to_a_question_of_the_answer_is_no_blame() -> None:
    assert reading("No, I don't want insurance.", response="Shall I add insurance?") == "nothing"
    assert reading("No, I don't want insurance.", response="I added insurance.") == "correction"


def test_lines_pasted_back_with_a_question_about_an_error_blame_the_answer() -> None:
    code = "total = sum(x for x in numbers if x)"
    assert reading(f"what is the error here?\n{code}", response=f"Try this:\n{code}") == "complaint"
    assert reading("what is the error here?\nprint(f(1, 2, 3, 4, 5, 6, 7))", response=f"Try:\n{code}") == "nothing"


def test_hurry_quotes_and_plain_words_make_it_surer() -> None:
    plain = _read("That is wrong.", "order?", "It left.", 60)[1]
    assert _read("That is wrong.", "order?", "It left.", 10)[1] > plain
    assert _read('"It left" is wrong, that is incorrect.', "order?", "It left.", 60)[1] > plain
    assert _read("i get an error with it", "order?", "It left.", 60)[1] < plain


@examples(max_examples=50, deadline=None)
@given(said=st.text(max_size=80), request=st.text(max_size=40), response=st.text(max_size=40))
def test_any_text_has_one_reading_and_a_confidence(said: str, request: str, response: str) -> None:
    read_as, sure = _read(said, request, response, 5)
    assert read_as in READINGS
    assert 0 < sure <= 1


def test_a_reading_does_not_depend_on_what_else_is_read() -> None:
    texts = [said for several in READ.values() for said in several]
    rows = [
        {"request": "Where is order 48213?", "response": "It is on its way.", "said": said, "gap": 60} for said in texts
    ]
    random.Random(3).shuffle(rows)
    together = by_rules(measured(pl.DataFrame(rows), RULES), RULES)["reading"].to_list()
    assert together == [reading(row["said"]) for row in rows]


def negatives(home: Path, events: list[Event]) -> set[str]:
    lake = take(home, events)
    signals.catch_up(lake, read(home))
    return set(lake.read("signals").filter(pl.col("kind").is_in(["correction", "rephrase"]))["answer"])


def _asked(id: str, minute: float, role: str, content: str, **fields: Any) -> Event:
    return answer(id, minute, prompt=[Message(role=role, content=content)], **(TALK | fields))


@pytest.mark.parametrize(("role", "count"), [("user", 1), ("tool", 0)])
def test_only_a_person_s_message_is_a_follow_up(tmp_path: Path, role: str, count: int) -> None:
    events = [_asked("a", 0, "user", "order?"), _asked("b", 1, role, "Error: that is wrong")]
    assert len(negatives(tmp_path, events)) == count


def test_a_text_handed_on_to_another_component_is_no_repeat(tmp_path: Path) -> None:
    events = [_asked(name, 0, "user", "where is order 48213", component=name) for name in ("router", "writer")]
    assert not negatives(tmp_path, events)
