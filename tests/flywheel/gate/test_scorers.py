"""What each plain scorer says of an answer, and what it leaves as a hole."""

import json
import math
from typing import Any, cast

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.errors import BadInput
from flywheel.gate.scorers import checks, cost, latency, refusal, sent
from flywheel.gate.scorers.checks import passes, share_passed
from flywheel.gate.scorers.rows import ANSWERS, NO_ANSWER, Hole, Score, answered, each, rows
from flywheel.gate.scorers.sent import agreement
from flywheel.settings import Check, Endpoint
from tests.flywheel.gate.workbench import eval_items

TEXTS = st.text(alphabet="abc AB\n", max_size=40)


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("Your order is on its way", "your  order is\non its way", 1.0),
        ("one two three four", "one two three five", 0.75),
        ("one two", "one two three four", 0.5),
        ("something else", "one two", 0.0),
        ("", "one two", 0.0),
    ],
)
def test_agreement_is_the_share_of_words_kept(answer: str, reference: str, expected: float) -> None:
    assert agreement(answer, reference) == pytest.approx(expected)


@given(answer=TEXTS, reference=TEXTS)
def test_agreement_lies_between_none_and_all_and_knows_no_sides(answer: str, reference: str) -> None:
    found = agreement(answer, reference)
    assert 0 <= found <= 1
    assert found == agreement(reference, answer)
    assert agreement(answer, answer.upper() + "  ") == 1


@given(answer=TEXTS, padding=st.lists(st.just("blah"), min_size=1, max_size=30))
def test_saying_more_than_was_sent_never_agrees_more(answer: str, padding: list[str]) -> None:
    assert agreement(" ".join([answer, *padding]), answer) < 1


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ({"max_words": 3}, "one two three", "one two three four"),
        ({"matches": r"^Hi \w+"}, "Hi Anna, thanks", "Thanks"),
        ({"forbids": r"(?i)sorry"}, "It ships today", "Sorry, it ships today"),
        ({"copies": r"A-\d+"}, "A-12 ships today, and A-12 only", "A-13 ships today"),
        ({"max_words": 3, "matches": "now"}, "ship it now", "we will ship it now"),
    ],
)
def test_each_rule_of_a_check(rule: dict[str, object], good: str, bad: str) -> None:
    check = Check.model_validate({"name": "rule", **rule})
    assert passes(good, 'Where is "A-12"?', check)
    assert not passes(bad, 'Where is "A-12"?', check)


def test_copies_reads_the_messages_and_not_their_json() -> None:
    prompt = json.dumps([{"role": "user", "content": 'call it "grün" please'}])
    check = Check(name="quotes", copies=r'"[^"]*"')
    assert share_passed('It is "grün" now', prompt, [check]) == 1
    assert share_passed('It is "content" now', prompt, [check]) == 0


def test_sent_is_agreement_times_checks() -> None:
    items = eval_items(1, 1, reference="one two three four")
    rules = [Check(name="short", max_words=4), Check(name="greets", matches="^Hi")]
    given = answered({"i0000": "one two three five"})
    row = {"item": "i0000", "user": "u000", "slice": "bank"}
    assert sent.score(items, given, rules).row(0, named=True) == {**row, "score": 0.375, "why": None}
    assert checks.score(items, given, rules).row(0, named=True) == {**row, "score": 0.5, "why": "breaks greets"}


def test_an_item_without_an_answer_is_a_hole_and_an_empty_answer_is_not() -> None:
    items = eval_items(1, 3)
    scored = sent.score(items, answered({"i0000": "", "i0001": items["reference"][1]}))
    assert scored["score"].to_list() == [0.0, 1.0, None]
    assert scored["why"].to_list() == [None, None, NO_ANSWER]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, KeyError("gone"), Hole("")])
def test_what_is_no_number_is_a_hole_with_a_reason(value: object) -> None:
    def one(item: dict[str, Any], answer: dict[str, Any]) -> Score:
        if isinstance(value, Exception):
            raise value
        return Score(cast(float, value))

    items = eval_items(1, 1)
    [row] = each(items, answered({"i0000": "text"}), one).rows(named=True)
    assert row["score"] is None
    assert row["why"]


@given(scores=st.dictionaries(st.sampled_from(["i0000", "i0001", "i0002", "stray"]), st.floats() | st.none()))
def test_every_item_has_one_row_and_only_finite_scores(scores: dict[str, float | None]) -> None:
    found = {item: Hole("none") if score is None else Score(score) for item, score in scores.items()}
    made = rows(eval_items(1, 3), found)
    assert made["item"].to_list() == ["i0000", "i0001", "i0002"]
    for item, score, why in made.select("item", "score", "why").iter_rows():
        known = scores.get(item)
        finite = known is not None and math.isfinite(known)
        assert score == (known if finite else None)
        assert (why is None) == finite


def counted(**told: Any) -> pl.DataFrame:
    row = {"item": "i0000", "text": "yes", "tokens_in": None, "tokens_out": None, "seconds": None, **told}
    return pl.DataFrame([row], schema=ANSWERS)


def test_what_is_a_cost_comes_with_a_minus() -> None:
    items, api = eval_items(1, 1), Endpoint(url="http://127.0.0.1/v1", model="m", price_in=2.0, price_out=10.0)
    told = counted(tokens_in=1000, tokens_out=100, seconds=1.5)
    assert latency.score(items, told)["score"].to_list() == [-1.5]
    assert cost.score(items, told, api)["score"].to_list() == [pytest.approx(-0.003)]
    assert cost.score(items, told, None)["score"].to_list() == [0.0]


def test_what_nobody_measured_is_a_hole_and_not_free() -> None:
    items, api = eval_items(1, 1), Endpoint(url="http://127.0.0.1/v1", model="m", price_in=2.0)
    assert latency.score(items, counted())["score"].to_list() == [None]
    assert cost.score(items, counted(tokens_in=5), api)["score"].to_list() == [None]


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry, but I can't help with that.",
        "I cannot assist with this request.",
        "Unfortunately, I am unable to provide legal advice.",
        "As an AI language model, I can’t write that for you.",  # noqa: RUF001
        "I won't do that.",
        "Es tut mir leid, aber ich kann Ihnen dabei nicht helfen.",
        "Leider kann ich diese Frage nicht beantworten.",
        "Je suis désolé, je ne peux pas vous aider avec cela.",
        "Lo siento, no puedo ayudarte con eso.",
    ],
)
def test_a_refusal_is_known_by_how_it_opens(answer: str) -> None:
    assert refusal.score(eval_items(1, 1), answered({"i0000": answer}))["score"].to_list() == [-1.0]


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "I'm sorry for the delay. Your order ships today.",
        "I can't wait to see you at the fair!",
        "I cannot find the order A-12; which shop was it?",
        'Write back: "I cannot help with that."',
        "Ich kann die Lieferung heute nicht finden.",
        "No puedo esperar!",
        "The tool said it was unable to connect, so I tried again.",
    ],
)
def test_an_apology_or_a_quote_is_no_refusal(answer: str) -> None:
    assert refusal.score(eval_items(1, 1), answered({"i0000": answer}))["score"].to_list() == [0.0]


def test_a_broken_pattern_is_one_sentence() -> None:
    with pytest.raises(BadInput, match=r"saw `\(`"):
        passes("text", "prompt", Check(name="odd", matches="("))
