"""A product that puts a form into every user's message: the form makes nothing alike, form and filling together do."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.capture.events import Event, Message
from flywheel.datasets import cut, frozen_forms, leaks, near
from flywheel.datasets.contamination import contaminated
from flywheel.datasets.forms import FEW, common, covered, filling
from flywheel.datasets.grams import normalised
from flywheel.datasets.splits import side
from flywheel.lake import Lake
from tests.flywheel.datasets.made import RULES, derived
from tests.flywheel.datasets.rows import WORDS, edited, items, prompt
from tests.product import accepted, answer
from tests.product import edited as changed

CHANCE = random.Random(11)
FORM = WORDS[4900:4960]
"""60 words that everybody's message has."""
WALLS = ["two_sides", "contaminated", "near_duplicates"]


def filled(words: Sequence[str]) -> list[str]:
    return [*FORM, *words]


def short(chance: random.Random) -> list[str]:
    return filled([chance.choice(WORDS[:4800]) for _ in range(chance.randint(5, 6))])


TEXTS = [short(CHANCE) for _ in range(200)]
FORMS = sorted(" ".join(FORM[start : start + 5]) for start in range(len(FORM) - 4))


@pytest.mark.parametrize(
    ("users", "texts", "expected"),
    [
        ([f"u{n}" for n in range(200)], TEXTS, FORMS),
        ([f"u{n}" for n in range(FEW - 1)], TEXTS[: FEW - 1], []),  # too few to tell
        ([*["busy"] * 60, *(f"u{n}" for n in range(140))], [*TEXTS[:60], *(t[60:] for t in TEXTS[60:])], []),
        ([f"u{n}" for n in range(200)], [*TEXTS[:30], *(t[60:] for t in TEXTS[30:])], []),  # less than a fifth
        ([f"u{n}" for n in range(220)], [*[TEXTS[0]] * 110, *(t[60:] for t in TEXTS[90:])], []),  # one question of many
    ],
)
def test_what_a_fifth_of_talks_and_users_have_is_a_form(
    users: list[str], texts: list[list[str]], expected: list[str]
) -> None:
    asked = [prompt(" ".join(text)) for text in texts]
    assert common(pl.DataFrame({"user": users, "prompt": asked})) == expected


def test_a_filling_is_what_stands_outside_the_form() -> None:
    assert filling(filled(["my", "own", "words"]), set(FORMS)) == ["my", "own", "words"]
    assert filling(["my", *FORM[:5], "own"], set(FORMS)) == ["my", "own"]
    assert filling(FORM, set(FORMS)) == FORM  # nothing was filled in
    assert covered(["my", "own"], set(FORMS)) == [False, False]


def repeats(texts: list[list[str]], known: list[list[str]], forms: Sequence[str] = FORMS) -> list[bool]:
    ours, theirs = (pl.Series([" ".join(text) for text in side], dtype=pl.String) for side in (texts, known))
    return near.repeats(ours, theirs, forms).to_list()


def test_at_the_wall_the_form_alone_makes_none_alike_and_form_with_filling_does() -> None:
    one, other = TEXTS[:100], TEXTS[100:]
    assert all(repeats(one, other, []))
    assert not any(repeats(one, other))
    assert all(repeats([[word.upper() for word in text] for text in one], TEXTS))
    touched = [[*text[:20], "else", *text[21:]] for text in one]
    assert all(repeats(touched, one))
    assert not any(repeats(touched, other))


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.lists(st.sampled_from("abc"), max_size=9), max_size=6),
    known=st.lists(st.lists(st.sampled_from("abc"), max_size=9), max_size=6),
    before=st.integers(0, 30),
)
def test_repeats_are_those_of_the_plain_way(texts: list[list[str]], known: list[list[str]], before: int) -> None:
    ours, theirs = ([[*FORM[:before], *text] for text in side] for side in (texts, known))
    expected = [any(one == other or alike(one, other) for other in theirs) for one in ours]
    assert repeats(ours, theirs) == expected


def alike(one: list[str], other: list[str]) -> bool:
    sides = [
        {" ".join(text[n : n + 5]) for n in range(max(1, len(text) - 4))} if text else set() for text in (one, other)
    ]
    own = [runs - set(FORMS) or runs for runs in sides]
    return jaccard(*sides) >= near.JACCARD and jaccard(*own) >= near.FILLED


def jaccard(one: set[Any], other: set[Any]) -> float:
    return len(one & other) / len(one | other) if one and other else 0.0


def test_planted_copies_of_filled_forms_are_found_and_honest_ones_stay() -> None:
    chance = random.Random(3)
    held, honest = TEXTS[:50], [short(chance) for _ in range(2000)]
    exact = [chance.choice(held) for _ in range(250)]
    close = [edited(chance, chance.choice(held), 3) for _ in range(250)]
    asked = pl.Series([prompt(" ".join(text)) for text in (*honest, *exact, *close)])
    why = contaminated(asked, items([" ".join(text) for text in held]), FORMS)
    assert why.slice(2000, 250).eq("an eval item asks the same").sum() == 250
    assert why.tail(250).is_not_null().sum() >= 0.95 * 250
    assert why.head(2000).is_not_null().sum() <= 0.001 * 2000


def test_an_item_of_signs_alone_stops_nothing() -> None:
    """Python's blanks are more than the one that stands between words."""
    asked = pl.Series([prompt(" ".join(text)) for text in TEXTS[:3]])
    signs = "!\x1c" * 12
    assert contaminated(asked, items([signs, " ".join(TEXTS[0])]), FORMS).is_not_null().to_list() == [
        True,
        False,
        False,
    ]
    assert contaminated(pl.Series([prompt(signs)]), items([signs]), FORMS)[0] == "an eval item asks the same"


def test_few_records_of_a_form_are_not_taken_for_its_items() -> None:
    """Among few of them nothing says what is common; what was frozen does."""
    asked = pl.Series([prompt(" ".join(text)) for text in TEXTS[:8]])
    known = items([" ".join(text) for text in TEXTS[100:]])
    assert contaminated(asked, known, FORMS).null_count() == 8
    assert contaminated(asked, known).null_count() == 0


def test_fillings_that_begin_alike_are_told_apart() -> None:
    bicycle = filled(["the", "late", "delivery", "of", "a", "red", "bicycle", "to", "graz", "last", "week"])
    sofa = filled(["the", "late", "delivery", "of", "a", "sofa", "and", "chairs", "for", "our", "office"])
    found = contaminated(pl.Series([prompt(" ".join(sofa))]), items([" ".join(bicycle)]), FORMS)
    assert found[0] is None


def drafts(fillings: list[list[str]], *, first: int = 0) -> list[Event]:
    """Users who fill in the form, each once, edit what they get and send it."""
    acts: list[Event] = []
    for number, words in enumerate(fillings, first):
        name, asked = f"f{number}", " ".join(words)
        acts += [answer(name, number, user=f"u{number}", prompt=[Message(role="user", content=asked)])]
        acts += [changed(name, "Your order is on its way.", number + 1), accepted(name, number + 2)]
    return acts


def plain() -> pl.Expr:
    return pl.col("prompt").str.json_path_match("$[0].content").map_batches(normalised, return_dtype=pl.String)


def rejected(lake: Lake, cycle: int) -> list[str]:
    """Why walls rejected records for what they ask; a record that would steer and is too old is no such one."""
    gone = lake.read("rejected").filter(pl.col("rule").is_in(WALLS), cycle=cycle)
    return gone.filter(~pl.col("reason").str.contains("is old"))["reason"].to_list()


def test_a_product_with_a_form_keeps_its_records_and_its_wall(tmp_path: Path) -> None:
    rules = RULES.model_copy(update={"development": 0.001})  # so that none is left out for being old
    lake = derived(tmp_path, drafts(TEXTS))
    first = cut(lake, "drafts", rules)
    assert frozen_forms(lake, "drafts") == FORMS
    assert len(first.rows) > 100
    assert len(rejected(lake, 1)) <= 0.01 * len(first.rows)
    chance, held = random.Random(5), [json.loads(said)[0]["content"].split() for said in first.items["prompt"]]
    copies = [each if n < 50 else edited(chance, each, 3) for n, each in enumerate(chance.choices(held, k=150))]
    honest = [short(chance) for _ in range(100)]
    second = cut(derived(tmp_path, drafts([*copies, *honest], first=200)), "drafts", rules)
    whose = {said: side("drafts", user, rules) for said, user in lake.read("pairs").select(plain(), "user").iter_rows()}
    trained = set(second.rows.select(plain()).to_series())

    def left(texts: list[list[str]]) -> tuple[int, int]:
        """How many of these train, of those whose user might."""
        said = [text for text in normalised(pl.Series([" ".join(words) for words in texts])) if whose[text] == "train"]
        return sum(text in trained for text in said), len(said)

    assert left(copies[:50])[0] == 0
    kept, of = left(copies[50:])
    assert kept <= 0.05 * of
    kept, of = left(honest)
    assert kept >= 0.99 * of
    assert of > 50
    assert leaks(second.rows, lake.read("eval_items"), FORMS) == (0, 0, 0)


def test_the_forms_stay_as_they_were_frozen(tmp_path: Path) -> None:
    lake = derived(tmp_path, drafts(TEXTS))
    cut(lake, "drafts", RULES)
    other = [[*FORM[30:], *FORM[:30], *short(CHANCE)[60:]] for _ in range(150)]
    cut(derived(tmp_path, drafts(other, first=200)), "drafts", RULES)
    versions = lake.read("eval_sets").filter(role="eval").sort("version")
    assert len(versions) > 1
    assert all(each == FORMS for each in versions["forms"].to_list())
