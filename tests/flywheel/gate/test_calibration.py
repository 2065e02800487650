"""How far a judge may be believed: on made labels whose truth is known, and on people's choices from a real log."""

import json
import math
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from flywheel.errors import BadInput
from flywheel.gate.calibration import MIN_LABELS, Calibration, calibrate, labels, rate, too_weak
from flywheel.gate.scorers.judge import DISAGREE


def labelled(path: Path, n: int, **changes: Any) -> Path:
    """Every other label prefers a."""
    lines = [
        {"prompt": f"request {number}", "a": f"one {number}", "b": f"two {number}", "preferred": "ab"[number % 2]}
        for number in range(n)
    ]
    path.write_text("\n".join(json.dumps(line | changes) for line in lines))
    return path


def saying(chosen: pl.DataFrame, *, right: float, holes: int = 0, torn: int = 0, seed: int = 0) -> pl.DataFrame:
    """A judge's scores: right in this share of each class, then some holes, then some ties."""
    draw, rows = np.random.default_rng(seed), []
    for number, (item, preferred) in enumerate(chosen.select("item", "preferred").iter_rows()):
        score = 1.0 if (draw.random() < right) == (preferred == "a") else -1.0
        if number < holes:
            rows.append((item, None, "unreadable"))
        elif number < holes + torn:
            rows.append((item, 0.0, DISAGREE))
        else:
            rows.append((item, score, None))
    return pl.DataFrame(rows, schema={"item": pl.String, "score": pl.Float64, "why": pl.String}, orient="row")


def test_labels_are_read_and_a_line_given_twice_counts_once(tmp_path: Path) -> None:
    file = labelled(tmp_path / "labels.jsonl", 4)
    talk = {"prompt": [{"role": "system", "content": "be brief"}], "a": "x", "b": "y", "preferred": "b", "user": "u"}
    file.write_text("\n\n".join([file.read_text(), json.dumps(talk), json.dumps(talk)]) + "\n")
    found = labels(file)
    assert len(found) == 5
    told = found.filter(user="u").row(0, named=True)
    assert json.loads(told["prompt"]) == talk["prompt"]
    assert (told["a"], told["b"], told["preferred"]) == ("x", "y", "b")
    assert found["user"].n_unique() == 5


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("{", "line 1"),
        ('{"prompt": "p", "a": "x", "b": "y", "preferred": "c"}', "preferred"),
        ('{"prompt": "p", "a": "x", "preferred": "a"}', "b: Field required"),
        ('{"prompt": "", "a": "x", "b": "y", "preferred": "a"}', "prompt"),
        ('{"prompt": "p", "a": "x", "b": "y", "preferred": "a", "judge": 1}', "judge"),
    ],
)
def test_a_line_that_is_no_label_is_one_sentence(tmp_path: Path, line: str, what: str) -> None:
    (tmp_path / "labels.jsonl").write_text(line)
    with pytest.raises(BadInput, match=what):
        labels(tmp_path / "labels.jsonl")


def test_labels_that_are_not_there_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        labels(tmp_path / "gone.jsonl")


def test_a_judge_s_shares_are_found_with_their_intervals(tmp_path: Path) -> None:
    chosen = labels(labelled(tmp_path / "labels.jsonl", 600))
    found = calibrate(chosen, saying(chosen, right=0.85))
    for known in (found.sensitivity, found.specificity):
        assert known.low < 0.85 < known.high
        assert known.n == 300
    assert found.discernment == pytest.approx(0.7, abs=0.06)
    assert (found.consistency.share, found.holes) == (1.0, 0)
    assert too_weak(found) == ""


def test_a_judge_that_takes_what_stands_first_discerns_nothing(tmp_path: Path) -> None:
    chosen = labels(labelled(tmp_path / "labels.jsonl", 400))
    found = calibrate(chosen, saying(chosen, right=1, torn=400))
    assert found.discernment == 0
    assert found.consistency.share == 0
    assert "keeps 0.00 of a true difference" in too_weak(found)


@pytest.mark.parametrize(
    ("n", "told", "what"),
    [
        (2 * MIN_LABELS, {"right": 1.0}, ""),
        (2 * MIN_LABELS - 2, {"right": 1.0}, "99 labels of one class, 100 of each are needed"),
        (400, {"right": 0.7}, "of a true difference, at least 0.5 is needed"),
        (400, {"right": 0.1}, "of a true difference"),
        (400, {"right": 1.0, "holes": 60}, "60 of its 400 replies to labels cannot be read"),
        (400, {"right": 1.0, "holes": 400}, "cannot be read"),
    ],
)
def test_a_judge_too_weak_to_decide_is_told_so_in_a_sentence(
    tmp_path: Path, n: int, told: dict[str, Any], what: str
) -> None:
    chosen = labels(labelled(tmp_path / "labels.jsonl", n))
    said = too_weak(calibrate(chosen, saying(chosen, **told)))
    assert what in said
    assert bool(said) == bool(what)


def test_a_judge_that_nobody_calibrated_does_not_decide() -> None:
    assert "nobody has calibrated" in too_weak(None)


def test_labels_of_one_person_weigh_less(tmp_path: Path) -> None:
    values = pl.Series([1.0] * 50 + [0.0] * 50)
    apart = rate(values, pl.Series(range(100)))
    together = rate(values, pl.Series([number // 10 for number in range(100)]))
    assert together.share == apart.share == 0.5
    assert together.high - together.low > 2 * (apart.high - apart.low)


def corrected(found: Calibration, mean: float, error: float) -> tuple[float, float, float]:
    return found.corrected(mean, error)


def test_rogan_and_gladen_s_own_example() -> None:
    """Sensitivity 0.90, specificity 0.85: what looks like 70 % is 73.3 %."""
    wide = pl.Series(range(1000))
    found = Calibration(
        sensitivity=rate(pl.Series([1.0] * 900 + [0.0] * 100), wide),
        specificity=rate(pl.Series([1.0] * 850 + [0.0] * 150), wide),
        consistency=rate(pl.Series([1.0] * 1000), wide),
        holes=0,
    )
    share, low, high = corrected(found, 2 * 0.7 - 1, 0.0)
    assert share == pytest.approx(0.7333, abs=1e-3)
    assert 0.02 < high - low < 0.08
    wider = corrected(found, 2 * 0.7 - 1, 0.05)
    assert wider[2] - wider[1] > high - low


def test_a_judge_that_discerns_nothing_tells_nothing() -> None:
    coin = rate(pl.Series([1.0, 0.0]), pl.Series([1, 2]))
    share, low, high = corrected(Calibration(sensitivity=coin, specificity=coin, consistency=coin, holes=0), 0.2, 0.1)
    assert math.isnan(share)
    assert (low, high) == (-math.inf, math.inf)


def test_the_corrected_interval_holds_the_truth_as_often_as_it_says() -> None:
    draw, truth, se, sp, held, repeats = np.random.default_rng(5), 0.6, 0.85, 0.75, 0, 1500
    users = pl.Series(range(150))
    for _ in range(repeats):
        found = Calibration(
            sensitivity=rate(pl.Series((draw.random(150) < se).astype(float)), users),
            specificity=rate(pl.Series((draw.random(150) < sp).astype(float)), users),
            consistency=rate(pl.Series([1.0] * 150), users),
            holes=0,
        )
        wins = draw.random(400) < np.where(draw.random(400) < truth, se, 1 - sp)
        scores = 2.0 * wins - 1
        _, low, high = corrected(found, float(scores.mean()), float(scores.std() / 20))
        held += low < truth < high
    assert 0.935 < held / repeats < 0.975


REAL = Path(os.environ.get("FLYWHEEL_REAL_DATA", ".")).absolute()
real = pytest.mark.skipif(
    "FLYWHEEL_REAL_DATA" not in os.environ, reason="FLYWHEEL_REAL_DATA names no folder of real logs"
)


def majority(path: Path) -> Path:
    """PandaLM's 894 pairs on which most of three people prefer the same answer, as labels; 75 come twice."""
    lines = []
    for row in json.loads((REAL / "pandalm" / "testset-v1.json").read_text()):
        choice, votes = Counter(row[f"annotator{n}"] for n in (1, 2, 3)).most_common(1)[0]
        if votes > 1 and choice:
            prompt = f"{row['instruction']}\n{row['input']}".strip()
            told = {"prompt": prompt, "a": str(row["response1"]), "b": str(row["response2"])}
            lines.append(json.dumps(told | {"preferred": "ab"[choice - 1], "user": row["motivation_app"]}))
    path.write_text("\n".join(lines))
    return path


@real
def test_people_s_choices_of_a_real_log_are_read(tmp_path: Path) -> None:
    found = labels(majority(tmp_path / "labels.jsonl"))
    assert len(found) == 819
    assert dict(found["preferred"].value_counts().iter_rows()) == {"a": 389, "b": 430}


def against_the_others(one: int, judge: Any) -> Calibration:
    """A judge on the pairs of PandaLM on which the two annotators other than `one` agree."""
    chosen, said = [], []
    for row in json.loads((REAL / "pandalm" / "testset-v1.json").read_text()):
        votes = {row[f"annotator{number}"] for number in (1, 2, 3) if number != one}
        if len(votes) == 1 and 0 not in votes:
            chosen.append((str(row["idx"]), row["instruction"], "ab"[votes.pop() - 1]))
            said.append((str(row["idx"]), judge(row), None))
    columns = {"item": pl.String, "score": pl.Float64, "why": pl.String}
    asked = pl.DataFrame(chosen, schema=["item", "user", "preferred"], orient="row")
    return calibrate(asked, pl.DataFrame(said, schema=columns, orient="row"))


@real
@pytest.mark.parametrize("one", [1, 2, 3])
def test_each_annotator_of_a_real_log_would_do_as_a_judge(one: int) -> None:
    found = against_the_others(one, lambda row: {0: 0.0, 1: 1.0, 2: -1.0}[row[f"annotator{one}"]])
    assert found.discernment > 0.85
    assert too_weak(found) == ""


@real
def test_a_judge_that_takes_the_longer_answer_would_not() -> None:
    def longer(row: dict[str, Any]) -> float:
        return float(np.sign(len(str(row["response1"]).split()) - len(str(row["response2"]).split())))

    found = against_the_others(3, longer)
    assert 0.25 < found.discernment < 0.45
    assert "may not decide" in too_weak(found)
