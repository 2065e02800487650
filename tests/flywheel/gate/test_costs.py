"""Prices: each outcome costs what the policy says, by hand-made answers whose cost is known; intervals know users."""

import json
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.gate import costs
from flywheel.gate.costs import Cost
from flywheel.gate.ratios import Estimate, difference, ratio, share
from flywheel.settings import Check, Endpoint, Policy, Prices
from tests.flywheel.gate.workbench import eval_items, model

REFERENCE = "one two three four five six seven eight nine ten"
POLICY = Policy(prices=Prices(word=0.1, error=3, refusal=0.2, nothing=0.1, by_hand=0.8), success=0.9)
CHECKS = (Check(name="no-numbers", forbids=r"\d"),)
HOSTED = Endpoint(url="http://127.0.0.1:1/v1", model="m", price_in=2.0, price_out=8.0)


def one_item(**columns: Any) -> pl.DataFrame:
    return eval_items(1, 1).with_columns(pl.lit(value).alias(name) for name, value in columns.items())


def answers(texts: dict[str, str], tokens: tuple[int | None, int | None] = (None, None)) -> pl.DataFrame:
    made = pl.DataFrame({"item": list(texts), "text": list(texts.values())}, {"item": pl.String, "text": pl.String})
    counted = (
        pl.lit(count, pl.Int64).alias(name) for name, count in zip(("tokens_in", "tokens_out"), tokens, strict=True)
    )
    return made.with_columns(*counted, seconds=None)


def outcome(text: str, reference: str = REFERENCE, policy: Policy = POLICY, **columns: Any) -> dict[str, Any]:
    items = one_item(reference=reference, **columns)
    found = costs.outcomes(items, answers({"i0000": text}), checks=CHECKS, policy=policy)
    return found.row(0, named=True)


def over(found: pl.DataFrame) -> Cost:
    return costs.cost(found)


@pytest.mark.parametrize(
    ("text", "expected", "people"),
    [
        (REFERENCE, "success", 0.0),
        (REFERENCE.replace("ten", "eleven"), "success", 0.1),
        (REFERENCE.replace("nine ten", "9"), "error", 3.0),
        ("one two three four five", "correction", 0.5),
        ("quite another text that shares no word at all with it", "correction", 0.8),
        ("I cannot help with that", "refusal", 1.0),
        ("  \n", "nothing", 0.9),
    ],
    ids=["kept", "one word of ten", "breaks a check", "half of it", "nobody corrects that", "refused", "empty"],
)
def test_an_outcome_costs_what_the_policy_says(text: str, expected: str, people: float) -> None:
    found = outcome(text)
    assert found["outcome"] == expected
    assert found["people"] == pytest.approx(people)
    assert found["success"] is (expected == "success")


def test_a_refusal_that_people_sent_was_right() -> None:
    assert outcome("I cannot discuss this", "I cannot discuss this")["outcome"] == "success"


def test_an_error_is_never_cheaper_than_mending_it() -> None:
    cheap = POLICY.model_copy(update={"prices": Prices(word=0.1, error=0.05, by_hand=0.8)})
    assert outcome("one two three four 5", policy=cheap)["people"] == pytest.approx(0.6)


def test_a_slice_has_its_own_prices() -> None:
    severe = POLICY.model_copy(update={"slices": {"bank": Prices(error=50)}})
    assert outcome("9", policy=severe, slice="bank")["people"] == 50
    assert outcome("9", policy=severe, slice="shop")["people"] == 3
    assert outcome("", policy=severe, slice="bank")["people"] == pytest.approx(0.9)  # the rest as everywhere


def test_a_request_is_priced_by_its_tokens_and_an_unknown_count_is_a_hole() -> None:
    items, said = one_item(reference=REFERENCE), {"i0000": REFERENCE}
    options: Any = {"checks": CHECKS, "policy": POLICY}
    counted = costs.outcomes(items, answers(said, (1000, 500)), endpoint=HOSTED, **options)
    assert counted["cost"].item() == pytest.approx((1000 * 2 + 500 * 8) / 1e6)
    own = costs.outcomes(items, answers(said, (1000, 500)), **options)
    assert own["cost"].item() == 0
    assert over(costs.outcomes(items, answers(said), endpoint=HOSTED, **options)).holes == 1
    assert over(costs.outcomes(items, answers({}), **options)).items == 0


def priced(right: dict[str, float], policy: Policy = POLICY) -> tuple[pl.DataFrame, dict[str, pl.DataFrame]]:
    items = eval_items(60, 5)
    said = {name: answers(model(items, right=share, seed=1)) for name, share in right.items()}
    options: Any = {"checks": (), "policy": policy}
    return items, {name: costs.outcomes(items, each, **options) for name, each in said.items()}


def test_the_verdicts_costs_stand_beside_champion_and_no_ai() -> None:
    items, found = priced({"candidate": 0.99, "champion": 0.93}, POLICY)
    told = costs.priced(items, found["candidate"], found["champion"], POLICY)
    assert json.loads(json.dumps(told)) == told
    assert (told["candidate"]["items"], told["candidate"]["users"]) == (300, 60)
    assert told["none"]["per_success"]["value"] == pytest.approx(0.8)
    assert told["candidate"]["per_success"]["value"] < told["champion"]["per_success"]["value"] < 0.8
    saved = told["saving"]["per_success"]
    assert saved["low"] > 0
    gap = told["champion"]["per_success"]["value"] - told["candidate"]["per_success"]["value"]
    assert saved["value"] == pytest.approx(gap)
    assert set(told["slices"]) == {"bank", "shop"}
    assert sum(told["slices"][name]["candidate"]["items"] for name in told["slices"]) == 300
    assert sum(told["candidate"]["outcomes"].values()) == 300


def test_no_success_has_no_price() -> None:
    _, found = priced({"useless": 0.0})
    useless = over(found["useless"])
    assert useless.per_success == Estimate(None)
    assert useless.success.high is not None
    assert useless.success.high < 0.1


def test_users_who_agree_with_themselves_are_one_voice_each() -> None:
    users = np.repeat(np.arange(20), 10)
    right = (users < 10).astype(float)
    alone, crowd = share(right, np.arange(200)), share(right, users)
    assert crowd.low is not None
    assert alone.low is not None
    assert crowd.low < alone.low
    spread = ratio(right, np.ones(200), users)
    assert (spread.high or 0) - (spread.low or 0) > 3 * ((alone.high or 0) - (alone.low or 0))


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    rng, held, runs, users = np.random.default_rng(7), [0, 0], 600, 100
    true_share, true_cost = 0.7, (0.7 * 0.05 + 0.3 * 0.4) / 0.7
    for _ in range(runs):
        whose = np.repeat(np.arange(users), rng.integers(1, 8, users))
        right = (rng.random(len(whose)) < rng.beta(2.1, 0.9, users)[whose]).astype(float)
        spent = np.where(right == 1, 0.05, rng.gamma(2.0, 0.2, len(whose)))
        told = ((share(right, whose), true_share), (ratio(spent, right, whose), true_cost))
        for place, (found, truth) in enumerate(told):
            assert found.low is not None
            assert found.high is not None
            held[place] += found.low <= truth <= found.high
    assert all(0.92 <= each / runs <= 0.975 for each in held), held


def test_few_that_all_succeed_are_not_sure_to_succeed() -> None:
    assert share(np.ones(5), np.arange(5)).low == pytest.approx(0.393, abs=0.001)
    assert share(np.ones(50), np.repeat(np.arange(5), 10)).low == pytest.approx(0.393, abs=0.001)
    assert share(np.ones(5), np.zeros(5)) == Estimate(1.0)
    assert ratio(np.ones(19), np.ones(19), np.arange(19)) == Estimate(1.0)


def test_what_is_hard_for_both_cancels_out() -> None:
    rng = np.random.default_rng(0)
    hard, ones, users = rng.gamma(2.0, 1.0, 200), np.ones(200), np.arange(200)
    apart = difference((hard + 0.1, ones), (hard, ones), users)
    assert apart.low == pytest.approx(0.1)
    assert apart.high == pytest.approx(0.1)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.booleans(), st.floats(0, 10)), min_size=1, max_size=90),
    st.randoms(use_true_random=False),
)
def test_an_estimate_lies_in_its_interval_whatever_the_order(rows: list[tuple[int, bool, float]], rng: Any) -> None:
    def told(rows: list[tuple[int, bool, float]]) -> list[Estimate]:
        users, right, spent = (np.array(column) for column in zip(*rows, strict=True))
        return [share(right.astype(float), users), ratio(spent, right.astype(float), users)]

    shuffled = list(rows)
    rng.shuffle(shuffled)
    for here, there in zip(told(rows), told(shuffled), strict=True):
        assert [each is None for each in here] == [each is None for each in there]
        assert [each for each in here if each is not None] == pytest.approx(
            [each for each in there if each is not None], abs=1e-9
        )
        if here.value is not None and here.low is not None and here.high is not None:
            assert here.low - 1e-9 <= here.value <= here.high + 1e-9
