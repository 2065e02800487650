"""The frozen sets: what was frozen stays, what is fresh comes beside it, nobody stands on both sides of the seal."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.datasets import advance, cut, frozen, frozen_forms, sealed
from flywheel.datasets.evalset import standing
from flywheel.datasets.near import repeats
from flywheel.datasets.sampling import allotted, drawn
from flywheel.errors import BrokenInvariant, Terminal
from flywheel.lake import Lake
from flywheel.settings import Check, Gate, Workload
from tests.flywheel.datasets.made import RULES, derived, edits
from tests.product import answer, rated


def ruled(**changes: Any) -> Workload:
    return RULES.model_copy(update=changes)


def versions(lake: Lake, role: str = "eval") -> pl.DataFrame:
    return lake.read("eval_sets").filter(role=role).sort("version")


def test_fresh_items_come_beside_the_old_ones(tmp_path: Path) -> None:
    before = cut(derived(tmp_path, edits(40)), "drafts", RULES)
    after = cut(derived(tmp_path, edits(40, first=40)), "drafts", RULES)
    old, new = set(before.items["item"]), set(after.items["item"])
    assert old < new
    assert after.items["eval_set"][0] != before.items["eval_set"][0]
    last = versions(Lake(tmp_path)).row(-1, named=True)
    assert (last["before"], set(last["added"])) == (before.items["eval_set"][0], new - old)
    assert (before.cycle, after.cycle) == (1, 2)
    assert before.name != after.name


def test_nothing_fresh_leaves_the_set_as_it_was(tmp_path: Path) -> None:
    before = cut(derived(tmp_path, edits(40)), "drafts", ruled(fresh_items=0))
    after = cut(derived(tmp_path, edits(40, first=40)), "drafts", ruled(fresh_items=0))
    assert before.items.equals(after.items)


def test_no_more_is_fresh_than_was_asked_for(tmp_path: Path) -> None:
    few = ruled(eval_items=16, gate=Gate(min_users=2, sealed_items=0))  # an eighth of 16 is 2
    before = advance(derived(tmp_path, edits(90)), "drafts", few)
    after = advance(derived(tmp_path, edits(60, first=90)), "drafts", few)
    assert (len(before), len(after)) == (16, 18)
    fresh = after.filter(~pl.col("item").is_in(before["item"].implode()))
    assert {int(request.strip("?").rpartition("n")[2]) >= 90 for request in fresh["request"]} == {
        True
    }  # what came since


def test_a_set_that_outgrew_its_size_retires_what_was_looked_at_most(tmp_path: Path) -> None:
    rules = ruled(eval_items=8, fresh_items=3, gate=Gate(min_users=2, sealed_items=0))
    lake = derived(tmp_path, edits(90))
    first = cut(lake, "drafts", rules).items
    seen = sorted(first["item"])[-2:]
    looked(lake, seen, role="eval", eval_set=first["eval_set"][0])
    after = cut(derived(tmp_path, edits(60, first=90)), "drafts", rules).items
    last = versions(lake).row(-1, named=True)
    assert sorted(last["retired"]) == seen  # a quarter of 8
    assert (last["why"], len(after)) == ("3 fresh, 2 rotated out", 9)
    retired = lake.read("eval_items").filter(role="retired")
    assert sorted(retired["item"]) == seen  # their texts stay for the bridge
    assert retired["request"].is_in(first["request"].implode()).all()


def test_retired_items_never_come_back(tmp_path: Path) -> None:
    rules = ruled(eval_items=8, fresh_items=3, gate=Gate(min_users=2, sealed_items=0))
    ever: set[str] = set()
    for turn in range(4):
        cut(derived(tmp_path, edits(40, first=40 * turn)), "drafts", rules)
        now = versions(Lake(tmp_path)).row(-1, named=True)
        assert not set(now["added"]) & ever
        ever |= set(now["added"])
    assert versions(Lake(tmp_path))["retired"].list.len().sum() > 0


def sets(items: pl.DataFrame) -> list[str]:
    return items["eval_set"].unique().to_list()


def looked(lake: Lake, items: list[str], *, role: str, eval_set: str, cycle: int = 1) -> None:
    row = {"workload": "drafts", "look": 1, "role": role, "eval_set": eval_set, "candidate": "c", "champion": "b"}
    lake.add("looks", pl.DataFrame([row | {"cycle": cycle, "terms": "", "alpha": 0.01, "items": items, "digest": ""}]))


@pytest.mark.parametrize("column", ["reference", "prompt", "slice", "stratum", "weight"])
def test_one_changed_byte_stops_everything(tmp_path: Path, column: str) -> None:
    lake = derived(tmp_path, edits(40))
    items = advance(lake, "drafts", RULES)
    other = pl.col(column) + 0.000001 if column == "weight" else pl.col(column) + "x"
    first = pl.col("item") == items["item"][0]
    lake.replace(
        "eval_items",
        items.with_columns(pl.when(first).then(other).otherwise(column).alias(column)),
        {"workload": ["drafts"]},
    )
    for stage in (frozen, advance, cut):
        with pytest.raises(BrokenInvariant, match="frozen eval set of drafts has changed"):
            stage(lake, "drafts", RULES)


def rotated(home: Path) -> Lake:
    """A lake whose eval set has retired two items."""
    rules = ruled(eval_items=8, fresh_items=3, gate=Gate(min_users=2, sealed_items=0))
    advance(derived(home, edits(90)), "drafts", rules)
    advance(derived(home, edits(60, first=90)), "drafts", rules)
    return Lake(home)


@pytest.mark.parametrize("column", ["item", "reference", "stratum", "weight", "removed", "brought"])
def test_one_changed_byte_in_what_retired_stops_everything(tmp_path: Path, column: str) -> None:
    lake = rotated(tmp_path)
    rows, retired = lake.read("eval_items"), pl.col("role") == "retired"
    assert len(rows.filter(retired)) == 2
    frozen(lake, "drafts", RULES)
    first = pl.col("item") == rows.filter(retired)["item"].min()
    if column == "removed":
        rows = rows.filter(~first)
    elif column == "brought":
        rows = pl.concat([rows, rows.filter(first).with_columns(item=pl.lit("planted"))])
    else:
        other = pl.col(column) + 0.000001 if column == "weight" else pl.col(column) + "x"
        rows = rows.with_columns(pl.when(first).then(other).otherwise(column).alias(column))
    lake.replace("eval_items", rows, {"workload": ["drafts"]})
    for stage in (frozen, advance, cut):
        with pytest.raises(BrokenInvariant, match="what retired from the frozen sets of drafts has changed"):
            stage(lake, "drafts", RULES)
    with pytest.raises(BrokenInvariant):
        frozen_forms(lake, "drafts")


def test_forms_that_were_changed_stop_everything(tmp_path: Path) -> None:
    lake = derived(tmp_path, edits(40))
    advance(lake, "drafts", RULES)
    planted = versions(lake).with_columns(forms=pl.lit(["where is my order please"]))
    lake.replace("eval_sets", planted, {"workload": ["drafts"], "role": ["eval"]})
    with pytest.raises(BrokenInvariant, match="frozen eval set of drafts has changed"):
        cut(lake, "drafts", RULES)


@pytest.mark.parametrize("left", [0, -1])
def test_a_removed_item_stops_everything(tmp_path: Path, left: int) -> None:
    lake = derived(tmp_path, edits(40))
    items = advance(lake, "drafts", RULES)
    lake.replace("eval_items", items.clear() if left == 0 else items.tail(left), {"workload": ["drafts"]})
    with pytest.raises(BrokenInvariant):
        frozen(lake, "drafts", RULES)


def test_other_checks_are_another_set_of_the_same_items(tmp_path: Path) -> None:
    lake = derived(tmp_path, edits(40))
    before, brief = advance(lake, "drafts", RULES), ruled(checks=(Check(name="brief", max_words=9),))
    with pytest.raises(Terminal, match="checks"):
        frozen(lake, "drafts", brief)
    after = advance(lake, "drafts", brief)
    assert after["item"].equals(before["item"])
    assert after["eval_set"][0] != before["eval_set"][0]
    assert json.loads(versions(lake)["checks"][-1]) == [{"name": "brief", "max_words": 9}]


def test_the_sealed_set_shares_no_user_conversation_or_request_with_the_eval_set(tmp_path: Path) -> None:
    rules = ruled(eval_items=10, gate=Gate(min_users=2, sealed_items=8))
    lake = derived(tmp_path, edits(150))
    items, kept = advance(lake, "drafts", rules), sealed(lake, "drafts")
    assert len(kept) == 8
    for column in ("user", "conversation", "request", "item"):
        assert not set(items[column]) & set(kept[column]), column
    assert not repeats(kept["request"], items["request"]).any()
    assert set(kept["role"]) == {"sealed"}


def test_the_sealed_set_collects_until_it_is_full_and_then_stands(tmp_path: Path) -> None:
    rules = ruled(gate=Gate(min_users=2, sealed_items=9))
    sizes, lake = [], Lake(tmp_path)
    for turn in range(4):
        lake = derived(tmp_path, edits(80, first=80 * turn))
        advance(lake, "drafts", rules)
        sizes.append(len(sealed(lake, "drafts")))
        users = [set(lake.read("eval_items").filter(role=role)["user"]) for role in ("eval", "sealed")]
        assert not users[0] & users[1]
    assert sizes[0] == 0  # the first eval set has all held-out users
    assert sizes == sorted(sizes)
    assert sizes[-2:] == [9, 9]
    full = versions(lake, "sealed").filter(pl.col("items").list.len() == 9)
    assert len(full) == 1


def test_a_sealed_set_that_was_opened_is_exchanged_for_new_users(tmp_path: Path) -> None:
    rules = ruled(eval_items=5, gate=Gate(min_users=2, sealed_items=4))
    lake = derived(tmp_path, edits(100))
    cut(lake, "drafts", rules)
    first = sealed(lake, "drafts")
    looked(lake, first["item"].to_list(), role="sealed", eval_set=first["eval_set"][0])
    lake = derived(tmp_path, edits(60, first=100))
    cut(lake, "drafts", rules)
    second = sealed(lake, "drafts")
    assert len(second) == 4
    assert not set(first["user"]) & set(second["user"])
    assert set(versions(lake, "sealed")["retired"][-1]) == set(first["item"])


def test_what_this_cycle_looked_at_changes_nothing_in_this_cycle(tmp_path: Path) -> None:
    rules = ruled(eval_items=5, fresh_items=0, gate=Gate(min_users=2, sealed_items=4))
    cut(derived(tmp_path, edits(100)), "drafts", rules)
    lake = derived(tmp_path, [answer("later", 3000)])
    second = cut(lake, "drafts", rules)
    kept = sealed(lake, "drafts")
    looked(lake, kept["item"].to_list(), role="sealed", eval_set=kept["eval_set"][0], cycle=2)
    again = cut(lake, "drafts", rules)
    assert (again.cycle, again.name) == (2, second.name)
    assert sealed(lake, "drafts").equals(kept)


def test_who_asked_to_be_forgotten_leaves_and_the_others_stay(tmp_path: Path) -> None:
    lake = derived(tmp_path, edits(60))
    before = cut(lake, "drafts", RULES).items
    gone = before.row(0, named=True)
    forbidden = answer("again", 3, user="u-else", conversation=gone["conversation"], may_train=False)
    lake = derived(tmp_path, [forbidden])
    exchanges = lake.read("exchanges").filter(conversation=gone["conversation"])
    assert not exchanges["may_train"].any()
    after = advance(lake, "drafts", RULES)
    assert set(before["item"]) - set(after["item"]) == {gone["item"]}
    assert gone["item"] not in lake.read("eval_items")["item"]
    last = versions(lake).row(-1, named=True)
    assert (last["forgotten"], last["retired"], last["why"]) == ([gone["item"]], [], "1 forgotten")


def test_who_asked_to_be_forgotten_is_not_kept_for_a_bridge_either(tmp_path: Path) -> None:
    rules = ruled(eval_items=8, fresh_items=3, gate=Gate(min_users=2, sealed_items=0))
    cut(derived(tmp_path, edits(90)), "drafts", rules)
    lake = derived(tmp_path, edits(60, first=90))
    cut(lake, "drafts", rules)
    retired = lake.read("eval_items").filter(role="retired")["item"].sort().to_list()
    advance(lake, "drafts", rules, forget=retired[:1])
    assert lake.read("eval_items").filter(role="retired")["item"].to_list() == retired[1:]
    last = versions(lake).tail(2).to_dicts()
    assert last[1]["forgotten"] == retired[:1]
    assert last[1]["eval_set"] == last[0]["eval_set"]  # the same items: nothing is measured anew
    advance(lake, "drafts", rules)
    assert len(versions(lake)) == last[1]["version"]


def test_an_item_forgotten_by_name_never_comes_back(tmp_path: Path) -> None:
    lake = derived(tmp_path, edits(60))
    before = advance(lake, "drafts", RULES)
    name = before["item"][0]
    advance(lake, "drafts", RULES, forget=[name])
    lake = derived(tmp_path, edits(40, first=60))
    assert name not in advance(lake, "drafts", RULES)["item"]


def test_a_set_of_which_nothing_is_left_is_a_sentence_and_fills_again(tmp_path: Path) -> None:
    lake = derived(tmp_path, edits(40))
    before = advance(lake, "drafts", RULES)
    with pytest.raises(Terminal, match=r"every item .* was forgotten"):
        advance(lake, "drafts", RULES, forget=before["item"].to_list())
    with pytest.raises(Terminal, match=r"every item .* was forgotten"):
        cut(lake, "drafts", RULES)
    assert len(advance(derived(tmp_path, edits(40, first=40)), "drafts", RULES)) > 0


@pytest.mark.parametrize("lost", ["eval_sets", "tidied"])
def test_killed_while_a_version_is_written(tmp_path: Path, lost: str) -> None:
    """Where the new items lie beside the old ones, and where the new version stands but the old ones are not gone."""
    lake = derived(tmp_path, edits(40))
    old = advance(lake, "drafts", RULES)
    derived(tmp_path, edits(40, first=40))
    new = advance(lake, "drafts", RULES)
    lake.replace("eval_items", pl.concat([old, new]), {"workload": ["drafts"], "eval_set": [*sets(old), *sets(new)]})
    if lost == "eval_sets":
        lake.replace("eval_sets", versions(lake).filter(version=1), {"workload": ["drafts"], "role": ["eval"]})
    assert advance(lake, "drafts", RULES).equals(new)
    assert lake.read("eval_items").filter(role="eval")["eval_set"].unique().to_list() == sets(new)


def test_weights_give_every_stratum_its_share_of_the_traffic(tmp_path: Path) -> None:
    lake = derived(tmp_path, edits(90))
    items = advance(lake, "drafts", ruled(eval_items=12))
    found = standing(lake, "drafts", "eval")
    assert found is not None
    told = json.loads(found.row["strata"])
    assert {name: one["items"] for name, one in told.items()} == dict(items["stratum"].value_counts().iter_rows())
    assert items["weight"].sum() == pytest.approx(len(items), abs=1e-3)


def test_a_way_to_fail_is_a_stratum_and_comes_in_with_the_traffic_that_has_it(tmp_path: Path) -> None:
    rules = ruled(eval_items=8, fresh_items=3, gate=Gate(min_users=2, sealed_items=0))
    lake = derived(tmp_path, edits(90))
    before = advance(lake, "drafts", rules)
    assert set(before["stratum"]) == {"retail / none"}
    unhappy = [rated(f"n{number}", -1, number + 2.5) for number in range(90, 150)]
    after = advance(derived(tmp_path, [*edits(60, first=90), *unhappy]), "drafts", rules)
    fresh = after.filter(~pl.col("item").is_in(before["item"].implode()))
    assert set(fresh["stratum"]) == {"retail / rating"}
    told = json.loads(versions(lake)["strata"][-1])
    assert told["retail / rating"] == {"traffic": 60, "items": 3}
    share = after.group_by("stratum").agg(pl.col("weight").sum() / len(after))
    assert dict(share.iter_rows())["retail / rating"] == pytest.approx(60 / 150, abs=1e-4)


def test_a_rare_stratum_has_more_items_than_its_share_and_no_more_than_it_has() -> None:
    traffic = {"often": 900, "rarely": 100, "never sent": 40}
    assert allotted({"often": 500, "rarely": 60}, 40, traffic=traffic, given={}) == {"often": 30, "rarely": 10}
    assert allotted({"often": 500, "rarely": 4}, 40, traffic=traffic, given={}) == {"often": 36, "rarely": 4}
    assert allotted({"often": 500, "rarely": 60}, 10, traffic=traffic, given={"often": 30}) == {
        "often": 0,
        "rarely": 10,
    }
    assert allotted({"rarely": 3}, 40, traffic=traffic, given={}) == {"rarely": 3}


@given(seed=st.integers(0, 10**6), n=st.integers(1, 30))
def test_another_user_comes_before_the_same_one_again(seed: int, n: int) -> None:
    draw = random.Random(seed)
    rows = [(f"i{number}", f"u{draw.randrange(6)}", "s") for number in range(draw.randrange(1, 30))]
    pool = pl.DataFrame(rows, ["item", "user", "stratum"], orient="row")
    found = drawn(pool, n, traffic={"s": len(rows)})
    assert len(found) == min(n, len(rows))
    counts = Counter(found["user"])
    left = Counter(pool["user"]) - counts
    assert all(counts[user] >= max(counts.values()) - 1 for user in left)
    assert drawn(pool.sample(fraction=1, shuffle=True, seed=n), n, traffic={"s": len(rows)}).equals(found)
