"""What is mixed in against forgetting: how much, which, and what is said of a line that is no conversation."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.errors import BadInput
from flywheel.settings import Recipe
from flywheel.training.recipe import name
from flywheel.training.replay import digest, read, replayed


def line(number: int) -> dict[str, Any]:
    said = [{"role": "user", "content": f"{number} and 1?"}, {"role": "assistant", "content": str(number + 1)}]
    return {"messages": said}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("replay")
    (made / "old.jsonl").write_text("\n".join(json.dumps(line(number)) for number in range(50)) + "\n\n")
    return made


@given(demonstrations=st.integers(0, 400), share=st.floats(0, 1), seed=st.integers(0, 3))
def test_it_is_the_share_of_all_rows_as_far_as_the_file_goes(
    home: Path, demonstrations: int, share: float, seed: int
) -> None:
    recipe = Recipe(replay="{home}/old.jsonl", replay_share=share, seed=seed)
    found = replayed(home, recipe, demonstrations)
    wished = 0 if demonstrations == 0 else share * (demonstrations + len(found))
    assert len(found) == 50 or len(found) == pytest.approx(wished, abs=1)
    assert len({row["prompt"][0]["content"] for row in found}) == len(found)
    assert found == replayed(home, recipe, demonstrations)


def test_another_seed_draws_others_and_each_weighs_one(home: Path) -> None:
    one, other = (replayed(home, Recipe(replay="{home}/old.jsonl", seed=seed), 90) for seed in (0, 1))
    assert len(one) == len(other) == 10
    assert one != other
    assert set(one[0]) == {"prompt", "completion", "weight"}
    assert {row["weight"] for row in one} == {1.0}


def test_without_a_file_nothing_is_mixed_in(home: Path) -> None:
    assert replayed(home, Recipe(), 90) == []


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("nothing", "no list of messages"),
        ('{"messages": "hi"}', "no list of messages"),
        ('["hi"]', "no list of messages"),
        (json.dumps({"messages": line(1)["messages"][:1]}), "must end with an answer"),
        (json.dumps({"messages": line(1)["messages"][1:]}), "must end with an answer"),
        ('{"messages": [{"role": "user"}]}', "has a role and a content, and nothing else"),
        ('{"messages": [{"role": "user", "content": "x", "tool_calls": []}]}', "and nothing else"),
        ('{"messages": [{"role": "user", "content": null}]}', "are texts"),
    ],
)
def test_a_line_that_is_no_conversation_is_said_by_its_number(tmp_path: Path, bad: str, why: str) -> None:
    path = tmp_path / "old.jsonl"
    path.write_text(json.dumps(line(0)) + "\n" + bad + "\n")
    with pytest.raises(BadInput, match=f"line 2 of .*old.jsonl is no conversation: .*{why}"):
        read(path)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_said(tmp_path: Path, content: bytes | None) -> None:
    if content:
        (tmp_path / "old.jsonl").write_bytes(content)
    with pytest.raises(BadInput, match=r"replay file cannot be read; saw `.*old.jsonl"):
        read(tmp_path / "old.jsonl")


def test_other_conversations_are_another_training(home: Path) -> None:
    wanted = Recipe(replay="{home}/old.jsonl")
    before = digest(home, wanted)
    path = home / "old.jsonl"
    content = path.read_text()
    path.write_text(content + "\n")
    assert len({before, digest(home, wanted), digest(home, Recipe())}) == 3
    assert name("d", wanted, "f", replay=before) != name("d", wanted, "f", replay=digest(home, wanted))
    path.write_text(content)
