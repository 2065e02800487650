"""The page about logs is true: each block of settings is read, each record counts what the page says. So is the
reader that CONTRIBUTING.md shows.
"""

import json
import re
import textwrap
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from flywheel.capture.events import Event, Response
from flywheel.ingest import chat, ingest, quarantined
from flywheel.ingest.reader import Reader, Rejected, reading
from flywheel.lake import Lake
from flywheel.settings import Source, parse
from tests.flywheel.ingest.logs import conserved

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "logs.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def blocks(section: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", SECTIONS[section], re.DOTALL)


def sources(written: str) -> tuple[Source, ...]:
    return parse({"start": "2024-01-01", "workloads": {}, **tomllib.loads(written)}).sources


@pytest.mark.parametrize("section", SECTIONS)
def test_what_the_page_shows_is_what_one_sees(section: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first, *others = blocks(section, "toml")
    [source] = sources(first)
    path = Path(source.path.replace("*", "sample"))
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps(json.loads(each)) + "\n" for each in blocks(section, "json")))
    lake = Lake(tmp_path / "home")
    taken = ingest(lake, [source], now=datetime(2026, 1, 1, tzinfo=UTC)).as_json()
    assert quarantined(lake)["reason"].to_list() == []
    [seen] = blocks(section, "text")
    assert seen.splitlines() == [f"{name:>15}  {taken[name]}" for name in re.findall(r"^ +(\w+)", seen, re.MULTILINE)]
    for other in others:
        assert sources(other)[0].live


@pytest.mark.parametrize("section", SECTIONS)
def test_a_mangled_sample_loses_nothing(section: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    [source] = sources(blocks(section, "toml")[0])
    read = [json.loads(each) for each in blocks(section, "json")]
    records = [record for each in read for record in (each if isinstance(each, list) else [each])]
    lines = [json.dumps({**record, name: None}) for record in records for name in record]
    lines += [json.dumps(record)[:-9] for record in records] + [json.dumps(record) for record in records]
    path = Path("mangled.jsonl")
    path.write_text("\n".join(lines) + "\n")
    mangled = source.model_copy(update={"path": str(path)})
    taken = ingest(Lake(tmp_path / "home"), [mangled], now=datetime(2026, 1, 1, tzinfo=UTC))
    conserved(tmp_path / "home")
    assert taken.records == len(lines) == taken.accepted + taken.repeated + taken.quarantined
    assert taken.quarantined >= len(records)
    assert taken.accepted > 0


def test_the_reader_that_contributing_shows_reads() -> None:
    [shown] = re.findall(
        r"^ +```python\n( +MARKS.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE | re.DOTALL
    )
    names: dict[str, Any] = {
        each.__name__: each for each in (Source, Reader, Event, Response, Iterator, reading, partial, chat)
    }
    names |= {"Any": Any, "chat": chat}
    exec(textwrap.dedent(shown), names)
    read = names["reader"](Source(name="own", path="*"))
    record = {
        "chat_id": "c",
        "id": 7,
        "answer": "Yes.",
        "time": 1738960610,
        "asked": [{"role": "user", "content": "So?"}],
    }
    [answer] = read(record)
    assert (answer.text, answer.conversation, answer.prompt[0].content, answer.workload) == ("Yes.", "c", "So?", "own")
    assert isinstance(read({**record, "asked": 1}), Rejected)
