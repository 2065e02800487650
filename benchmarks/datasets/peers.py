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
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.datasets.texts import WORKLOAD, changed, prompts, records_lake, texts, with_copies
from flywheel.datasets import curation, cut
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
    """Everything that a cycle does with its records; the lake is made by a run of `lake` before."""
    found, rules = Lake(folder / f"records-{count}"), Workload(base_model="none", gate=Gate(min_users=2))
    took = timed()

    def run() -> Told:
        made = cut(found, WORKLOAD, rules)
        steps = found.read("funnel").group_by("place", "rule").agg(pl.col("records_in", "rejected").sum()).sort("place")
        funnel = [(rule, came, gone, took[rule]) for _, rule, came, gone in steps.iter_rows()]
        return {"rows": len(made.rows), "funnel": funnel}

    return run


def timed() -> Counter[str]:
    """The seconds of each rule, counted from here on."""
    took: Counter[str] = Counter()
    rules_of = curation._rules  # pyright: ignore[reportPrivateUsage]

    def clocked(name: str, rule: curation.Apply) -> curation.Apply:
        def apply(records: pl.DataFrame, rules: Workload) -> curation.Ruled:
            began = time.perf_counter()
            ruled = rule(records, rules)
            took[name] += time.perf_counter() - began
            return ruled

        return apply

    def all_clocked(items: pl.DataFrame, rules: Workload, forms: Sequence[str]) -> dict[str, curation.Apply]:
        return {name: clocked(name, rule) for name, rule in rules_of(items, rules, forms).items()}

    curation._rules = all_clocked  # pyright: ignore[reportPrivateUsage]
    return took


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
