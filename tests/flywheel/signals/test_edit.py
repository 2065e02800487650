"""How much of a text changed, by words, and when another text is still about the same."""

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from flywheel import signals
from flywheel.signals.edit import distances
from tests.product import accepted, answer, edited, read, take

WORDS = st.lists(st.sampled_from(["the", "order", "is", "late", "on", "its", "way", "sorry"]), max_size=12)


def distance(before: str, after: str) -> float:
    return distances(pl.DataFrame({"response": [before], "text": [after]})).item()


def changes(before: list[str], after: list[str]) -> int:
    """The textbook's table, a row at a time."""
    row = list(range(len(after) + 1))
    for n, word in enumerate(before, 1):
        last, row[0] = row[0], n
        for m, other in enumerate(after, 1):
            last, row[m] = row[m], min(row[m] + 1, row[m - 1] + 1, last + (word != other))
    return row[-1]


def edit(home: Path, before: str, after: str, request: str = "order?") -> tuple[str, float] | None:
    """What is read of this edit: its detail and its weight."""
    lake = take(home, [answer("a", request=request, text=before), edited("a", after, 1), accepted("a", 2)])
    signals.catch_up(lake, read(home))
    rows = lake.read("signals").filter(kind="edit").select("detail", "weight").rows()
    return rows[0] if rows else None


@examples(max_examples=50, deadline=None)
@given(before=WORDS, after=WORDS)
def test_the_distance_is_the_least_number_of_changed_words_over_the_longer_text(
    before: list[str], after: list[str]
) -> None:
    told = distance(" ".join(before), "  ".join(after))
    assert told == pytest.approx(changes(before, after) / max(len(before), len(after), 1))


@examples(max_examples=50, deadline=None)
@given(texts=st.lists(st.tuples(WORDS, WORDS), max_size=8))
def test_many_at_once_are_each_by_itself(texts: list[tuple[list[str], list[str]]]) -> None:
    pairs = [(" ".join(before), " ".join(after)) for before, after in texts]
    frame = pl.DataFrame(pairs, schema={"response": pl.String, "text": pl.String}, orient="row")
    assert distances(frame).to_list() == [distance(*pair) for pair in pairs]


def test_a_script_without_spaces_has_a_word_in_every_sign() -> None:
    assert distance("你的订单已发货", "你的订单未发货") == pytest.approx(1 / 7)


def test_json_is_compared_by_what_it_says() -> None:
    before = {"person": ["Anna Berg"], "place": []}
    assert distance(json.dumps(before), json.dumps(before, indent=2, sort_keys=True)) == 0
    assert distance('{"b": 1, "a": 2}', '{"a": 2, "b": 1}') == 0
    assert distance('{"a": ["x"], "b": []}', '{"a": [], "b": ["x"]}') > 0  # only the structure changed
    assert distance("{not json}", "{not  json}") == 0


def test_a_mended_typo_is_no_edit(tmp_path: Path) -> None:
    draft = "word " * 60
    assert edit(tmp_path, draft + "teh", draft + "the") is None


@pytest.mark.parametrize(
    ("before", "after", "read_as"),
    [
        ("word " * 19 + "old", "word " * 19 + "new", ("small", 0.3)),
        ("Your order is late.", "Your order is here.", ("edit", 1.0)),
        (
            "We are sorry that shipment number 48213 arrived damaged at your address yesterday morning.",
            "Shipment 48213 damaged: replacement leaves today, address unchanged, no cost, thank you.",
            ("rework", 1.0),
        ),
        ("billing question", "refund request", ("rework", 1.0)),
        (
            "We are sorry that shipment number 48213 arrived damaged at your address yesterday morning.",
            "Minutes: Anna opens at nine, Ben tells of the fair, lunch follows, then the new hall is voted on.",
            ("rewrite", 0.0),
        ),
    ],
    ids=["small", "edit", "rework", "labels", "rewrite"],
)
def test_how_much_was_changed_decides_the_weight(
    tmp_path: Path, before: str, after: str, read_as: tuple[str, float]
) -> None:
    assert edit(tmp_path, before, after, "Draft something.") == read_as


def test_another_text_about_what_was_asked_is_the_same_task(tmp_path: Path) -> None:
    before, after = (
        "Leaves whisper softly, autumn paints the quiet hills",
        "Gold rains upon stones while october sleeps",
    )
    assert edit(tmp_path, before, after, "a haiku about the weather") == ("rewrite", 0.0)
    assert edit(tmp_path / "asked", before, after + " in october", "a haiku about october") == ("rework", 1.0)
