"""Chains and samples as partial orders, and the pairs that a partial order of any size comes to."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.records.reduced import reduced
from tests.flywheel.records.made import Row, a_chain, an_edit, count, exchange, made, of, signal


@pytest.mark.parametrize(("length", "kept"), [(2, 1), (3, 2), (5, 4), (4, 1)])
def test_what_was_kept_of_a_chain_comes_first_and_the_rest_is_no_order(length: int, kept: int) -> None:
    found = made(*a_chain(length, kept))
    ranking = found["rankings"].row(0, named=True)
    assert ranking["responses"][0] == f"Draft r{kept}."
    assert ranking["ranks"] == [1] + [2] * (length - 1)
    pairs = of(found, "regeneration_pair")
    assert set(pairs["chosen"]) == {f"Draft r{kept}."}
    assert set(pairs["rejected"]) == {f"Draft r{n}." for n in range(length) if n != kept}
    assert pairs["weight"].sum() == pytest.approx(1)


def test_a_chain_without_a_kept_answer_orders_nothing() -> None:
    assert made(*a_chain(3))["rankings"].is_empty()


def test_a_kept_answer_that_was_complained_about_wins_nothing() -> None:
    answers, signals = a_chain(3, 2)
    signals[-1] |= {"value": -1.0, "detail": "revoked"}
    found = made(answers, signals)
    assert count(found) == {"regeneration_label": 2, "revoked_label": 1, "failure_case": 1}
    assert all("event acceptance r2" in keys for keys in of(found, "regeneration_label")["event_ids"])


@pytest.mark.parametrize(("value", "weight", "kept"), [(0.9, 0.0, False), (0.9, 1.0, True), (0.05, 0.0, True)])
def test_an_answer_that_was_written_anew_was_not_kept(value: float, weight: float, kept: bool) -> None:
    answers, signals = a_chain(3, 2)
    answers[2]["final"] = "Something else."
    edit = signal("r2", "edit", value, text="Something else.", weight=weight)
    rankings = made(answers, [*signals, edit])["rankings"]
    assert rankings["responses"].to_list() == ([["Something else.", "Draft r0.", "Draft r1."]] if kept else [])


def test_the_same_text_again_is_not_worse_than_itself() -> None:
    answers, signals = a_chain(3, 2)
    answers[0]["response"] = answers[2]["response"]
    found = made(answers, signals)
    assert found["rankings"]["responses"].to_list() == [["Draft r2.", "Draft r1."]]
    assert found["pairs"]["weight"].to_list() == [1.0]


def test_a_chain_of_one_text_orders_nothing() -> None:
    answers, signals = a_chain(2, 1)
    answers[0]["response"] = answers[1]["response"]
    found = made(answers, signals)
    assert (len(found["rankings"]), len(found["pairs"])) == (0, 0)


def test_a_ranking_also_names_why_an_answer_was_not_kept() -> None:
    answers, signals = a_chain(3, 2)
    answers[1]["response"] = answers[2]["response"]  # not in the order, and yet it decides it
    found = made(answers, [*signals, signal("r1", "acceptance", -1.0, detail="revoked")])
    assert found["rankings"]["responses"].to_list() == [["Draft r2.", "Draft r0."]]
    assert "event acceptance r1" in found["rankings"]["event_ids"].item()


def test_a_text_that_was_kept_is_no_worse_than_another_that_was() -> None:
    answers, signals = a_chain(4, 3)
    answers[0]["final"], answers[1]["response"] = answers[0]["response"], answers[3]["response"]
    ranking = made(answers, [*signals, signal("r0", "acceptance")])["rankings"].row(0, named=True)
    assert list(zip(ranking["responses"], ranking["ranks"], strict=True)) == [
        ("Draft r0.", 1),
        ("Draft r3.", 1),
        ("Draft r2.", 2),
    ]


def test_a_pair_names_only_what_its_two_sides_rest_on() -> None:
    pairs = made(*a_chain(3, 2))["pairs"]
    named = dict(pairs.select("rejected", "event_ids").iter_rows())
    assert named["Draft r0."] == ["event acceptance r2", "response r0", "response r2"]


@pytest.mark.parametrize("backwards", [False, True])
def test_of_answers_that_say_the_same_from_the_same_events_the_same_one_speaks(backwards: bool) -> None:
    answers, signals = a_chain(3)
    answers[1] |= {"response": answers[0]["response"], "slice": "wholesale"}
    signals += [signal(row["answer"], "acceptance", -1.0, detail="revoked") for row in answers]
    found = made(answers[::-1] if backwards else answers, signals)
    assert of(found, "regeneration_label")["slice"].to_list() == ["wholesale"]


# ---- samples of one prompt ------------------------------------------------------------------------------------------


def a_sample(answer: str, text: str, **fields: Any) -> Row:
    return exchange(answer, parent="prompt", asked="Say hello.", response=text, **fields)


def ranks(found: dict[str, pl.DataFrame]) -> dict[str, int]:
    responses, places = found["rankings"].select("responses", "ranks").row(0)
    return dict(zip(responses, places, strict=True))


def test_samples_are_ordered_by_the_mean_over_distinct_people() -> None:
    opinions = [("a", "ann", 1.0), ("a", "ben", 1.0), ("b", "ann", 1.0), ("b", "ben", -1.0), ("c", "ann", -1.0)]
    rated = [signal(answer, "rating", value, about=who) for answer, who, value in opinions]
    found = made([a_sample(name, name.upper()) for name in "abcd"], rated)
    assert ranks(found) == {"A": 1, "B": 2, "C": 3}
    assert found["rankings"]["unit"].to_list() == ["parent prompt"]
    assert of(found, "sample_pair")["weight"].to_list() == pytest.approx([1 / 3] * 3)


def test_someone_who_rates_often_is_one_person() -> None:
    """Five opinions of one person on the same text do not outweigh two people."""
    many = [a_sample(f"a{n}", "A") for n in range(5)]
    rated = [signal(f"a{n}", "rating", 1.0, about="ann") for n in range(5)]
    rated += [signal("a0", "rating", -1.0, about=who) for who in ("ben", "cat")]
    found = made([*many, a_sample("b", "B")], [*rated, signal("b", "rating", 0.0, about="dan")])
    assert ranks(found) == {"B": 1, "A": 2}


def test_using_a_sample_is_an_opinion_and_a_complaint_takes_it_back() -> None:
    answers = [a_sample("a", "A", final="A"), a_sample("b", "B", final="B"), a_sample("c", "C")]
    used = [signal("a", "acceptance"), signal("b", "acceptance", -1.0, detail="revoked")]
    assert ranks(made(answers, used)) == {"A": 1, "B": 2}


def test_a_sample_written_anew_counts_for_neither_text() -> None:
    answers = [a_sample("a", "A", final="Something else."), a_sample("b", "B", final="B")]
    acts = [signal("a", "acceptance"), signal("a", "edit", 0.9, text="Something else.", weight=0.0)]
    assert made(answers, [*acts, signal("b", "acceptance")])["rankings"].is_empty()


def test_an_edited_sample_is_worse_than_what_it_became() -> None:
    answers = [a_sample("a", "A", final="A better"), a_sample("b", "B", final="B")]
    acts = [signal("a", "edit", 0.5, text="A better"), signal("a", "acceptance"), signal("b", "acceptance")]
    found = made(answers, acts)
    assert ranks(found) == {"A better": 1, "B": 1, "A": 2}
    # An edit beside its own answer is an `edit_pair`.
    assert of(found, "sample_pair").select("chosen", "rejected").rows() == [("B", "A")]


def test_one_edited_sample_orders_no_samples() -> None:
    answers = [a_sample("a", "A", final="A better"), a_sample("b", "B")]
    assert made(answers, [signal("a", "edit", 0.5, text="A better")])["rankings"].is_empty()


def test_an_edit_that_lost_to_what_it_was_made_of_is_no_pair_whatever_else_was_sampled() -> None:
    """Else the pair would be there through a third text whose events it does not name."""
    answers = [a_sample("a", "A"), a_sample("b", "A", final="A edited"), a_sample("c", "C")]
    acts = [signal("a", "rating"), signal("b", "edit", 0.5, text="A edited"), signal("b", "acceptance", -1.0)]
    found = made(answers, [*acts, signal("c", "rating", -1.0)])
    assert ranks(found) == {"A": 1, "A edited": 2, "C": 3}
    assert set(of(found, "sample_pair").select("chosen", "rejected").iter_rows()) == {("A", "C"), ("A edited", "C")}


@pytest.mark.parametrize("values", [(1.0, 1.0), (None, None), (1.0, None)], ids=["equal", "nothing", "only one"])
def test_samples_that_nothing_orders_are_no_ranking(values: tuple[float | None, ...]) -> None:
    rated = [
        signal(name, "rating", value, about=name) for name, value in zip("ab", values, strict=True) if value is not None
    ]
    assert made([a_sample("a", "A"), a_sample("b", "B")], rated)["rankings"].is_empty()


def test_answers_of_one_conversation_are_no_samples() -> None:
    answers = [a_sample(name, name.upper(), conversation="talk") for name in "ab"]
    rated = [signal("a", "rating", 1.0), signal("b", "rating", -1.0)]
    assert made(answers, rated)["rankings"].is_empty()


def test_samples_are_compared_across_conversations() -> None:
    answers = [*(a_sample(name, name.upper(), conversation="talk") for name in "ab"), a_sample("c", "C")]
    rated = [signal("a", "rating", 1.0), signal("b", "rating", -1.0)]
    assert made(answers, rated)["rankings"].is_empty()  # nobody judged the answer of the other conversation
    found = made(answers, [*rated, signal("c", "rating", 0.0)])
    assert ranks(found) == {"A": 1, "C": 2, "B": 3}
    assert set(of(found, "sample_pair").select("chosen", "rejected").iter_rows()) == {("A", "C"), ("C", "B")}


def test_answers_to_another_prompt_are_no_samples_of_this_one() -> None:
    answers = [a_sample(name, name.upper(), conversation="talk") for name in "ab"]
    other = exchange("c", parent="prompt", asked="Say goodbye.", response="C")
    rated = [signal(name, "rating", value) for name, value in (("a", 1.0), ("b", -1.0), ("c", 0.5))]
    assert made([*answers, other], rated)["rankings"].is_empty()


def test_people_who_disagree_make_a_ranking_less_sure() -> None:
    votes = {"ann": "a", "ben": "a", "cat": "b"}
    rated = [
        signal(name, "rating", 1.0 if name == best else -1.0, about=who) for who, best in votes.items() for name in "ab"
    ]
    found = made([a_sample("a", "A"), a_sample("b", "B")], rated)
    assert ranks(found) == {"A": 1, "B": 2}
    assert found["rankings"]["confidence"].item() == pytest.approx(0.8 * 2 / 3)
    assert len(found["labels"]) == 6


def test_an_edit_that_brought_facts_is_compared_with_nothing() -> None:
    answers = [a_sample("a", "A", final="A with order 48213"), a_sample("b", "B", final="B")]
    acts = [signal("a", "edit", 0.5, text="A with order 48213"), signal("b", "acceptance")]
    found = made(answers, acts)
    assert "A with order 48213" not in str(found["rankings"]["responses"].to_list())
    assert count(found)["knowledge_gap"] == 1


# ---- rankings -> pairs ----------------------------------------------------------------------------------------------

RANKS = st.lists(st.lists(st.integers(1, 4), min_size=2, max_size=7), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(all_ranks=RANKS)
def test_the_pairs_of_a_ranking_share_its_weight(all_ranks: list[list[int]]) -> None:
    rankings = pl.DataFrame({
        "name": [f"n{n}" for n in range(len(all_ranks))],
        "weight": [1.0] * len(all_ranks),
        "responses": [[f"{n}/{place}" for place in range(len(ranks))] for n, ranks in enumerate(all_ranks)],
        "ranks": all_ranks,
        "sources": [[[f"event {n}/{place}"] for place in range(len(ranks))] for n, ranks in enumerate(all_ranks)],
        "origins": [[[f"{n}/{place}"] for place in range(len(ranks))] for n, ranks in enumerate(all_ranks)],
        "places": [[[f"{n}/{place}"] for place in range(len(ranks))] for n, ranks in enumerate(all_ranks)],
        "evidence": [[] for _ in all_ranks],
    }, schema_overrides={"evidence": pl.List(pl.String)})  # fmt: skip
    pairs = reduced(rankings)
    for n, ranks in enumerate(all_ranks):
        mine = pairs.filter(name=f"n{n}")
        ordered = {(f"{n}/{a}", f"{n}/{b}") for a, x in enumerate(ranks) for b, y in enumerate(ranks) if x < y}
        assert set(mine.select("chosen", "rejected").iter_rows()) == ordered
        assert mine["weight"].sum() == pytest.approx(1 if ordered else 0)


def test_chains_and_samples_together_with_edits_do_not_disturb_each_other() -> None:
    edited, edits = an_edit("e")
    chain, chosen = a_chain(3, 2)
    samples = [a_sample("a", "A"), a_sample("b", "B")]
    rated = [signal("a", "rating", 1.0), signal("b", "rating", -1.0)]
    found = made([edited, *chain, *samples], edits + chosen + rated)
    assert count(found) == {
        "edit_pair": 1,
        "edit_demonstration": 1,
        "regeneration_pair": 2,
        "regeneration_ranking": 1,
        "sample_pair": 1,
        "sample_ranking": 1,
        "rating_label": 2,
        "failure_case": 1,
    }
