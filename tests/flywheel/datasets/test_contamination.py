"""Promise 5: what of the eval set stands in training prompts is found, and honest prompts stay."""

import json
import random

import polars as pl
import pytest

from flywheel.datasets.asked import asked, last_asked
from flywheel.datasets.contamination import contaminated
from tests.flywheel.datasets.rows import NO_ITEMS, edited, items, prompt, words

CHANCE = random.Random(7)
EVAL = [words(CHANCE, 8, 60) for _ in range(400)]
CLEAN = [words(CHANCE, 8, 60) for _ in range(10_000)]
ITEMS = items([" ".join(text) for text in EVAL])


def found(texts: list[str], known: pl.DataFrame = ITEMS) -> pl.Series:
    clean = [prompt(" ".join(text)) for text in CLEAN]
    return contaminated(pl.Series([*clean, *(prompt(text) for text in texts)]), known)


def test_planted_prompts_are_found_and_a_clean_set_stays() -> None:
    exact = [" ".join(CHANCE.choice(EVAL)) for _ in range(250)]
    spelled = [text.upper().replace(" ", "  ") + "?!" if number % 2 else text for number, text in enumerate(exact)]
    near = [edited(CHANCE, text, max(1, len(text) // 15)) for text in (CHANCE.choice(EVAL) for _ in range(250))]
    why = found([*spelled, *(" ".join(text) for text in near)])
    clean, of_exact, of_near = why.head(10_000), why.slice(10_000, 250), why.tail(250)
    assert of_exact.eq("an eval item asks the same").sum() == 250
    assert of_near.is_not_null().sum() >= 0.95 * 250
    assert clean.is_not_null().sum() <= 0.001 * 10_000


ITEM = (
    "Please tell me why the second invoice of March was sent to my old address in Graz although I wrote to you in time"
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            f"Hello, a friend of mine gave me this to ask: {ITEM}. Thanks a lot and have a nice day.",
            "13 words in a row",
        ),
        (ITEM.replace("second", "third").replace("although", "when").replace("Graz", "Linz"), "nearly the same"),
        (ITEM.replace("Please tell me why", "Why was it that"), "13 words in a row"),
        ("Please tell me why the second parcel of April has not come although I paid in time", None),
        ("Why", None),
        ("", None),
    ],
)
def test_a_long_run_and_small_edits_are_told_apart(text: str, why: str | None) -> None:
    told = found([text], items([ITEM]))[-1]
    assert told is None if why is None else why in told


def test_what_many_people_write_contaminates_nothing() -> None:
    footer = "this message may contain confidential information and is intended only for the person it is addressed to"
    asks = [f"{' '.join(text)} {footer}" for text in CLEAN[:600]]
    known = items([f"{' '.join(EVAL[0])} {footer}"])
    assert found([*asks, " ".join(EVAL[0])], known).is_not_null().sum() == 1


def test_an_edited_turn_inside_a_longer_talk_is_found() -> None:
    talk = [
        {"role": "user", "content": ITEM.replace("second", "third")},
        {"role": "assistant", "content": "I do not know."},
        {"role": "user", "content": "Then who does?"},
    ]
    assert contaminated(pl.Series([json.dumps(talk)]), items([ITEM]))[0] is not None


def test_a_short_request_at_the_end_of_a_talk_is_found() -> None:
    talk = [{"role": role, "content": text} for role, text in (("user", "Hi"), ("assistant", "Yes?"), ("user", "WHY?"))]
    asked = pl.Series([json.dumps(talk), json.dumps(talk[:1])])
    assert contaminated(asked, items(["Why"])).to_list() == ["an eval item asks the same", None]
    assert contaminated(asked, items(["", "Who"])).null_count() == 2


def test_without_items_or_prompts_nothing_is_contaminated() -> None:
    assert found(["anything"], NO_ITEMS).null_count() == len(CLEAN) + 1
    assert contaminated(pl.Series([], dtype=pl.String), ITEMS).is_empty()


@pytest.mark.parametrize(
    ("messages", "whole", "last"),
    [
        ([("system", "Be kind"), ("user", "One"), ("assistant", "A"), ("user", "Two")], "One\nTwo", "Two"),
        ([("user", "One"), ("tool", "found 3")], "One", "found 3"),
        ([("system", "Write a poem")], "Write a poem", "Write a poem"),
        ([("user", None), ("user", 'a "b" \n c')], 'a "b" \n c', ""),
        ([], "", ""),
    ],
)
def test_what_was_asked_is_what_the_user_said(messages: list[tuple[str, str | None]], whole: str, last: str) -> None:
    written = pl.Series([json.dumps([{"role": role, "content": content} for role, content in messages])])
    assert (asked(written)[0], last_asked(written)[0]) == (whole, last)
