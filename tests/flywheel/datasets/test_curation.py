"""Each rule of curation rejects what it is for, with a reason, and honest records pass them all."""

import random
from collections.abc import Callable
from typing import Any, get_args

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.datasets.curation import Curated, curate
from flywheel.datasets.curation.language import spoken
from flywheel.settings import Curation, Recipe, Workload
from flywheel.settings.curation import CurationRule
from tests.flywheel.datasets.rows import NO_ITEMS, WORDS, frame, items, label, pair, prompt, words

Rows = list[dict[str, Any]]
HONEST = [pair(f"h{number}", user=f"user {number}") for number in range(200)]
GERMAN = "Das Paket ist auf dem Weg und wird am Freitag bei Ihnen sein, bitte haben Sie Geduld."
ALIKE = "my parcel number nine has not come yet and I have now been waiting for it for three whole weeks in {}"


def rules(**curation: Any) -> Workload:
    return Workload(base_model="none", recipe=Recipe(max_length=60), curation=Curation(**curation))


def curated(rows: Rows, known: pl.DataFrame = NO_ITEMS, **curation: Any) -> Curated:
    return curate(frame([*HONEST, *rows]), known, rules(**curation))


def rejected(found: Curated) -> dict[str, str]:
    """Each rejected record, and the rule that rejected it."""
    return dict(found.rejected.select("record", "rule").iter_rows())


def step(found: Curated, rule: str, kind: str = "pair") -> dict[str, Any]:
    return found.funnel.row(by_predicate=(pl.col("rule") == rule) & (pl.col("kind") == kind), named=True)


def chosen_longer(count: int, *, longer: bool) -> Rows:
    """Pairs that somebody chose, of many length ratios."""
    made = []
    for number in range(count):
        long, short = " ".join(f"word{number}" for _ in range(5 + number % 9)), f"short answer {number}"
        sides = (long, short) if longer else (short, long)
        fields = {"chosen": sides[0], "rejected": sides[1], "rule": "sample_pair"}
        made.append(pair(f"chosen {longer} {number}", **fields))
    return made


def same_question(record: str, better: str, user: str) -> dict[str, Any]:
    sides = ["One kind answer here.", "Another kind answer there."]
    sides = sides if better == "one" else sides[::-1]
    return pair(record, prompt=prompt("Which?"), chosen=sides[0], rejected=sides[1], user=user)


# For each rule records that it rejects, all or (where `...`) some of them, and how many.
BAD: dict[str, tuple[Rows, int]] = {
    "empty": ([
        pair("bad", chosen="  "), pair("bad1", rejected="Ok!"), pair("bad2", prompt=prompt(" ?"))
    ], 3),
    "too_long": ([pair("bad", chosen="word " * 61)], 1),
    "near_identical": ([pair("bad", chosen=f"{'so long ' * 7}an answer.", rejected=f"{'so long ' * 7}an answer!")], 1),
    "language": ([pair("bad", chosen=GERMAN), pair("bad1", chosen="Ваш заказ в пути.")], 2),
    "confidence": ([pair("bad", confidence=0.49)], 1),
    "conflicts": ([same_question("bad", "one", "u1"), same_question("bad1", "other", "u2")], 2),
    "near_duplicates": ([pair(f"bad{n}", prompt=prompt(ALIKE.format(f"town {n}"))) for n in range(5)], 2),
    "heavy_users": ([pair(f"bad{n}", user="busy") for n in range(10)], 8),
    "length_bias": ([*chosen_longer(60, longer=True), *chosen_longer(40, longer=False)], 12),
}  # fmt: skip


@pytest.mark.parametrize("rule", sorted(BAD))
def test_each_rule_rejects_what_it_is_for_and_lets_it_pass_when_it_is_off(rule: str) -> None:
    rows, count = BAD[rule]
    found = curated(rows)
    told = rejected(found)
    assert {told[record] for record in told} == {rule}
    assert len(told) == count
    assert not [record for record in told if record.startswith("h")]
    assert found.rejected["reason"].str.len_chars().min() > 10
    assert rejected(curated(rows, off=(rule,))) == {}


def test_every_rule_of_the_settings_is_in_the_pipeline_and_tested() -> None:
    in_funnel = set(curated([]).funnel["rule"])
    assert set(get_args(CurationRule)) <= in_funnel
    assert set(get_args(CurationRule)) == {*BAD, "special_tokens", "ratings"}
    assert set(curated([], off=get_args(CurationRule)).funnel["rule"]) == in_funnel - set(get_args(CurationRule))


@pytest.mark.parametrize(
    ("rule", "row", "curation"),
    [
        ("barred", pair("bad", barred=True), {}),
        ("barred", pair("bad", user="left us"), {"excluded_users": ("left us",)}),
        ("refused", pair("bad", refused=True), {}),
        ("trajectories", pair("bad", trajectory=True), {}),
        ("held_out", pair("bad", split="eval"), {}),
        ("two_sides", pair("bad", two_sides="shares a talk with an eval item"), {}),
        ("contaminated", pair("bad", prompt=prompt("WHERE is  order four?")), {}),
    ],
)
def test_promises_hold_with_every_rule_off(rule: str, row: dict[str, Any], curation: dict[str, Any]) -> None:
    off = {"off": get_args(CurationRule)}
    assert rejected(curated([row], items(["Where is order four?"]), **off, **curation)) == {"bad": rule}
    assert rejected(curated([pair("good")], items(["Where is order four?"]), **off)) == {}


def test_honest_records_pass() -> None:
    found = curated([])
    assert found.kept.height == len(HONEST)
    assert found.rejected.is_empty()


@pytest.mark.parametrize("text", ["<|im_end|> now obey", "a [INST] b", "</s>", "<start_of_turn>user"])
@pytest.mark.parametrize("place", ["prompt", "chosen", "rejected"])
def test_control_tokens_are_counted_and_stay(text: str, place: str) -> None:
    said = f"Please write {text} into it."
    row = pair("odd", **{place: prompt(said) if place == "prompt" else said})
    found = curated([row, pair("html", chosen="A <b>bold</b> word and a < b > c, [1] too.")])
    assert step(found, "special_tokens")["marked"] == 1
    assert found.rejected.is_empty()


def test_half_of_all_feedback_from_one_user_ends_within_the_cap() -> None:
    busy = [pair(f"busy{number}", user="busy", confidence=0.6 + number / 1000) for number in range(200)]
    kept = curated(busy).kept.filter(user="busy")
    assert len(kept) == 4  # 1 % of 400
    assert sorted(kept["record"]) == ["busy196", "busy197", "busy198", "busy199"]
    assert len(curated(busy, user_share=0.5).kept.filter(user="busy")) == 20


@pytest.mark.parametrize(
    ("votes", "kept"),
    [
        ({"one": ["a", "b"], "other": ["c"]}, {"one"}),
        ({"one": ["a"], "other": ["b"]}, set()),
        ({"one": ["a", "a", "a"], "other": ["b", "c"]}, {"other"}),
        ({"one": ["a", "b"], "other": ["a"]}, {"one"}),
        ({"one": ["a"], "other": ["a"]}, set()),
        ({"one": ["a", "b"], "other": []}, {"one"}),
    ],
)
def test_a_conflict_is_settled_by_people_not_by_how_often_one_says_it(
    votes: dict[str, list[str]], kept: set[str]
) -> None:
    rows = [
        same_question(f"{way} {number}", way, user)
        for way, users in votes.items()
        for number, user in enumerate(users)
    ]  # fmt: skip
    found = curated(rows, user_records=20, user_share=1.0, prompts_alike=20)
    assert {record.split()[0] for record in found.kept["record"] if not record.startswith("h")} == kept
    strict = curated(rows, conflicts="drop")
    assert all(votes.values()) == (len(strict.rejected.filter(rule="conflicts")) == len(rows))


def test_fifty_planted_conflicts_are_resolved_or_listed() -> None:
    rows = []
    for number in range(50):
        asked = {"prompt": prompt(f"Question {number}?")}
        sides = {"chosen": f"Yes, surely {number}.", "rejected": f"No, never {number}."}
        other = {"chosen": sides["rejected"], "rejected": sides["chosen"]}
        rows += [pair(f"c{number}a", **asked, **sides), pair(f"c{number}b", **asked, **other)]
        rows += [pair(f"c{number}c", **asked, **sides)] if number < 20 else []
    found = curated(rows)
    gone = found.rejected.filter(rule="conflicts")
    assert step(found, "conflicts")["detail"] == "50 questions on which people disagree"
    assert len(gone) == 20 + 2 * 30
    assert set(gone["reason"]) == {"2 of 3 people say the opposite", "1 of 2 people say the opposite"}
    assert len(found.kept.filter(pl.col("record").str.starts_with("c"))) == 2 * 20


def test_opinions_are_centred_by_who_gave_them() -> None:
    praises = [label(f"p{number}", True, user="praises all") for number in range(30)]
    blames = [label("blame", False, user="praises all", weight=0.5)]
    mild = [label("mild", True, user="praises all", weight=0.1)]
    others = [label(f"o{number}", number % 2 == 0, user=f"rater {number}") for number in range(60)]
    acts = [label("act", True, user="praises all", rule="revoked_label", weight=0.3)]
    found = curate(frame([*praises, *blames, *mild, *others, *acts]), NO_ITEMS, rules(off=("heavy_users",)))
    weights = dict(found.kept.select("record", "weight").iter_rows())
    assert weights["p0"] < weights["o0"] < 1.01
    assert weights["blame"] > 0.5
    assert weights["act"] == 0.3
    assert rejected(found) == {"mild": "ratings"}
    assert found.kept.filter(record="blame")["desirable"].to_list() == [False]
    assert "mild" not in rejected(curate(frame([*praises, *mild]), NO_ITEMS, rules(off=("ratings", "heavy_users"))))


@pytest.mark.parametrize("longer", [True, False])
def test_pairs_that_were_chosen_stand_in_the_band_and_each_bin_gives_its_share(longer: bool) -> None:
    found = curated([*chosen_longer(300, longer=longer), *chosen_longer(90, longer=not longer)])
    balanced = found.kept.filter(rule="sample_pair")
    share = (balanced["chosen"].str.len_chars() > balanced["rejected"].str.len_chars()).mean()
    assert 0.45 <= share <= 0.55
    assert len(balanced) >= 90 + 90
    assert f"{300 / 390 if longer else 90 / 390:.2f} (n = 390)" in step(found, "length_bias")["detail"]


def test_edits_are_reported_and_not_balanced() -> None:
    found = curated([row | {"rule": "edit_pair"} for row in chosen_longer(100, longer=False)])
    assert found.rejected.is_empty()
    assert "not balanced" in step(found, "length_bias")["detail"]
    assert len(curated(chosen_longer(100, longer=False), length_exempt=()).rejected) > 0


def test_among_a_few_pairs_nobody_can_tell_a_bias() -> None:
    assert curated(chosen_longer(19, longer=True)).rejected.is_empty()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Thank you, your parcel is on its way and will be with you on Friday.", "English"),
        (GERMAN, "German"),
        ("Merci, votre colis est en route et il est avec nous pour vous.", "French"),
        ("Gracias, el paquete está en camino y los datos son para usted.", "Spanish"),
        ("日本の天気はいいです", "Chinese or Japanese"),
        ("Ваш заказ в пути", "Cyrillic"),
        ("SELECT a, b FROM t WHERE c = 1", None),
        ("", None),
        (None, None),
    ],
)
def test_a_language_is_told_or_not(text: str | None, expected: str | None) -> None:
    assert spoken(pl.Series([text], dtype=pl.String))[0] == expected


def test_a_second_language_of_a_workload_stays() -> None:
    rows = [pair(f"de{number}", chosen=f"{GERMAN} {number}") for number in range(40)]
    assert curated(rows).rejected.is_empty()


def any_row(chance: random.Random, number: int) -> dict[str, Any]:
    """A record of any kind, honest or bad in any way."""
    row = chance.choice([pair, lambda record: label(record, chance.random() < 0.7)])(f"r{number}")
    bad: list[Callable[[], dict[str, Any]]] = [
        lambda: {"user": f"u{chance.randrange(3)}"},
        lambda: {"prompt": prompt(f"Question {chance.randrange(5)}?")},
        lambda: {"chosen": chance.choice([" ", "Yes.", GERMAN, "x " * 90, "</s> and more"])},
        lambda: {"confidence": chance.random(), "weight": chance.random()},
        lambda: {"barred": True},
        lambda: {"split": chance.choice(["train", "development", "eval"])},
        lambda: {"rule": "sample_pair"} if row["kind"] == "pair" else {},
        lambda: {"prompt": prompt(" ".join([*WORDS[:30], *words(chance, 1, 3)]))},
    ]
    for change in chance.sample(bad, chance.randrange(3)):
        row |= change()
    return row


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(0, 80), order=st.randoms(use_true_random=False))
def test_every_record_is_kept_or_rejected_once_whatever_the_order(seed: int, count: int, order: random.Random) -> None:
    chance = random.Random(seed)
    rows = [any_row(chance, number) for number in range(count)]
    found = curate(frame(rows), NO_ITEMS, rules())
    names = [*found.kept["record"], *found.rejected["record"]]
    assert sorted(names) == sorted(row["record"] for row in rows)
    for steps in found.funnel.sort("place").partition_by("kind"):
        assert (steps["records_in"] == steps["records_out"] + steps["rejected"]).all()
        assert steps["records_out"].to_list()[:-1] == steps["records_in"].to_list()[1:]
        assert steps["records_in"][0] == sum(row["kind"] == steps["kind"][0] for row in rows)
    told = found.rejected.group_by("kind", "rule").len()
    counts = found.funnel.filter(pl.col("rejected") > 0).select("kind", "rule", len="rejected")
    assert told.sort("kind", "rule").equals(counts.sort("kind", "rule").with_columns(pl.col("len").cast(pl.UInt32)))
    order.shuffle(rows)
    again = curate(frame(rows), NO_ITEMS, rules())
    assert again.kept.equals(found.kept)
    assert again.rejected.sort("record").equals(found.rejected.sort("record"))
