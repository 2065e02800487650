"""The card says what is in a dataset, and every export has as many lines as the card says."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from datasets import load_from_disk

from flywheel.datasets import Cut, advance, cut, keep_card
from flywheel.datasets.card import latest, longer
from flywheel.datasets.export import FORMATS, exported, write
from flywheel.errors import BadInput, Terminal
from flywheel.lake import Lake
from tests.flywheel.datasets.made import RULES, derived, edits
from tests.product import accepted, answer, rated


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return derived(tmp_path_factory.mktemp("cards"), edits(90))


@pytest.fixture(scope="module")
def made(lake: Lake) -> Cut:
    return cut(lake, "drafts", RULES)


@pytest.fixture(scope="module")
def told(lake: Lake, made: Cut) -> dict[str, Any]:
    return keep_card(lake, "drafts")


def test_the_card_counts_what_is_there(lake: Lake, made: Cut, told: dict[str, Any]) -> None:
    train = made.rows.filter(split="train")
    assert sum(told["counts"].values()) == len(made.rows)
    assert told["rules"] == dict(train["rule"].value_counts().sort("rule").iter_rows())
    assert told["hashes"]["dataset"] == made.name
    assert told["hashes"]["eval_set"] == made.items["eval_set"][0]
    assert told["users"]["users"] == train["user"].n_unique()
    assert told["users"]["curve"][-1] == 1
    assert told["users"]["curve"] == sorted(told["users"]["curve"])
    (row,) = lake.read("cards").to_dicts()
    assert json.loads(row["card"])["counts"] == told["counts"]


def test_the_funnel_of_the_card_is_the_one_curation_wrote(lake: Lake, made: Cut, told: dict[str, Any]) -> None:
    steps = lake.read("funnel").filter(cycle=made.cycle).sort("place")
    for kind in ("pair", "demonstration"):
        of_kind, left = steps.filter(kind=kind), told["funnel"][kind]
        assert left["records"] == of_kind["records_in"][0] == made.dataset[f"{kind}s"][0]
        assert list(left.values())[-1] == len(made.rows.filter(kind=kind)) < left["records"]
        rejecting = of_kind.filter(pl.col("rejected") > 0)
        assert {rule: left[rule] for rule in rejecting["rule"]} == dict(
            rejecting.select("rule", "records_out").iter_rows()
        )


def test_a_dataset_without_rows_has_a_card_too(tmp_path: Path) -> None:
    later = 60 * 24 * 30
    lake = derived(tmp_path, [*edits(60), answer("late", later, user="u-late"), accepted("late", later + 1)])
    window = RULES.model_copy(update={"records": "window", "window_days": 7})
    assert cut(lake, "drafts", window).rows.is_empty()
    told = keep_card(lake, "drafts")
    assert (told["users"], told["repeated"]) == ({"users": 0, "top": None, "curve": []}, None)
    assert told["longer"]["after"]["n"] == 0


def test_the_card_names_the_eval_set_the_dataset_was_kept_away_from(tmp_path: Path) -> None:
    lake = derived(tmp_path, edits(60))
    made = cut(lake, "drafts", RULES)
    after = advance(lake, "drafts", RULES, forget=[made.items["item"][0]])
    assert keep_card(lake, "drafts")["hashes"]["eval_set"] == made.items["eval_set"][0] != after["eval_set"][0]


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_has_as_many_lines_as_the_card_says(
    format: str, lake: Lake, told: dict[str, Any], tmp_path: Path
) -> None:
    _, rows, labels = latest(lake, "drafts")
    lines = write(rows, labels, format, tmp_path / "out")
    for split, counts in told["exports"].items():
        count = counts[format]
        text = (tmp_path / "out" / f"{split}.jsonl").read_text()
        assert text.count("\n") == count == lines[f"{split}.jsonl"]
        assert count > 0
        assert len(load_from_disk(tmp_path / "out" / "hf")[split]) == count


def test_exports_are_what_trl_reads(lake: Lake, made: Cut, tmp_path: Path) -> None:
    _, rows, labels = latest(lake, "drafts")
    first = {}
    for format in ("trl-sft", "trl-dpo", "trl-kto"):
        write(rows, labels, format, tmp_path / format)
        first[format] = json.loads((tmp_path / format / "train.jsonl").read_text().splitlines()[0])
    assert {name: set(line) for name, line in first.items()} == {
        "trl-sft": {"prompt", "completion"},
        "trl-dpo": {"prompt", "chosen", "rejected"},
        "trl-kto": {"prompt", "completion", "label"},
    }
    assert first["trl-dpo"]["prompt"][-1]["role"] == "user"
    assert first["trl-dpo"]["chosen"][0]["content"].startswith("Order")
    assert first["trl-dpo"]["rejected"][0]["content"].startswith("Sorry")


def test_what_people_thought_of_an_answer_is_exported_as_they_said_it(tmp_path: Path) -> None:
    opinions = [rated(f"n{number}", -1 if number % 3 else 1, number + 3) for number in range(60)]
    lake = derived(tmp_path, [*edits(60), *opinions])
    cut(lake, "drafts", RULES)
    told, (_, rows, labels) = keep_card(lake, "drafts"), latest(lake, "drafts")
    kept = labels.filter(pl.col("weight") > 0)
    assert 0 < len(kept) < 60
    for split, counts in told["exports"].items():
        lines = exported(rows, labels, "trl-kto")[split]
        mine = kept.filter(split=split).sort("record")
        assert [line["label"] for line in lines] == mine["desirable"].to_list()
        assert [line["completion"][0]["content"] for line in lines] == mine["response"].to_list()
        assert counts["trl-kto"] == len(lines) > 0
    held = {user for user in lake.read("eval_items")["user"]}
    assert not held & set(labels["user"])


@pytest.mark.parametrize("format", FORMATS)
def test_a_control_token_that_somebody_typed_is_text_in_trl_s_formats(
    lake: Lake, made: Cut, tmp_path: Path, format: str
) -> None:
    _, rows, labels = latest(lake, "drafts")
    typed = [pl.col(name) + "<|end|>" for name in ("chosen", "rejected")]
    rows = rows.with_columns(*typed, prompt=pl.col("prompt").str.replace('"content": ?"', '"content": "<|user|>'))
    labels = labels.with_columns(response=pl.col("response") + "<|end|>")
    write(rows, labels, format, tmp_path, control=["<|end|>", "<|user|>"])
    text = (tmp_path / "train.jsonl").read_text()
    assert ("<|user|>" in text, "<|end|>" in text) == (format == "jsonl",) * 2
    assert text.count("< |user|>") == (0 if format == "jsonl" else len(text.splitlines()))
    assert "< |end|>" in text or format == "jsonl"


def test_a_folder_that_holds_something_else_is_left_alone(lake: Lake, made: Cut, tmp_path: Path) -> None:
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "thesis.txt").write_text("mine")
    with pytest.raises(BadInput, match="something else"):
        write(*latest(lake, "drafts")[1:], "jsonl", tmp_path)
    assert (tmp_path / "hf" / "thesis.txt").read_text() == "mine"


def test_without_a_dataset_there_is_no_card(tmp_path: Path) -> None:
    with pytest.raises(Terminal, match="no dataset yet"):
        keep_card(Lake(tmp_path), "drafts")


def test_length_is_told_with_its_interval_and_n() -> None:
    pairs = pl.DataFrame({"chosen": ["a b c", "a", "a b", "a"], "rejected": ["a", "a b", "a", "b"]})
    found = longer(pairs)
    assert (found["share"], found["n"]) == (pytest.approx(2 / 3), 3)
    assert found["low"] == pytest.approx(0.2077, abs=1e-3)
    assert found["high"] == pytest.approx(0.9385, abs=1e-3)
    assert longer(pairs.clear())["share"] is None
