"""A native log as a busy product writes it, made from a seed, with all that a reader must find in it known.

Conversations of one to four turns over thirty days: responses of some kilobytes, and what people and tools did with
them. A few lines come again (some of them spelled differently), a few are broken, a few hold personal data. Lines are
in the order of time, more or less. How a good line is made belongs in `scene`.
"""

import json
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import NamedTuple

from benchmarks.ingest.scene import MONTH, Line, Scene
from benchmarks.ingest.words import sentences

REPEATED, RESPELLED, BROKEN = 0.005, 0.1, 0.002
SEED, SENTENCES = 1, 40_000


@dataclass(frozen=True, kw_only=True)
class Planted:
    """What a reader must find: records = accepted + repeated + broken."""

    bytes: int = 0
    records: int = 0
    accepted: int = 0
    repeated: int = 0
    broken: int = 0
    objects: int = 0
    """Records that are a JSON object, whatever it says."""
    personal: int = 0
    """Accepted records with personal data or a key in them."""

    def __add__(self, other: "Planted") -> "Planted":
        return Planted(**{name: value + getattr(other, name) for name, value in vars(self).items()})


class Log(NamedTuple):
    """The files of a log (a glob), and what is in them, block by block."""

    path: str
    blocks: list[Planted]

    @property
    def planted(self) -> Planted:
        return sum(self.blocks, Planted())


def write(path: Path, megabytes: float, *, part: int = 0) -> Log:
    """Write at least so many megabytes. Logs of two parts have no id in common."""
    pool, blocks, size, earlier = sentences(Random(SEED), SENTENCES), [], 0, []
    with path.open("wb") as handle:
        while size < megabytes * 1e6:
            random = Random(f"{SEED} {part} {len(blocks)}")
            scene = Scene(pool, random, first_id=part << 40 | len(blocks) << 20, began=MONTH * size / megabytes / 1e6)
            data, planted = _block(random, sorted(scene.play()), earlier)
            size += handle.write(data)
            blocks.append(planted)
    return Log(str(path), blocks)


def write_all(folder: Path, megabytes: float, parts: Iterable[int]) -> Log:
    """A log of as many files as there are parts, so many megabytes each."""
    with ProcessPoolExecutor(2) as processes:
        paths = {part: folder / f"part-{part}.jsonl" for part in parts}
        written = [processes.submit(write, path, megabytes, part=part) for part, path in paths.items()]
        return Log(f"{folder}/*.jsonl", [block for each in written for block in each.result().blocks])


def head(log: Log, path: Path, megabytes: float) -> Log:
    """The first blocks of a log of one file, as a log of its own; the log itself if it is no larger."""
    sizes = list(accumulate(block.bytes for block in log.blocks))
    count = bisect_left(sizes, megabytes * 1e6) + 1
    if count >= len(sizes):
        return log
    with Path(log.path).open("rb") as handle:
        path.write_bytes(handle.read(sizes[count - 1]))
    return Log(str(path), log.blocks[:count])


def _block(random: Random, good: list[Line], earlier: list[str]) -> tuple[bytes, Planted]:
    """The lines of one block with repeated and broken ones among them; `earlier` is what later blocks may repeat."""
    texts = [line.text for line in good]
    again = random.choices(texts + earlier, k=round(REPEATED * len(texts)))
    again = [_respelled(text) if random.random() < RESPELLED else text for text in again]
    broken = [random.choice(BREAKS)(text) for text in random.sample(texts, round(BROKEN * len(texts)))]
    earlier += random.sample(texts, 50)
    for text in again + broken:
        texts.insert(random.randrange(len(texts)), text)
    data = "\n".join([*texts, ""]).encode()
    return data, Planted(
        bytes=len(data),
        records=len(texts),
        accepted=len(good),
        repeated=len(again),
        broken=len(broken),
        objects=len(good) + len(again) + sum(map(_is_object, broken)),
        personal=sum(line.personal for line in good),
    )


def _respelled(text: str) -> str:
    """The same event from another writer: other order, other spaces, all of it in ASCII."""
    return json.dumps(dict(reversed(json.loads(text).items())))


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


BREAKS: list[Callable[[str], str]] = [
    lambda text: text[: len(text) // 2],  # torn
    lambda text: f"Traceback (most recent call last): {len(text)}",
    lambda text: f"[{text}]",
    lambda text: text.replace('"v":1', '"v":7', 1),
    lambda text: text.replace('"v":1', '"v":1,"debug":true', 1),
    lambda text: re.sub(r'"kind":"\w+"', '"kind":"viewed"', text, count=1),
    lambda text: re.sub(r'"workload":"[^"]+",', "", text, count=1),
    lambda text: re.sub(r'"id":"[^"]+"', '"id":17', text, count=1),
    lambda text: re.sub(r'"at":"[^"]+"', '"at":"yesterday"', text, count=1),
    lambda text: re.sub(r'"at":"2026', '"at":"2036', text, count=1),  # far ahead of the clock
]
