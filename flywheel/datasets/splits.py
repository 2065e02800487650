"""Which side of the wall a user is on: eval users are never trained on, development users steer training.

The side is a hash of workload and user, so it never changes, needs no table, and is the same on every machine.
"""

import hashlib
from typing import Literal

from flywheel.settings import Workload

Side = Literal["eval", "development", "train"]


def side(workload: str, user: str, rules: Workload) -> Side:
    drawn = _uniform(workload, user, "holdout")
    if drawn < rules.holdout:
        return "eval"
    return "development" if _uniform(workload, user, "development") < rules.development else "train"


def _uniform(*identity: str) -> float:
    digest = hashlib.sha256("\x1f".join(identity).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
