"""Conversations of other things, mixed into SFT so that the model does not forget them.

They come from a JSONL file with a list of `messages` a line, of which the last is learned, and weigh one each. Reading
and drawing belong here and need no torch.
"""

import hashlib
import json
import random
from pathlib import Path
from typing import Any

from flywheel.errors import BadInput
from flywheel.settings import Recipe
from flywheel.training.rows import Row


def replayed(home: Path, recipe: Recipe, demonstrations: int) -> list[Row]:
    """As many that they are `replay_share` of all rows of SFT, or all there are; the same ones for the same seed."""
    if not (recipe.replay and demonstrations and recipe.replay_share):
        return []
    found = read(_path(home, recipe))
    share = recipe.replay_share
    wished = len(found) if share == 1 else round(demonstrations * share / (1 - share))
    return random.Random(recipe.seed).sample(found, min(wished, len(found)))


def digest(home: Path, recipe: Recipe) -> str:
    """Of the file, so that other conversations are another training; nothing where there is none to read."""
    path = _path(home, recipe)
    if not (recipe.replay and path.is_file()):
        return ""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _path(home: Path, recipe: Recipe) -> Path:
    return Path(recipe.replay.replace("{home}", str(home)))


def read(path: Path) -> list[Row]:
    """Every line of the file; a line that is no conversation ends it, by its number."""
    try:
        lines = path.read_text().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput("the replay file cannot be read", seen=f"{path} ({error})", do="mend recipe.replay") from None
    return [_row(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _row(path: Path, number: int, line: str) -> Row:
    if why := _wrong(messages := _messages(line)):
        raise BadInput(
            f"line {number} of {path} is no conversation: {why}",
            seen=line[:80],
            allowed='{"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}',
            do="mend that line or take it out",
        )
    return {"prompt": messages[:-1], "completion": messages[-1:], "weight": 1.0}


def _messages(line: str) -> Any:
    try:
        told = json.loads(line)
    except ValueError:
        return None
    return told.get("messages") if isinstance(told, dict) else None


def _wrong(messages: Any) -> str:
    """What keeps these messages from being learned from; empty where nothing does."""
    if not isinstance(messages, list):
        return "it has no list of messages"
    for message in messages:
        if not isinstance(message, dict) or set(message) != {"role", "content"}:
            return "a message has a role and a content, and nothing else"
        if not all(isinstance(value, str) for value in message.values()):
            return "the role and the content of a message are texts"
    if len(messages) < 2 or messages[-1]["role"] != "assistant":
        return "it must end with an answer of the assistant to something"
    return ""
