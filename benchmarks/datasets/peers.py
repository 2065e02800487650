"""The contestants, each in a process of its own: `python -m benchmarks.datasets.peers NAME FOLDER COUNT` prints what it
took.

The peers are used as one would from their front page: words in a loop, one signature a text, an index that is asked for
each text; datasketch and rensa with our number of bands, so that they look for the same pairs.
"""

import json
import re
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.datasets.texts import WORKLOAD, changed, prompts, records_lake, texts, with_copies
from flywheel.datasets import curation, cut, keep_card
from flywheel.datasets import dataset as dataset_module
from flywheel.datasets.contamination import contaminated
from flywheel.datasets.near import BANDS, JACCARD, ROWS, WORDS, clusters
from flywheel.lake import Lake
from flywheel.settings import Gate, Workload

ITEMS, PLANTED = 10_000, 500
Told = dict[str, Any]
Ready = Callable[[], Told]


def shingles(text: str) -> list[str]:
    words = re.findall(r"\w+", text.lower())
    return [" ".join(words[place : place + WORDS]) for place in range(max(1, len(words) - WORDS + 1))]


def near(folder: Path, count: int) -> Ready:
    given = with_copies(count, 1)
    return lambda: {"clusters": clusters(given).n_unique()}


def datasketch(folder: Path, count: int) -> Ready:
    from datasketch import MinHash, MinHashLSH

    given = with_copies(count, 1).to_list()

    def run() -> Told:
        index, signatures = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS)), []
        for place, text in enumerate(given):
            signature = MinHash(num_perm=BANDS * ROWS, seed=1)
            signature.update_batch([gram.encode() for gram in shingles(text)])
            index.insert(place, signature)
            signatures.append(signature)
        return {"met": sum(len(index.query(signature)) for signature in signatures)}

    return run


def rensa(folder: Path, count: int) -> Ready:
    from rensa import RMinHash, RMinHashLSH

    given = with_copies(count, 1).to_list()

    def run() -> Told:
        index, signatures = RMinHashLSH(JACCARD, BANDS * ROWS, BANDS), []
        for place, text in enumerate(given):
            signature = RMinHash(num_perm=BANDS * ROWS, seed=1)
            signature.update(shingles(text))
            index.insert(place, signature)
            signatures.append(signature)
        return {"met": sum(len(index.query(signature)) for signature in signatures)}

    return run


def contamination(folder: Path, count: int) -> Ready:
    known, clean = texts(ITEMS, 5), texts(count - PLANTED, 6)
    planted = known.sample(PLANTED, seed=1)
    exact, close = planted.head(PLANTED // 2).str.to_uppercase(), changed(planted.tail(PLANTED // 2), 2)
    rows, items = prompts(pl.concat([clean, exact, close])), pl.DataFrame({"prompt": prompts(known), "request": known})

    def run() -> Told:
        found = contaminated(rows, items).is_not_null()
        return {
            "exact": found.slice(len(clean), len(exact)).mean(),
            "near": found.tail(len(close)).mean(),
            "clean": found.head(len(clean)).mean(),
        }

    return run


def dataset(folder: Path, count: int) -> Ready:
    """Everything that a cycle does with its records, card and all; the lake is made by a run of `lake` before."""
    found, rules = Lake(folder / f"records-{count}"), Workload(base_model="none", gate=Gate(min_users=2))
    clock = Clock()
    for name in AROUND:
        setattr(dataset_module, name, clock.timing(AROUND[name], getattr(dataset_module, name)))
    rules_of = curation._rules  # pyright: ignore[reportPrivateUsage]
    curation._rules = lambda *given: {  # pyright: ignore[reportPrivateUsage]
        name: clock.timing(name, rule) for name, rule in rules_of(*given).items()
    }

    def run() -> Told:
        made = clock.timing("the rest: reading, writing", cut)(found, WORKLOAD, rules)
        clock.timing("the card", keep_card)(found, WORKLOAD)
        funnel = found.read("funnel").group_by("rule").agg(pl.col("records_in", "records_out").sum())
        counts = {rule: (came, left) for rule, came, left in funnel.iter_rows()}
        steps = [(name, *counts.get(name, (None, None)), *took) for name, took in clock.took.items()]
        return {"rows": len(made.rows), "steps": steps}

    return run


AROUND = {
    "advance": "drawing the eval set",
    "candidates": "sides of the wall",
    "curate": "reading what was asked",
    "training_rows": "hashing the rows",
    "leaks": "counting leaks",
}
"""What `cut` does around the rules; what others take in it is theirs."""


class Clock:
    """Seconds, and seconds of cores, of each step without those inside it; in the order in which they began."""

    def __init__(self) -> None:
        self.took: dict[str, list[float]] = {}
        self._inner = [(0.0, 0.0)]

    def timing(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            self.took.setdefault(name, [0.0, 0.0])
            self._inner.append((0.0, 0.0))
            began = time.perf_counter(), time.process_time()
            result = work(*given, **named)
            whole = time.perf_counter() - began[0], time.process_time() - began[1]
            inside, outside = self._inner.pop(), self._inner.pop()
            self._inner.append((outside[0] + whole[0], outside[1] + whole[1]))
            for place in (0, 1):
                self.took[name][place] += whole[place] - inside[place]
            return result

        return timed


def lake(folder: Path, count: int) -> Ready:
    return lambda: {"records": records_lake(folder / f"records-{count}", count).count("pairs")}


CONTESTANTS = {each.__name__: each for each in (near, datasketch, rensa, contamination, dataset, lake)}


def main() -> None:
    name, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if name in ("near", "contamination"):
        clusters(pl.Series(["one two three four five six"]))  # whatever is imported or reckoned once
    ready = CONTESTANTS[name](folder, count)
    before, began = time.process_time(), time.perf_counter()
    told = ready()
    took = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - before}
    took["megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(json.dumps(took | {"told": told}) + "\n")


if __name__ == "__main__":
    main()
