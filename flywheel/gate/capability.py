"""The capability set: what a model must not forget, as a file that a team keeps (`gate.capability`).

One JSON object a line: `prompt` (a text, or messages), and `matches`, a regular expression that a right answer
contains. Nothing of it is ever trained on. Which flips there are is told in `forgetting`.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import polars as pl

from flywheel.errors import BadInput

SCHEMA = {"item": pl.String, "prompt": pl.String, "matches": pl.String}
ALLOWED = '{"prompt": "...", "matches": "..."}'


def items(path: Path) -> pl.DataFrame:
    """The items of a file, each known by its content."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # a text may hold other line ends
    except (OSError, UnicodeDecodeError) as error:
        what, seen = "the capability file cannot be read", f"{path}: {error}"
        raise BadInput(what, seen=seen, do="mend gate.capability") from None
    rows = [_item(line, f"{path.name} line {number}") for number, line in enumerate(lines, start=1) if line.strip()]
    if not rows:
        raise BadInput("the capability file holds no item", seen=path, allowed=ALLOWED, do="mend gate.capability")
    return pl.DataFrame(rows, schema=SCHEMA).unique("item", keep="first", maintain_order=True)


def score(asked: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    """`item, score`: 1 where the answer matches, 0 where it does not, null without an answer."""
    texts = dict(answers.select("item", "text").iter_rows())
    rows = [
        (item, float(re.search(matches, texts[item]) is not None) if texts.get(item) is not None else None)
        for item, matches in asked.select("item", "matches").iter_rows()
    ]
    return pl.DataFrame(rows, schema={"item": pl.String, "score": pl.Float64}, orient="row")


def _item(line: str, where: str) -> dict[str, Any]:
    try:
        told = json.loads(line)
        prompt, matches = told["prompt"], told["matches"]
        re.compile(matches)
    except (ValueError, KeyError, TypeError, re.error) as error:
        what = f"{where} is no capability item ({error})"
        raise BadInput(what, seen=line[:80], allowed=ALLOWED, do="mend it") from None
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    content = json.dumps([messages, matches])
    name = f"capability-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
    return {"item": name, "prompt": json.dumps(messages), "matches": matches}
