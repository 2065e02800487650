"""Promise 5: who is held out stays out, and a cutoff has one dataset."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.capture.events import Event, Message, Outcome
from flywheel.datasets import cut, leaks
from flywheel.datasets.splits import side
from flywheel.errors import Terminal
from tests.flywheel.datasets.made import RULES, derived, edits
from tests.product import accepted, answer, at, edited, rated


def test_no_user_conversation_or_request_is_on_both_sides(tmp_path: Path) -> None:
    made = cut(derived(tmp_path, edits(60)), "drafts", RULES)
    assert not any(leaks(made.rows, made.items, []))
    assert len(made.rows) > 0
    assert all(side("drafts", user, RULES) == "eval" for user in made.items["user"])
    assert all(side("drafts", user, RULES) == split for user, split in made.rows.select("user", "split").iter_rows())


def test_a_training_user_who_asks_what_the_eval_set_asks_is_left_out(tmp_path: Path) -> None:
    same = [answer(f"same{number}", number, user=f"u{number}", request="Where  is MY order?") for number in range(60)]
    feedback = [
        act
        for number in range(60)
        for act in (edited(f"same{number}", "Your order is on its way.", 99), accepted(f"same{number}", 100))
    ]
    made = cut(derived(tmp_path, [*same, *feedback, *edits(20, first=100)]), "drafts", RULES)
    assert len(made.items.filter(pl.col("request").str.contains("MY"))) == 1
    assert len(made.rows) > 0
    assert not made.rows["prompt"].str.contains("MY").any()
    assert made.dataset["pairs"][0] == 80


WISHES = ("Book a table.", "We would eat at eight, by the window.", "Is there room for the whole office tonight?")


def runs(count: int) -> list[Event]:
    """Tries of one task by as many users, each in two turns: every second one works."""
    acts: list[Event] = []
    for number in range(count):
        asked = Message(role="user", content=WISHES[number % len(WISHES)])
        talk: dict[str, Any] = {"conversation": f"run{number}", "user": f"u{number}", "tags": {"run_of": "table"}}
        said = Message(role="assistant", content=f"For how many of you, guest {number}?")
        acts += [
            answer(f"r{number}", number, prompt=[asked], text=said.content, **talk),
            answer(f"s{number}", number + 0.5, parent=f"then{number}", prompt=[asked, said, asked], **talk),
        ]
        solved: dict[str, Any] = {"name": "solved", "value": number % 2, "workload": "drafts"}
        acts.append(Outcome(id=f"end{number}", at=at(number + 1), answer=f"s{number}", **solved))
    return acts


def test_runs_that_worked_are_trained_on_and_pairs_of_runs_are_not(tmp_path: Path) -> None:
    made = cut(derived(tmp_path, [*edits(60), *runs(12)]), "drafts", RULES)
    assert made.dataset["trajectories"].item() == 6 * 6 + 6  # each that worked with each that failed, and those
    shown = made.rows.filter(pl.col("rule").str.starts_with("run_"))
    assert shown["kind"].unique().to_list() == ["demonstration"]
    assert shown["trajectory"].all()
    assert not made.rows.filter(~pl.col("rule").str.starts_with("run_"))["trajectory"].any()
    for said in map(json.loads, shown["chosen"]):
        assert [turn["role"] for turn in said] == ["assistant", "user", "assistant"]


def test_leaks_are_counted_on_each_axis(tmp_path: Path) -> None:
    made = cut(derived(tmp_path, edits(60)), "drafts", RULES)
    stolen = made.rows.head(1).with_columns(
        user=pl.lit(made.items["user"][0]),
        conversation=pl.lit(made.items["conversation"][0]),
        prompt=pl.lit(made.items["prompt"][0]),
    )
    assert leaks(stolen, made.items, []) == (1, 1, 1)


def test_the_same_cutoff_is_the_same_cycle(tmp_path: Path) -> None:
    lake = derived(tmp_path, edits(40))
    first, again = cut(lake, "drafts", RULES), cut(lake, "drafts", RULES)
    assert first.dataset.equals(again.dataset)
    assert len(lake.read("datasets")) == 1


def test_without_anything_sent_there_is_no_eval_set_and_a_sentence(tmp_path: Path) -> None:
    lake = derived(tmp_path, [answer("a")])
    with pytest.raises(Terminal, match="too few held-out users have sent an answer"):
        cut(lake, "drafts", RULES)


def test_the_window_leaves_old_records_out(tmp_path: Path) -> None:
    late = [answer("late", 60 * 24 * 30, user="u-late"), accepted("late", 60 * 24 * 30 + 1)]
    lake = derived(tmp_path, [*edits(60), *late])
    window = RULES.model_copy(update={"records": "window", "window_days": 7})
    assert len(cut(lake, "drafts", RULES).rows) > 0
    assert cut(lake, "drafts", window).rows.is_empty()


@given(users=st.lists(st.text(min_size=1), min_size=1, unique=True))
def test_a_side_depends_on_nothing_but_workload_and_user(users: list[str]) -> None:
    sides = {user: side("drafts", user, RULES) for user in users}
    assert {user: side("drafts", user, RULES) for user in reversed(users)} == sides


def test_the_shares_are_the_settings() -> None:
    sides = [side("drafts", f"user {number}", RULES) for number in range(4000)]
    assert sides.count("eval") / 4000 == pytest.approx(0.3, abs=0.03)
    assert sides.count("development") / 4000 == pytest.approx(0.7 * 0.2, abs=0.03)


def test_labels_are_part_of_a_dataset_and_counted(tmp_path: Path) -> None:
    alone = cut(derived(tmp_path / "alone", edits(60)), "drafts", RULES)
    liked = [rated(f"n{number}", 1.0, number + 3) for number in range(0, 60, 2)]
    lake = derived(tmp_path / "liked", [*edits(60), *liked])
    beside = cut(lake, "drafts", RULES)
    disliked = [rated(f"n{number}", -1.0, number + 3) for number in range(0, 60, 2)]
    against = cut(derived(tmp_path / "disliked", [*edits(60), *disliked]), "drafts", RULES)
    assert alone.rows.drop("dataset").equals(beside.rows.drop("dataset"))
    assert len({made.name for made in (alone, beside, against)}) == 3
    kept = lake.read("dataset_labels").filter(pl.col("split") == "train", dataset=beside.name)
    counted = [made.dataset.select("train_labels", "train_desirable").row(0) for made in (alone, beside, against)]
    assert counted == [(0, 0), (len(kept), len(kept)), (len(kept), 0)]
    assert len(kept) > 0
