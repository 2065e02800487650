"""One answer's score: agreement with what was sent, times the share of checks passed."""

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.errors import BadInput
from flywheel.gate.score import agreement, passes, score, share_passed
from flywheel.settings import Check
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


def test_score_is_agreement_times_checks() -> None:
    items = eval_items(1, 1, reference="one two three four")
    checks = [Check(name="short", max_words=4), Check(name="greets", matches="^Hi")]
    row = score(items, {"i0000": "one two three five"}, checks).row(0, named=True)
    assert row == {"item": "i0000", "user": "u000", "slice": "bank", "agreement": 0.75, "checks": 0.5, "score": 0.375}


def test_an_item_without_an_answer_is_a_hole_and_an_empty_answer_is_not() -> None:
    items = eval_items(1, 3)
    scored = score(items, {"i0000": "", "i0001": items["reference"][1]})
    assert scored["score"].to_list() == [0.0, 1.0, None]
    assert scored.select(pl.col("agreement", "checks").is_null().all()).row(0) == (False, False)


def test_a_broken_pattern_is_one_sentence() -> None:
    with pytest.raises(BadInput, match=r"saw `\(`"):
        passes("text", "prompt", Check(name="odd", matches="("))
