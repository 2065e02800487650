"""Arms: sticky, in their shares, whatever the order, and steady when shares change."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.capture.assignment import Assignment, assign

USERS = [f"user-{number}" for number in range(4000)]


def arms_of(shares: dict[str, float], workload: str = "drafts") -> dict[str, str]:
    return {user: assign(user, workload, shares).arm for user in USERS}


@given(user=st.text(), workload=st.text(), order=st.permutations(["a", "b", "c"]))
def test_the_order_of_the_arms_does_not_matter(user: str, workload: str, order: list[str]) -> None:
    shares = {"a": 0.5, "b": 0.3, "c": 0.2}
    assert assign(user, workload, {arm: shares[arm] for arm in order}) == assign(user, workload, shares)


def test_a_user_stays_in_the_arm_across_releases() -> None:
    # Written down on purpose: another result here moves every user of every product to another arm.
    shares = {"champion": 0.8, "holdback": 0.2}
    held = [user for user in USERS[:40] if assign(user, "drafts", shares).arm == "holdback"]
    assert held == ["user-1", "user-2", "user-8", "user-15", "user-16", "user-29", "user-35", "user-36"]
    assert assign(held[0], "drafts", shares).propensity == 0.2


@pytest.mark.parametrize("shares", [{"a": 0.9, "b": 0.1}, {"a": 0.2, "b": 0.3, "c": 0.5}])
def test_arms_get_their_shares(shares: dict[str, float]) -> None:
    counts = Counter(arms_of(shares).values())
    for arm, share in shares.items():
        spread = 4 * math.sqrt(share * (1 - share) / len(USERS))
        assert counts[arm] / len(USERS) == pytest.approx(share, abs=spread)


def test_a_growing_arm_only_takes_users_in_and_no_more_than_it_grew_by() -> None:
    before, after = arms_of({"a": 0.1, "b": 0.45, "c": 0.45}), arms_of({"a": 0.2, "b": 0.4, "c": 0.4})
    moved = [user for user in USERS if before[user] != after[user]]
    assert {after[user] for user in moved} == {"a"}
    assert len(moved) / len(USERS) == pytest.approx(0.1, abs=0.02)


def test_workloads_are_assigned_independently() -> None:
    shares = {"a": 0.5, "b": 0.5}
    here, there = arms_of(shares, "drafts"), arms_of(shares, "notes")
    same = sum(here[user] == there[user] for user in USERS) / len(USERS)
    assert same == pytest.approx(0.5, abs=0.04)


def test_an_arm_of_all_users_and_an_arm_of_none() -> None:
    assert assign("u", "w", {"all": 1, "none": 0}) == Assignment(arm="all", propensity=1)


@pytest.mark.parametrize("shares", [{}, {"a": 0.5}, {"a": 0.7, "b": 0.7}, {"a": 1.5, "b": -0.5}, {"a": math.nan}])
def test_shares_that_are_none_are_refused_in_words(shares: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be 0 or more and sum to 1; saw"):
        assign("u", "w", shares)
