"""Generated prompts and records: words as people use them, a tenth of the texts a changed copy of another."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

from flywheel.lake import Lake

WORKLOAD = "drafts"
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
DAYS = 28
AT_ONCE = 20_000


def texts(count: int, seed: int, *, least: int = 20, most: int = 100) -> pl.Series:
    """Texts of words of which few are common and most are rare, made a few at a time."""
    vocabulary = _vocabulary()
    parts = [
        _some(vocabulary, min(AT_ONCE, count - done), [seed, done], least, most) for done in range(0, count, AT_ONCE)
    ]
    return pl.concat(parts)


@cache
def _vocabulary() -> pl.Series:
    chance = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlucmfw"))
    words = np.unique(["".join(chance.choice(letters, size)) for size in chance.integers(2, 10, 30_000)])
    return pl.Series(chance.permutation(words))


def _some(vocabulary: pl.Series, count: int, seed: list[int], least: int, most: int) -> pl.Series:
    chance = np.random.default_rng(seed)
    sizes = chance.integers(least, most + 1, count)
    # Zipf's law, cut off where the vocabulary ends.
    ranks = (len(vocabulary) ** chance.random(int(sizes.sum()))).astype(np.int64) - 1
    rows = pl.DataFrame({"text": np.repeat(np.arange(count), sizes), "word": vocabulary.gather(pl.Series(ranks))})
    return rows.group_by("text", maintain_order=True).agg(pl.col("word").str.join(" "))["word"]


def with_copies(count: int, seed: int) -> pl.Series:
    """A tenth of the texts are others with one word changed."""
    first = texts(count - count // 10, seed, least=60, most=60)
    copies = first.head(count // 10).str.replace(r"^((?:\S+ ){30})\S+", "${1}changed")
    return pl.concat([first, copies]).sample(fraction=1, shuffle=True, seed=seed)


def changed(some: pl.Series, seed: int) -> pl.Series:
    """The texts with a word in fifteen replaced, left out or added."""
    chance = np.random.default_rng(seed)

    def edited(text: str) -> str:
        words = text.split()
        for _ in range(max(1, len(words) // 15)):
            place, what = int(chance.integers(len(words))), int(chance.integers(3))
            words[place : place + (what < 2)] = [] if what == 0 else [f"new{chance.integers(10**6)}"]
        return " ".join(words)

    return pl.Series([edited(text) for text in some])


def prompts(asked: pl.Series) -> pl.Series:
    """Each as the messages of a prompt."""
    start = '[{"role": "system", "content": "You answer the customers of a shop."}, {"role": "user", "content": "'
    return pl.select(pl.concat_str(pl.lit(start), pl.lit(asked), pl.lit('"}]'))).to_series()


def records_lake(home: Path, count: int) -> Lake:
    """A lake with `count` records, half pairs, the rest demonstrations and opinions, of some users and 28 days."""
    lake = Lake(home)
    for kind, size, seed in (("pairs", count // 2, 1), ("demonstrations", count // 4, 2), ("labels", count // 4, 3)):
        for part in range(0, size, 50_000):
            rows = min(50_000, size - part)
            lake.append(kind, _records(kind, rows, seed * 1000 + part, part), f"{kind} {part}")
    lake.append("exchanges", _exchanges(20_000), "exchanges")
    lake.append("events", _watermark(lake), "events")
    return lake


def _records(kind: str, count: int, seed: int, first: int) -> pl.DataFrame:
    chance = np.random.default_rng(seed)
    asked = pl.concat([with_copies(count - count // 50, seed), pl.Series(["where is my order"] * (count // 50))])
    # Few users give most of the feedback.
    users = pl.Series((100_000 * chance.random(count) ** 2).astype(np.int64))
    one, other = texts(count, seed + 1), texts(count, seed + 2)
    rule = {"pairs": "sample_pair", "demonstrations": "edit_demonstration", "labels": "rating_label"}[kind]
    name = pl.format("{}-{}", pl.lit(kind), "place")
    shared = pl.DataFrame({
        "place": np.arange(first, first + count),
        "user": users,
        "day": chance.integers(0, DAYS, count),
        "prompt": prompts(asked),
        "confidence": 0.4 + 0.6 * chance.random(count),
        "one": one,
        "other": other,
        "up": chance.random(count) < 0.6,
    }).select(
        "prompt",
        "confidence",
        id=name,
        workload=pl.lit(WORKLOAD),
        unit=pl.format("conversation {}", name),
        day=pl.lit(NOON.date()) + pl.duration(days="day"),
        conversation=name,
        user=pl.format("user {}", "user"),
        slice=pl.lit("unassigned"),
        model_version=pl.lit(None, dtype=pl.String),
        weight=pl.lit(1.0),
        rule=pl.lit(rule),
        rule_version=pl.lit(1),
        event_ids=pl.concat_list(pl.format("{} asked", name), pl.format("{} judged", name)),
        one="one",
        other="other",
        up="up",
    )  # fmt: skip
    sides = {
        "pairs": {"chosen": "one", "rejected": "other"},
        "demonstrations": {"completion": "one"},
        "labels": {"response": "one", "desirable": "up"},
    }[kind]
    told = shared.with_columns(**{name: pl.col(of) for name, of in sides.items()}, trajectory=pl.lit(False))
    return told.drop("one", "other", "up", *(["trajectory"] if kind == "labels" else []))


def _exchanges(count: int) -> pl.DataFrame:
    """What people asked and sent: enough to draw an eval set from."""
    asked, sent = texts(count, 77), texts(count, 78)
    return pl.DataFrame({"place": np.arange(count), "asked": asked, "final": sent, "prompt": prompts(asked)}).select(
        "final",
        "prompt",
        workload=pl.lit(WORKLOAD),
        answer=pl.format("answer {}", "place"),
        day=pl.lit(date(2026, 1, 6)),
        time=pl.lit(NOON),
        conversation=pl.format("talk {}", "place"),
        named=pl.lit(True),
        task=pl.format("ask {}", "place"),
        turn=pl.lit(1),
        parent=pl.format("ask {}", "place"),
        attempt=pl.lit(1),
        user=pl.format("user {}", pl.col("place") % 5000),
        slice=pl.lit("unassigned"),
        request="asked",
        response=pl.lit("I cannot say."),
        model=pl.lit("base"),
        model_version=pl.lit(None, dtype=pl.String),
        arm=pl.lit(None, dtype=pl.String),
        refused=pl.lit(False),
        shown_ms=pl.lit(None, dtype=pl.Float64),
        outcome=pl.lit(None, dtype=pl.Float64),
        since=pl.lit(NOON),
        until=pl.lit(NOON),
        closed=pl.lit(True),
        may_train=pl.lit(True),
        event_ids=pl.concat_list(pl.format("answer {}", "place")),
    )


def _watermark(lake: Lake) -> pl.DataFrame:
    """One event that tells the time."""
    empty = lake.read("events")
    told = {"key": "k", "source": "s", "kind": "accepted", "id": "i", "workload": WORKLOAD, "tags": "{}"}
    row = told | {"time": NOON + timedelta(days=DAYS), "may_train": True, "id_conflict": False}
    return pl.DataFrame([row | {name: None for name in empty.columns if name not in row}], schema=empty.schema)
