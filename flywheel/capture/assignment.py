"""Which arm of an experiment a user is in: the same one every time, with nothing stored.

Weighted rendezvous hashing: each arm draws a score for the user from a hash, the greatest wins. When one arm's share
grows and the others shrink in proportion, users only move into that arm, and no more of them than its share grew by.
What an arm serves belongs to the product.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """The arm a user is in, and the probability of that arm: both belong on the response event."""

    arm: str
    propensity: float


def assign(user: str, workload: str, arms: Mapping[str, float]) -> Assignment:
    """The user's arm in this workload; `arms` are shares that sum to 1, in any order."""
    shares = list(arms.values())
    if not all(share >= 0 for share in shares) or not math.isclose(sum(shares), 1, abs_tol=1e-9):
        raise ValueError(f"the shares of the arms must be 0 or more and sum to 1; saw {dict(arms)}")
    arm = max((arm for arm in arms if arms[arm] > 0), key=lambda arm: _score(user, workload, arm, arms[arm]))
    return Assignment(arm=arm, propensity=arms[arm])


def _score(user: str, workload: str, arm: str, share: float) -> float:
    digest = hashlib.sha256(json.dumps(["arm", workload, user, arm]).encode()).digest()
    uniform = ((int.from_bytes(digest[:8], "big") >> 11) + 0.5) / 2**53  # never 0, never 1
    return -share / math.log(uniform)
