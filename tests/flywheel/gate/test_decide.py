"""One rule of the decision after the other: what it says, in which order, and that doubt never promotes."""

from dataclasses import replace
from math import inf, nan
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.gate.compare import Comparison
from flywheel.gate.decide import Decision, Evidence, Guard, confirm, decide
from flywheel.gate.forgetting import Forgetting, flips
from flywheel.settings import Gate

GATE = Gate()
WON = Comparison(
    gain=0.05,
    error=0.01,
    low=0.03,
    high=0.07,
    level=0.95,
    items=800,
    users=200,
    candidate_score=0.55,
    champion_score=0.5,
    raw=0.05,
    slope=0.0,
)
GOOD = Forgetting(items=300, holes=0, forgotten=2, learned=9, chance=0.9)


def evidence(**changed: Any) -> Evidence:
    numbers: dict[str, Any] = {name: changed.pop(name) for name in list(changed) if name in WON.__dict__}
    given = {"broken": (), "faults": (), "found": replace(WON, **numbers), "asked": 800, "holes": 0, "look": 1}
    return Evidence(**(given | changed))


def slices(**columns: Any) -> pl.DataFrame:
    row = {"slice": "tax", "items": 120, "users": 60, "gain": 0.01, "harm": 1.0} | columns
    return pl.DataFrame([row], schema_overrides={"harm": pl.Float64})


def test_a_proven_gain_is_promoted_and_notes_are_told() -> None:
    found = decide(evidence(notes=("no sealed set",), slices=slices(), forgetting=GOOD), GATE)
    assert found.verdict == "promote"
    assert found.reasons == (found.reason, "no sealed set")
    assert found.n_needed is None
    for number in ("+0.050", "0.500 to 0.550", "+0.030 to +0.070", "800 items of 200 users", "look 1"):
        assert number in found.reason


@pytest.mark.parametrize(
    ("changed", "verdict", "said"),
    [
        ({"broken": ("other eval hashes",)}, "hold", "other eval hashes"),
        ({"found": None, "holes": 800}, "hold", "800 of 800 items lack a score"),
        ({"found": None, "asked": 0}, "hold", "nothing to compare"),
        ({"holes": 41}, "hold", "41 of 800 items lack a score"),
        ({"faults": ("answers are empty", "and all alike")}, "reject", "answers are empty; and all alike: gain"),
        ({"gain": -0.05, "low": -0.07, "high": -0.03}, "reject", "worse than the champion"),
        ({"users": 49}, "hold", "49 where 50 are needed"),
        ({"low": 0.0}, "hold", "cannot tell yet"),
        ({"gain": 0.0, "error": 0.0, "low": 0.0, "high": 0.0}, "hold", "a tie"),
        ({"error": inf, "low": -inf, "high": inf}, "hold", "differs by the same length"),
        ({"low": nan, "high": nan, "gain": nan}, "hold", "no finite number"),
        ({"low": inf, "high": inf, "gain": inf}, "hold", "no finite number"),
        ({"gain": 0.009, "low": 0.001}, "hold", "less than the 0.01"),
        ({"slices": slices(harm=0.04, gain=-0.02)}, "hold", "slice tax loses 0.020 (n = 120 items of 60 users, adj"),
        ({"slices": slices(harm=0.06, gain=-0.051)}, "hold", "more than the 0.05 that a slice may"),
        ({"guards": [Guard("words", 0.02, replace(WON, gain=-0.03), 0)]}, "hold", "guard words loses more"),
        ({"guards": [Guard("words", 0.02, None, 800)]}, "hold", "guard words lacks 800 of 800 scores"),
        ({"guards": [Guard("words", 0.02, WON, 100)]}, "hold", "guard words lacks 100 of 900 scores"),
        ({"forgetting": GOOD._replace(forgotten=10)}, "hold", "forgotten too much: 10 of 300"),
        ({"forgetting": GOOD._replace(chance=0.04)}, "hold", "more than half of what was learned"),
        ({"forgetting": GOOD._replace(holes=16)}, "hold", "16 of 316 capability items lack"),
        ({"forgetting": GOOD._replace(items=0)}, "hold", "what was forgotten is unknown"),
    ],
)
def test_each_rule_stops_a_candidate_that_would_have_won(changed: dict[str, Any], verdict: str, said: str) -> None:
    found = decide(evidence(**changed), GATE)
    assert found.verdict == verdict
    assert said in found.reason


@pytest.mark.parametrize(
    "changed",
    [
        {"slices": slices(harm=0.05, gain=-0.05)},
        {"slices": slices(harm=None, gain=-0.5, items=99)},
        {"guards": [Guard("words", 0.02, replace(WON, gain=-0.02), 0)]},
        {"forgetting": GOOD._replace(forgotten=9)},
        {"holes": 40},
        {"users": 50},
        {"gain": 0.01, "low": 1e-9},
    ],
)
def test_what_is_just_allowed_passes(changed: dict[str, Any]) -> None:
    assert decide(evidence(**changed), GATE).verdict == "promote"


def test_every_reason_is_told_and_the_first_decides() -> None:
    found = decide(
        evidence(
            broken=("a changed ledger",),
            faults=("empty answers",),
            low=-0.01,
            users=10,
            slices=slices(gain=-0.2, harm=0.001),
            guards=[Guard("words", 0.02, None, 5)],
            forgetting=GOOD._replace(forgotten=200),
            notes=("a note",),
        ),
        GATE,
    )
    starts = ["a changed", "empty answers", "too few users", "cannot tell", "slice tax", "guard words", "forgotten"]
    assert found.verdict == "hold"
    assert all(reason.startswith(start) for reason, start in zip(found.reasons, starts, strict=False))
    assert (found.reason, len(found.reasons), found.reasons[-1]) == (found.reasons[0], 8, "a note")
    assert decide(evidence(faults=("empty",), users=10), GATE).verdict == "reject"


@given(
    gain=st.floats(allow_nan=True),
    low=st.floats(allow_nan=True),
    high=st.floats(allow_nan=True),
    users=st.integers(min_value=1, max_value=10**6),
    holes=st.integers(min_value=0, max_value=800),
)
def test_only_numbers_that_prove_a_gain_promote(gain: float, low: float, high: float, users: int, holes: int) -> None:
    found = decide(evidence(gain=gain, low=low, high=high, users=users, holes=holes), GATE)
    proven = low > 0 and GATE.min_gain <= gain < inf and high >= 0 and users >= GATE.min_users and holes <= 40
    assert (found.verdict == "promote") is proven


# ---- how many items would tell -------------------------------------------------------------------------------------


def test_a_hold_for_want_of_evidence_says_how_many_items_would_tell() -> None:
    found = decide(evidence(gain=0.02, low=-0.01, error=0.0159), GATE)
    assert found.n_needed == pytest.approx(800 * (2.8016 * 0.0159 / 0.02) ** 2, rel=0.01)
    assert f"about {found.n_needed} items" in found.reason
    tiny = decide(evidence(gain=0.0001, low=-0.01, error=0.0159), GATE)
    assert tiny.n_needed == pytest.approx(800 * (2.8016 * 0.0159 / 0.01) ** 2, rel=0.01)


def test_few_users_need_at_least_as_many_items_as_bring_enough_of_them() -> None:
    assert decide(evidence(users=10, error=0.001), GATE).n_needed == 4000


@pytest.mark.parametrize(
    "changed", [{"faults": ("empty",)}, {"slices": slices(gain=-0.2)}, {"high": -1.0, "low": -2.0}]
)
def test_where_more_items_would_change_nothing_none_are_asked_for(changed: dict[str, Any]) -> None:
    assert decide(evidence(**changed), GATE).n_needed is None


# ---- the sealed set --------------------------------------------------------------------------------------------------


def confirmed(sealed: Comparison | None, holes: int = 0, faults: tuple[str, ...] = ()) -> Decision:
    return confirm(decide(evidence(), GATE), sealed, holes=holes, faults=faults)


def test_a_sealed_set_that_agrees_lets_the_winner_pass() -> None:
    found = confirmed(replace(WON, gain=0.001, low=-0.2, items=300))
    assert found.verdict == "promote"
    assert "n = 300 items" in found.reasons[-1]


@pytest.mark.parametrize(
    ("sealed", "holes", "faults", "said"),
    [
        (replace(WON, gain=-0.001, items=300), 0, (), "points the other way"),
        (None, 0, (), "lack a score"),
        (replace(WON, items=284), 16, (), "16 of 300 sealed items lack a score"),
        (replace(WON, gain=nan), 0, (), "lack a score"),
        (replace(WON, items=300), 0, ("its answers are empty",), "its answers are empty"),
    ],
)
def test_a_sealed_set_that_does_not_agree_holds_the_winner(
    sealed: Comparison | None, holes: int, faults: tuple[str, ...], said: str
) -> None:
    found = confirmed(sealed, holes, faults)
    assert found.verdict == "hold"
    assert said in found.reason
    assert len(found.reasons) == 2


def test_the_sealed_set_saves_nobody() -> None:
    held = decide(evidence(low=-0.01), GATE)
    assert confirm(held, WON, holes=0) == held


# ---- forgetting ------------------------------------------------------------------------------------------------------


def capability(*scores: float | None) -> pl.DataFrame:
    rows = {"item": [f"c{n}" for n in range(len(scores))], "score": list(scores)}
    return pl.DataFrame(rows, schema={"item": pl.String, "score": pl.Float64})


def test_flips_are_counted_and_holes_are_no_flips() -> None:
    champion = capability(1, 1, 1, 0, 0, 1, None, 1)
    candidate = capability(1, 0, 0, 1, 0, None, 1, nan)
    found = flips(candidate, champion)
    assert (found.items, found.holes, found.forgotten, found.learned) == (5, 3, 2, 1)
    assert found.chance == pytest.approx(1 / 27 + 6 / 27)


def test_an_item_that_one_side_was_not_asked_is_a_hole() -> None:
    assert flips(capability(1, 1).head(1), capability(1, 1)).holes == 1


@pytest.mark.parametrize(("forgotten", "learned", "held"), [(1, 0, False), (3, 0, True), (5, 5, False), (9, 3, True)])
def test_more_forgotten_than_half_of_what_was_learned_must_be_more_than_luck(
    forgotten: int, learned: int, held: bool
) -> None:
    before = [1.0] * forgotten + [0.0] * learned + [1.0] * 388
    after = [0.0] * forgotten + [1.0] * learned + [1.0] * 388
    found = decide(evidence(forgetting=flips(capability(*after), capability(*before))), GATE)
    assert (found.verdict == "hold") is held
