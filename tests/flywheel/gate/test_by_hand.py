"""Two files of anybody's scores: what they say together, and everything in them that must not win."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flywheel.errors import BadInput
from flywheel.gate.by_hand import judged, scores
from flywheel.settings import Gate, Scorer

KEYS = ["verdict", "reasons", "gain", "interval", "level", "n", "users", "n_needed", "slices"]


def side(gain: float = 0.0, n: int = 300, *, seed: int = 0, **columns: Any) -> pl.DataFrame:
    """One model's scores: three slices, two items a user."""
    rng = random.Random(seed)
    rows = {
        "item_id": [f"i{k}" for k in range(n)],
        "score": [rng.gauss(0.5 + gain, 0.2) for _ in range(n)],
        "user_id": [f"u{k // 2}" for k in range(n)],
        "slice": [f"s{k % 3}" for k in range(n)],
        "output": [f"dear customer your order {k} is on its way to you today {rng.random():.3f}" for k in range(n)],
        "eval_hash": ["e1"] * n,
    }
    return pl.DataFrame(rows).with_columns(**columns)


CHAMPION, BETTER = side(seed=1), side(0.1, seed=2)


def test_a_better_candidate_is_promoted_with_its_numbers() -> None:
    told = judged(CHAMPION, BETTER, Gate())
    assert list(told) == KEYS
    assert told["verdict"] == "promote"
    assert 0 < told["interval"][0] < told["gain"] < told["interval"][1]
    assert (told["n"], told["users"], told["n_needed"]) == (300, 150, None)
    assert set(told["slices"]) == {"s0", "s1", "s2"}
    assert told["slices"]["s1"]["items"] == 100
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_the_other_way_round_it_is_rejected_and_equal_ones_are_held_with_the_n_needed() -> None:
    assert judged(BETTER, CHAMPION, Gate())["verdict"] == "reject"
    equal = judged(CHAMPION, side(0.01, seed=3), Gate())
    assert equal["verdict"] == "hold"
    assert equal["n_needed"] > 300


def test_without_users_each_item_is_its_own_and_without_slices_there_is_one() -> None:
    told = judged(CHAMPION.select("item_id", "score"), BETTER.select("item_id", "score"), Gate())
    assert (told["verdict"], told["users"], list(told["slices"])) == ("promote", 300, ["unassigned"])
    assert any("nobody looked at the answers" in reason for reason in told["reasons"])


def test_one_file_may_say_whose_the_items_are() -> None:
    told = judged(CHAMPION, BETTER.drop("user_id", "slice"), Gate())
    assert (told["users"], len(told["slices"])) == (150, 3)


NAN = pl.when(pl.col("item_id") == "i7").then(float("nan")).otherwise("score").alias("score")
HOLES = pl.when(pl.int_range(pl.len()) >= 16).then("score").alias("score")


@pytest.mark.parametrize(
    ("champion", "candidate", "said"),
    [
        pytest.param(CHAMPION, CHAMPION, "the same model twice", id="itself"),
        pytest.param(CHAMPION, CHAMPION.reverse(), "the same model twice", id="itself in another order"),
        pytest.param(CHAMPION, BETTER.with_columns(eval_hash=pl.lit("e2")), "other eval hashes", id="another set"),
        pytest.param(CHAMPION, BETTER.drop("eval_hash"), "only one of the files has an eval_hash", id="no hash"),
        pytest.param(CHAMPION, BETTER.with_columns(NAN), "1 scores of the candidate are no finite", id="nan"),
        pytest.param(CHAMPION.with_columns(NAN), BETTER, "1 scores of the champion are no finite", id="champion nan"),
        pytest.param(CHAMPION, BETTER.head(150), "150 of 300 items lack a score", id="half missing"),
        pytest.param(CHAMPION, BETTER.with_columns(HOLES), "16 of 300 items lack a score", id="crashed scorer"),
        pytest.param(CHAMPION, pl.concat([BETTER, BETTER]), "300 items have more than one score", id="doubled"),
        pytest.param(CHAMPION, pl.concat([BETTER, BETTER.head(1)]), "1 items have more than", id="one doubled"),
        pytest.param(CHAMPION, BETTER.with_columns(item_id="x" + pl.col("item_id")), "no item in common", id="others"),
        pytest.param(CHAMPION, BETTER.with_columns(user_id=pl.lit("u")), "other users", id="other users"),
        pytest.param(CHAMPION, BETTER.with_columns(slice=pl.lit("s")), "other slices", id="other slices"),
        pytest.param(CHAMPION.clear(), BETTER.clear(), "there are no items", id="nothing"),
        pytest.param(CHAMPION, BETTER.clear(), "300 of 300 items lack", id="nothing on one side"),
        pytest.param(CHAMPION.head(60), BETTER.head(60), "too few users to tell, 30 where 50", id="too few users"),
    ],
)
def test_what_cannot_be_trusted_is_held_in_words(champion: pl.DataFrame, candidate: pl.DataFrame, said: str) -> None:
    told = judged(champion, candidate, Gate())
    assert told["verdict"] == "hold"
    assert any(said in reason for reason in told["reasons"]), told["reasons"]
    assert (told["gain"] is None) is (said not in "too few users to tell, 30 where 50")


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (pl.lit(""), "are empty"),
        (pl.lit("dear customer your order is on its way to you today"), "only 1 of 300"),
        (pl.col("output") + " and " + pl.col("output"), "merely longer"),
    ],
    ids=["empty", "constant", "longer"],
)
def test_answers_that_no_score_makes_good_are_rejected(output: pl.Expr, said: str) -> None:
    told = judged(CHAMPION, BETTER.with_columns(output=output, score=pl.lit(1.0)), Gate())
    assert told["verdict"] == "reject"
    assert said in told["reasons"][0]


def test_a_slice_that_loses_holds_and_a_policy_can_allow_it() -> None:
    hurt = BETTER.with_columns(score=pl.col("score") - pl.when(pl.col("slice") == "s0").then(0.3).otherwise(-0.3))
    told = judged(CHAMPION, hurt, Gate())
    assert (told["verdict"], told["reasons"][0][:14]) == ("hold", "slice s0 loses")
    assert told["slices"]["s0"]["harm"] < 0.05
    assert judged(CHAMPION, hurt, Gate(slice_items=101))["verdict"] == "promote"


def test_what_length_alone_wins_of_a_judge_is_taken_out() -> None:
    rng = random.Random(4)
    padding = [rng.randrange(4) for _ in range(300)]
    longer = [text + " please" * more for text, more in zip(CHAMPION["output"], padding, strict=True)]
    liked = [score + 0.05 * more + rng.gauss(0, 0.1) for score, more in zip(CHAMPION["score"], padding, strict=True)]
    candidate = BETTER.with_columns(output=pl.Series(longer), score=pl.Series(liked))
    judge = Gate(primary="judge", scorers=(Scorer(name="judge", kind="judge"),))
    assert judged(CHAMPION, candidate, Gate())["verdict"] == "promote"
    told = judged(CHAMPION, candidate, judge)
    assert told["verdict"] == "hold"
    assert "before what length alone explains" in told["reasons"][0]
    unseen = judged(CHAMPION.drop("output"), candidate.drop("output"), judge)
    assert any("length alone wins is not taken out" in reason for reason in unseen["reasons"])


def test_what_a_policy_asks_for_and_files_cannot_show_is_said() -> None:
    policy = Gate(capability="tools.jsonl", scorers=(Scorer(name="brevity", kind="latency", margin=0.1),))
    told = judged(CHAMPION, BETTER, policy)
    assert "brevity, the capability set" in told["reasons"][-1]


# ---- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [pl.DataFrame.write_ndjson, pl.DataFrame.write_parquet], ids=["jsonl", "parquet"])
def test_both_kinds_of_files_say_the_same(tmp_path: Path, write: Callable[..., None]) -> None:
    path = tmp_path / f"scores.{'parquet' if write is pl.DataFrame.write_parquet else 'jsonl'}"
    write(BETTER, path)
    assert scores(path).select(BETTER.columns).equals(BETTER)


def test_numbers_may_name_items_and_other_columns_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"item_id": 7, "score": 1, "user_id": 3, "more": [1]}\n\n{"score": null, "item_id": "x"}\n')
    assert scores(path).sort("item_id").rows(named=True) == [
        {"item_id": "7", "score": 1.0, "user_id": "3"},
        {"item_id": "x", "score": None, "user_id": None},
    ]
    BETTER.with_columns(item_id=pl.int_range(300), score=pl.lit(1)).write_parquet(tmp_path / "a.parquet")
    assert scores(tmp_path / "a.parquet").row(2)[:2] == ("2", 1.0)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"item_id": "a", "score": 0.5', "line 2 of"),
        ("[1, 2]", "no row of scores"),
        ('{"item_id": "a"}', "no row of scores"),
        ('{"item_id": "a", "score": "0.5"}', "score is no number"),
        ('{"item_id": "a", "score": true}', "score is no number"),
        (f'{{"item_id": "a", "score": 1{"0" * 400}}}', "score is no number"),
        ('{"item_id": ["a"], "score": 1}', "item_id is no text"),
        ('{"item_id": "\\ud800", "score": 1}', "item_id is no text"),
        ('{"item_id": null, "score": 1}', "1 rows have no item_id"),
        ('{"item_id": "a", "score": 1, "output": 3}', "output is no text"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_a_row_that_cannot_be_read_is_refused_with_its_place(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"item_id": "first", "score": 1}}\n{line}\n')
    with pytest.raises(BadInput, match=said):
        scores(path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.jsonl", None, "cannot be read"),
        ("none.parquet", None, "cannot be read"),
        ("torn.parquet", b"PAR1 and no more", "no Parquet file"),
        ("bytes.jsonl", b"\xff\xfe\x00", "is not JSON"),
    ],
)
def test_a_file_that_is_none_is_one_sentence(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=said):
        scores(tmp_path / name)


def test_parquet_without_scores_or_with_words_for_scores_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"item_id": ["a"]}).write_parquet(path)
    with pytest.raises(BadInput, match="no column score"):
        scores(path)
    pl.DataFrame({"item_id": ["a"], "score": ["good"]}).write_parquet(path)
    with pytest.raises(BadInput, match="holds String and no numbers"):
        scores(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=80) | st.text(alphabet='{}[]":,0123456789.eE-+ntru\n "item_id score', max_size=80))
def test_any_bytes_at_all_are_rows_or_one_sentence(tmp_path: Path, content: bytes | str) -> None:
    path = tmp_path / "any.jsonl"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    try:
        found = scores(path)
    except BadInput:
        return
    assert judged(found, found, Gate())["verdict"] == "hold"
