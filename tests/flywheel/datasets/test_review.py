"""What a person says of a doubtful record is what the next dataset does with it."""

import json
from pathlib import Path

import polars as pl
import pytest

from flywheel.datasets import cut
from flywheel.datasets.review import draw, reviewed, take
from flywheel.datasets.splits import side
from flywheel.errors import BadInput
from flywheel.lake import Lake
from tests.flywheel.datasets.made import RULES, derived, edits
from tests.product import edited
from tests.test_cli import flywheel, told


def labelled(lines: list[dict], label: bool | None) -> list[str]:
    return [json.dumps({**line, "label": label}) for line in lines]


def test_the_least_sure_come_first_and_nobody_held_out(tmp_path: Path) -> None:
    lake = derived(tmp_path, edits(60))
    pairs = lake.read("pairs").sort("id")
    sure = [0.5 + number / 1000 for number in range(len(pairs))]
    lake.replace("pairs", pairs.with_columns(confidence=pl.Series(sure)), {"workload": ["drafts"]})
    lines = draw(lake, "drafts", RULES, 10)
    doubts = [abs(line["confidence"] - 0.5) for line in lines]
    assert doubts == sorted(doubts)
    users = dict(pairs.select("id", "user").iter_rows())
    assert {side("drafts", users[line["record"]], RULES) for line in lines} <= {"train", "development"}


def test_a_no_leaves_the_dataset_and_a_yes_stays(tmp_path: Path) -> None:
    lake = derived(tmp_path, edits(60))
    before = cut(lake, "drafts", RULES)
    lines = draw(lake, "drafts", RULES, 6)
    taken = take(lake, "drafts", [*labelled(lines[:2], False), *labelled(lines[2:4], True), *labelled(lines[4:], None)])
    assert taken == (4, 2, [])
    after = cut(lake, "drafts", RULES)
    assert set(before.rows["record"]) - set(after.rows["record"]) == {line["record"] for line in lines[:2]}
    assert after.name != before.name
    refused = lake.read("rejected").filter(rule="refused")
    assert sorted(refused.select("record", "reason").rows()) == sorted(
        (line["record"], "a person said no to it") for line in lines[:2]
    )
    first = lake.read("funnel").filter(place=1).select("kind", "records_in").rows()
    assert dict(first) == {"pair": after.dataset["pairs"][0], "demonstration": after.dataset["demonstrations"][0]}
    assert not {line["record"] for line in lines[:4]} & {line["record"] for line in draw(lake, "drafts", RULES, 99)}


def test_of_what_a_person_confirmed_the_wheel_is_sure() -> None:
    records = pl.DataFrame({"id": ["a", "b", "c"], "confidence": [0.5, 0.6, 0.7]})
    said = reviewed(records, pl.DataFrame({"record": ["a", "b"], "label": [True, False]}))
    assert said.select("id", "confidence", "refused").rows() == [("a", 1, False), ("b", 0.6, True), ("c", 0.7, False)]


def test_a_label_given_again_replaces_the_one_before(tmp_path: Path) -> None:
    lake = derived(tmp_path, edits(60))
    lines = draw(lake, "drafts", RULES, 1)
    for label in (True, False):
        take(lake, "drafts", labelled(lines, label))
    assert lake.read("reviews")["label"].to_list() == [False]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"label": "yes"}, "neither true, false nor null"),
        ({"record": "gone"}, "no such record"),
        ({"says": "else"}, "no such record"),
        ({"record": None}, "not a line that was drawn"),
    ],
)
def test_a_bad_line_is_told_and_the_others_are_kept(change: dict, says: str, tmp_path: Path) -> None:
    lake = derived(tmp_path, edits(40))
    first, second = draw(lake, "drafts", RULES, 2)
    taken = take(lake, "drafts", [json.dumps({**first, "label": True, **change}), *labelled([second], True), "no JSON"])
    assert (taken.labelled, len(taken.bad)) == (1, 2)
    assert says in taken.bad[0]
    assert taken.bad[1].startswith("line 3: not JSON")


def test_a_text_with_odd_line_ends_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    acts = [*edits(40), edited("n1", "Order 1\u2028is\x85 on its way.", 3)]
    lake = derived(tmp_path / "home", acts)
    drawn = told(tmp_path, "review", "draw", "drafts", "--n", "200")
    path = Path(drawn["file"])
    assert "\u2028" in path.read_text()
    path.write_text(path.read_text().replace('"label": null', '"label": true'))
    assert told(tmp_path, "review", "take", "drafts", path)["labelled"] == drawn["drawn"] == len(lake.read("reviews"))


def test_without_records_there_is_nothing_to_review(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nobody has reviewed"):
        draw(Lake(tmp_path), "drafts", RULES, 5)


def test_the_command_line_draws_and_takes(tmp_path: Path) -> None:
    lake = derived(tmp_path / "home", edits(40))
    drawn = told(tmp_path, "review", "draw", "drafts", "--n", "3")
    path = Path(drawn["file"])
    path.write_text(path.read_text().replace('"label": null', '"label": false', 1))
    assert told(tmp_path, "review", "take", "drafts", path) == {"labelled": 1, "unlabelled": 2, "bad": 0}
    assert len(lake.read("reviews")) == 1
    kept = labelled([json.loads(line) for line in path.read_text().splitlines()], True)
    path.write_text("\n".join(kept))
    again = told(tmp_path, "review", "draw", "drafts", "--n", "3")
    assert again["file"] != drawn["file"]
    refused = flywheel(tmp_path, "review", "draw", "drafts", "--n", "3", "--out", path)
    assert (refused.returncode, path.read_text().splitlines()) == (2, kept)
    ended = flywheel(tmp_path, "review", "take", "drafts", tmp_path / "nothing")
    assert (ended.returncode, b"Traceback" in ended.stderr) == (2, False)
