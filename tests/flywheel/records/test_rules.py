"""Each rule from the signals that make it, and from those that must not."""

import json
from typing import Any

import polars as pl
import pytest

from flywheel.settings import Signals
from tests.flywheel.records.made import (
    BETTER,
    DRAFT,
    a_chain,
    a_correction,
    a_run,
    an_edit,
    count,
    exchange,
    made,
    of,
    signal,
)


def test_an_edit_is_a_pair_and_a_demonstration() -> None:
    answer, signals = an_edit()
    found = made([answer], signals)
    assert count(found) == {"edit_pair": 1, "edit_demonstration": 1}
    pair, shown = found["pairs"].row(0, named=True), found["demonstrations"].row(0, named=True)
    assert (pair["chosen"], pair["rejected"], pair["trajectory"]) == (BETTER, DRAFT, False)
    assert shown["completion"] == BETTER
    assert set(shown["event_ids"]) == {*pair["event_ids"], "event acceptance a"}  # a complaint would have undone it
    assert pair["unit"] == "conversation talk-a"


@pytest.mark.parametrize(
    ("value", "weight", "expected"),
    [
        (0.4, 1.0, {"edit_pair": 1, "edit_demonstration": 1}),
        (0.05, 0.3, {"edit_pair": 1, "edit_demonstration": 1}),
        (0.01, 0.0, {}),
        (0.9, 1.0, {"edit_pair": 1, "edit_demonstration": 1}),
        (0.9, 0.0, {}),
    ],
    ids=["clear", "small", "typo", "rework", "rewrite"],
)
def test_an_edit_counts_as_its_signal_weighs(value: float, weight: float, expected: dict[str, int]) -> None:
    answer, signals = an_edit(value=value, weight=weight)
    found = made([answer], signals)
    assert count(found) == expected
    assert all(each == weight for each in found["pairs"]["weight"])


def test_an_edit_that_was_complained_about_demonstrates_nothing() -> None:
    answer, (edit, accepted) = an_edit()
    found = made([answer], [edit, accepted | {"value": -1.0, "detail": "revoked"}])
    assert count(found) == {"edit_pair": 1, "revoked_label": 1, "failure_case": 1}


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        ({"detail": "written"}, {"written_demonstration": 1}),
        ({"detail": "sent"}, {}),
        ({"detail": "revoked", "value": -1.0}, {"revoked_label": 1, "failure_case": 1}),
    ],
    ids=["written", "a model's answer sent", "complained about"],
)
def test_what_a_person_wrote_and_sent_is_a_demonstration(act: dict[str, Any], expected: dict[str, int]) -> None:
    found = made([exchange("a", final=DRAFT)], [signal("a", "acceptance", **act)])
    assert count(found) == expected
    assert found["demonstrations"]["completion"].to_list() == [DRAFT] * ("written_demonstration" in expected)


def test_the_answer_after_a_correction_is_preferred_under_the_first_prompt() -> None:
    found = made(*a_correction("No, that is too long.", "It is on its way."))
    pair = of(found, "correction_pair").row(0, named=True)
    assert (pair["chosen"], pair["rejected"]) == ("It is on its way.", DRAFT)
    assert json.loads(pair["prompt"])[0]["content"] == "Where is the order of a?"
    assert pair["event_ids"] == ["event acceptance b", "response a", "response b"]


@pytest.mark.parametrize(
    ("said", "answered", "kept"),
    [
        ("No, that is too long.", "It is on its way.", False),
        ("No, say it friendlier.", "A friendlier word: it is on its way.", True),
        ("No, that is too long.", "You are right, it is on its way.", True),
        ("No, that is too long.", "I sincerely apologize. It is on its way.", True),
        ("No, that is too long.", "Here is the corrected answer: it is on its way.", True),
        ("No, that is too long.", DRAFT, True),
    ],
    ids=["not kept", "told only now", "speaks to it", "apologises", "calls itself the next", "the same again"],
)
def test_an_answer_that_could_not_have_been_given_at_once_is_no_pair(said: str, answered: str, kept: bool) -> None:
    found = made(*a_correction(said, answered, kept=kept))
    assert "correction_pair" not in count(found)
    assert count(found)["correction_label"] == 1


def test_a_word_of_the_first_prompt_may_be_used_again() -> None:
    found = made(*a_correction("No, in friendly words.", "A friendly word.", asked="Write friendly words"))
    assert count(found)["correction_pair"] == 1


def test_an_answer_whose_using_was_taken_back_is_not_preferred() -> None:
    answers, (correction, accepted) = a_correction("No, that is too long.", "It is on its way.")
    found = made(answers, [correction, accepted | {"value": -1.0, "detail": "revoked"}])
    assert "correction_pair" not in count(found)


@pytest.mark.parametrize(
    ("kind", "fields", "rule", "desirable", "weight"),
    [
        ("rating", {"value": 1.0}, "rating_label", True, 1.0),
        ("rating", {"value": -0.5, "weight": 0.5}, "rating_label", False, 0.25),
        ("correction", {}, "correction_label", False, 0.5),
        ("rephrase", {}, "rephrase_label", False, 0.25),
        ("dismissal", {"weight": 0.2}, "dismissal_label", False, 0.2),
        ("acceptance", {"value": -1.0}, "revoked_label", False, 0.5),
        ("praise", {"value": 2.0, "weight": 0.7}, "own_label", True, 0.7),
    ],
)
def test_labels(kind: str, fields: dict[str, Any], rule: str, desirable: bool, weight: float) -> None:
    own = Signals.model_validate({"own": [{"name": "praise", "sql": "praise.sql", "labels": True}]})
    found = made([exchange("a")], [signal("a", kind, **fields)], own)
    label = found["labels"].row(0, named=True)
    assert (label["rule"], label["response"], label["desirable"], label["weight"]) == (rule, DRAFT, desirable, weight)
    assert label["event_ids"] == [f"event {kind} a", "response a"]


@pytest.mark.parametrize(
    ("kind", "value"), [("rating", 0.0), ("acceptance", 1.0), ("abandonment", 1.0), ("praise", 1.0)]
)
def test_what_is_no_verdict_is_no_label(kind: str, value: float) -> None:
    """Nor is a team's own signal that does not say it is one."""
    assert made([exchange("a")], [signal("a", kind, value)])["labels"].is_empty()


def test_each_rater_has_a_label_of_their_own() -> None:
    ratings = [signal("a", "rating", value, about=who) for who, value in (("ann", 1.0), ("ben", -1.0))]
    labels = made([exchange("a")], ratings)["labels"]
    assert sorted(labels["desirable"]) == [False, True]


@pytest.mark.parametrize("length", [2, 3, 6])
def test_a_chain_nobody_kept_anything_of_weighs_three_tenths_of_a_verdict(length: int) -> None:
    found = made(*a_chain(length))
    assert len(found["labels"]) == length - 1
    assert found["labels"]["weight"].sum() == pytest.approx(0.3)
    assert found["rankings"].is_empty()


@pytest.mark.parametrize("kept", [0, 2])
def test_a_chain_of_which_one_was_kept_has_no_labels(kept: int) -> None:
    assert made(*a_chain(3, kept))["labels"].is_empty()


def test_runs_of_one_task_are_told_apart_by_their_outcome() -> None:
    runs = [*a_run("good", ["Look.", "Book.", "Done."], 1), *a_run("bad", ["Look.", "Wait.", "Done."], 0)]
    found = made(runs)
    assert count(found) == {"run_pair": 1, "run_demonstration": 1, "failure_case": 1}
    pair = found["pairs"].row(0, named=True)
    assert [each["content"] for each in json.loads(pair["prompt"])] == ["Rules.", "Book it.", "Look.", "done 1"]
    assert [each["content"] for each in json.loads(pair["chosen"])] == ["Book.", "done 2", "Done."]
    assert [each["content"] for each in json.loads(pair["rejected"])] == ["Wait.", "done 2", "Done."]
    assert (pair["trajectory"], pair["unit"]) == (True, "task task")


@pytest.mark.parametrize(("good", "bad"), [(1, 1), (3, 1), (1, 3), (2, 2)])
def test_the_pairs_of_one_run_weigh_at_most_one(good: int, bad: int) -> None:
    runs = [row for n in range(good) for row in a_run(f"good{n}", ["Book.", f"Done {n}."], 1)]
    runs += [row for n in range(bad) for row in a_run(f"bad{n}", ["Wait.", f"Sorry {n}."], 0)]
    pairs = made(runs)["pairs"]
    assert len(pairs) == good * bad
    assert pairs["weight"].sum() == pytest.approx(min(good, bad))
    for side in ("chosen", "rejected"):
        assert max(pairs.group_by(side).agg(pl.col("weight").sum())["weight"]) <= 1 + 1e-9


def test_a_run_that_did_its_work_is_a_demonstration() -> None:
    shown = made(a_run("good", ["Look.", "Done."], 1))["demonstrations"].row(0, named=True)
    assert [each["role"] for each in json.loads(shown["prompt"])] == ["system", "user"]
    assert [each["content"] for each in json.loads(shown["completion"])] == ["Look.", "done 1", "Done."]
    assert shown["trajectory"]


def test_one_turn_without_a_tool_is_no_trajectory() -> None:
    assert made([exchange("a", outcome=1.0)])["demonstrations"].is_empty()


@pytest.mark.parametrize("first", ["Go.", "Stop."])
def test_prompts_that_do_not_hold_what_came_before_are_no_run(first: str) -> None:
    talk = {"conversation": "talk", "task": "t"}
    prompts = [json.dumps([{"role": "user", "content": said} for said in each]) for each in ([first], ["Go.", "On."])]
    answers = [exchange("a", 0, prompt=prompts[0], **talk)]
    answers.append(exchange("b", 1, prompt=prompts[1], turn=2, outcome=1.0, **talk))
    assert made(answers)["demonstrations"].is_empty()


@pytest.mark.parametrize("rule", ["edit_pair", "edit_demonstration", "regeneration_pair", "regeneration_ranking"])
def test_a_rule_switched_off_makes_nothing_and_takes_nothing_else_with_it(rule: str) -> None:
    answer, edits = an_edit()
    chain, chosen = a_chain(3, 2)
    everything = count(made([answer, *chain], edits + chosen))
    assert rule in everything
    assert count(made([answer, *chain], edits + chosen, rules_off=[rule])) == {
        name: n for name, n in everything.items() if name != rule
    }


def test_who_may_not_train_reaches_no_record() -> None:
    answer, signals = an_edit()
    assert count(made([answer | {"may_train": False}], [*signals, signal("a", "rating", -1.0)])) == {}


def test_who_corrects_and_asks_again_has_said_it_once() -> None:
    labels = made([exchange("a")], [signal("a", "correction"), signal("a", "rephrase")])["labels"]
    assert labels["rule"].to_list() == ["correction_label"]
