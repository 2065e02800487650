"""The contestants, each in a process of its own: `python -m benchmarks.derive.peers NAME HOME` prints what it took.

`window` is one DuckDB query that orders each conversation, carries the texts and writes zstd Parquet: the least that
any derivation does. `polars` and `pandas` are how one would write edit, regeneration and rephrase in an afternoon: the
answer, the value and a text. `polars_same` is the same program made to say all that ours does (provenance, detail,
confidence, weight, user, slice, the other answer): its rows equal ours. `three` is our own derivation with all other
signals off, from the same files to the same kind of file; it makes the table of exchanges too, which they do not.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
from rapidfuzz.distance import Levenshtein

from benchmarks.derive.log import FIRST
from flywheel import records, settings, signals
from flywheel.lake import Lake, connect
from flywheel.signals.derive import VERSION as DETECTORS
from flywheel.tables import SIGNAL_KINDS, Signals

THREE = ("edit", "regeneration", "rephrase")
WORKLOADS = ("drafts", "notes")


def rules(home: Path, *, off: tuple[str, ...] = ()) -> settings.Settings:
    return settings.parse({
        "home": home,
        "start": FIRST,
        "sources": [{"name": "product", "path": "{home}/logs/*.jsonl"}],
        "workloads": {name: {"base_model": "base"} for name in WORKLOADS},
        "slices": [{"name": f"s{n}", "tags": {"segment": f"s{n}"}} for n in range(4)],
        "signals": {"off": off},
    })  # fmt: skip


def derive(home: Path) -> dict[str, int]:
    """All of ours: events to signals to records, whatever is stale."""
    found = signals.catch_up(Lake(home), rules(home))
    made = records.catch_up(Lake(home), rules(home))
    return {"exchanges": found.exchanges, **found.signals, **made.records}


def three(home: Path) -> dict[str, int]:
    events, off = read(home), tuple(kind for kind in SIGNAL_KINDS if kind not in THREE)
    marks = dict(events.group_by("workload").agg(pl.col("time").max()).iter_rows())
    asked = rules(home, off=off)
    return write(home, signals.derive(events, marks, asked.signals, asked.slices).signals)


def window(home: Path) -> dict[str, int]:
    files = Lake(home).files("events")["file"].to_list()
    ordered = "SELECT *, row_number() OVER (PARTITION BY workload, conversation ORDER BY time, key) AS place"
    with connect() as connection:
        out = home / "window.parquet"
        query = f"{ordered} FROM read_parquet({files})"
        connection.execute(f"COPY ({query}) TO '{out}' (FORMAT parquet, COMPRESSION zstd)")
    return {}


def polars(home: Path) -> dict[str, int]:
    events = read(home)
    asked = events.filter(kind="response").select("workload", "conversation", "parent", "time", "id", "prompt", "text")
    about = ["workload", "answer"]
    edits = events.filter(kind="edited").sort("time").group_by(about).agg(pl.col("text").last().alias("final"))
    used = events.filter(kind="accepted").select(about).unique().with_columns(used=pl.lit(True))
    rows = asked.rename({"id": "answer"}).join(edits, on=about, how="left").join(used, on=about, how="left")
    rows = rows.with_columns(request=pl.col("prompt").str.json_path_match("$[-1:].content")).sort("time", "answer")
    talk, siblings = ["workload", "conversation"], ["workload", "conversation", "parent"]
    changed = pl.struct("text", "final").map_elements(_changed, return_dtype=pl.Float64)
    edit = rows.filter(pl.col("final").is_not_null()).with_columns(value=changed).filter(pl.col("value") > 0.02)
    later = pl.len().over(siblings) - pl.int_range(pl.len()).over(siblings) - 1
    regeneration = rows.with_columns(value=later.cast(pl.Float64)).filter(pl.col("value") > 0)
    after = rows.with_columns(said=pl.col("request").shift(-1).over(talk), then=pl.col("parent").shift(-1).over(talk))
    after = after.filter(pl.col("then") != pl.col("parent"), pl.col("final").is_null(), pl.col("used").is_null())
    words = [pl.col(name).str.to_lowercase().str.split(" ") for name in ("request", "said")]
    alike = words[0].list.set_intersection(words[1]).list.len() / words[0].list.set_union(words[1]).list.len()
    rephrase = after.with_columns(value=alike).filter(pl.col("value") >= 0.3)
    found = {"edit": edit, "regeneration": regeneration, "rephrase": rephrase}
    return write(home, pl.concat([
        frame.select("workload", "answer", pl.lit(kind).alias("kind"), "value", "conversation", "text")
        for kind, frame in found.items()
    ]))  # fmt: skip


def polars_same(home: Path) -> dict[str, int]:
    """Row by row what `three` finds; edits of this log are never JSON nor another text, so that is not asked."""
    events, given = read(home), rules(home).signals
    names = ["key", "workload", "conversation", "user", "tags", "parent", "time", "prompt", "text", "model_version"]
    about, talk = ["workload", "answer"], ["workload", "conversation"]
    siblings = [*talk, "parent"]
    acts = events.filter(pl.col("kind").is_in(["edited", "accepted"])).sort("time", "key").group_by(about)
    kept = acts.agg(
        acts="key",
        final=pl.col("text").filter(pl.col("kind") == "edited").last(),
        used=(pl.col("kind") == "accepted").any(),
    )
    rows = events.filter(kind="response").select(*names, answer="id").join(kept, on=about, how="left")
    rows = rows.sort("time", "answer").with_columns(
        request=pl.col("prompt").str.json_path_match("$[-1:].content"),
        slice=pl.col("tags").str.json_path_match("$.segment"),
        day=pl.col("time").dt.date(),
    )
    changed = pl.struct("text", "final").map_elements(_changed, return_dtype=pl.Float64)
    small = pl.col("value") < given.edit_pair
    edit = rows.filter(pl.col("final").is_not_null()).with_columns(value=changed, text="final")
    edit = edit.filter(pl.col("value") >= given.edit_typo).with_columns(
        kind=pl.lit("edit"),
        detail=pl.when(small).then(pl.lit("small")).otherwise(pl.lit("edit")),
        confidence=pl.when(small).then(0.7).otherwise(0.85),
        weight=pl.when(small).then(given.edit_small).otherwise(1.0),
        event_ids=pl.concat_list("key", "acts"),
    )
    place = pl.int_range(pl.len()).over(siblings)
    chain = pl.col("key").implode().over(siblings, mapping_strategy="join")
    regeneration = rows.with_columns(
        kind=pl.lit("regeneration"),
        value=(pl.len().over(siblings) - place - 1).cast(pl.Float64),
        text=pl.lit(None, pl.String),
        other=pl.col("answer").last().over(siblings),
        confidence=0.7,
        event_ids=chain.list.slice(place),
    ).filter(pl.col("value") > 0)
    after = ("request", "parent", "answer", "key")
    then = rows.with_columns(pl.col(name).shift(-1).over(talk).alias(f"next_{name}") for name in after)
    then = then.filter(
        pl.col("next_parent") != pl.col("parent"), pl.col("final").is_null(), ~pl.col("used").fill_null(False)
    )
    words = [pl.col(name).str.to_lowercase().str.split(" ") for name in ("request", "next_request")]
    alike = words[0].list.set_intersection(words[1]).list.len() / words[0].list.set_union(words[1]).list.len()
    rephrase = then.with_columns(
        kind=pl.lit("rephrase"),
        value=alike,
        text="next_request",
        other="next_answer",
        confidence=0.6,
        weight=0.5,
        event_ids=pl.concat_list("key", "next_key"),
    ).filter(pl.col("value") >= given.rephrase_similarity)
    found = pl.concat([edit, regeneration, rephrase], how="diagonal_relaxed").with_columns(
        pl.col("weight").fill_null(1.0), about=pl.lit(""), audited=False, detector=pl.col("kind") + f"@{DETECTORS}"
    )
    return write(home, found.select(list(Signals.columns())))


def pandas(home: Path) -> dict[str, int]:
    """Conversation by conversation, as one reads a log."""
    import pandas as pd

    events = pd.read_parquet(Lake(home).files("events")["file"].to_list())
    names = events[events.kind == "response"].set_index(["workload", "id"]).conversation
    keys = pd.MultiIndex.from_frame(events[["workload", "answer"]])
    events["talk"] = names.reindex(keys).to_numpy()
    events["talk"] = events.talk.fillna(events.conversation)
    found: list[dict[str, object]] = []
    for (workload, _), talk in events.sort_values(["time", "key"]).groupby(["workload", "talk"]):
        found += [row | {"workload": workload} for row in _of_talk(talk)]
    return write(home, pl.DataFrame(found))


def _of_talk(talk) -> list[dict[str, object]]:
    answers = talk[talk.kind == "response"]
    edits = talk[talk.kind == "edited"].drop_duplicates("answer", keep="last").set_index("answer").text
    used = set(talk[talk.kind == "accepted"].answer)
    rows = list(answers.itertuples())
    found: list[dict[str, object]] = []
    for place, row in enumerate(rows):
        about = {"answer": row.id, "text": row.text}
        if row.id in edits.index:
            value = _changed({"text": row.text, "final": edits[row.id]})
            found += [about | {"kind": "edit", "value": value}] if value > 0.02 else []
        later = sum(other.parent == row.parent for other in rows[place + 1 :])
        found += [about | {"kind": "regeneration", "value": float(later)}] if later else []
        if place + 1 < len(rows) and rows[place + 1].parent != row.parent and row.id not in {*edits.index, *used}:
            one, two = (set(_request(each.prompt).lower().split()) for each in rows[place : place + 2])
            alike = len(one & two) / max(len(one | two), 1)
            found += [about | {"kind": "rephrase", "value": alike}] if alike >= 0.3 else []
    return found


def _request(prompt: str) -> str:
    return json.loads(prompt)[-1]["content"]


def _changed(row: dict[str, str]) -> float:
    return Levenshtein.normalized_distance(row["text"].split(), row["final"].split())


def read(home: Path) -> pl.DataFrame:
    return pl.read_parquet(Lake(home).files("events")["file"].to_list())


def write(home: Path, found: pl.DataFrame) -> dict[str, int]:
    found.write_parquet(home / "found.parquet", compression="zstd")
    return dict(found["kind"].value_counts().sort("kind").iter_rows())


CONTESTANTS: dict[str, Callable[[Path], dict[str, int]]] = {
    contestant.__name__: contestant for contestant in (derive, three, window, polars, polars_same, pandas)
}


def main() -> None:
    name, home = sys.argv[1], Path(sys.argv[2])
    began = time.perf_counter()
    found = CONTESTANTS[name](home)
    seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    high = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    told = {"seconds": seconds, "cpu": used.ru_utime + used.ru_stime, "megabytes": int(high.split()[1]) / 1024}
    sys.stdout.write(json.dumps(told | {"found": found}) + "\n")


if __name__ == "__main__":
    main()
