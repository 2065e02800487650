"""Two files of anybody's scores, judged by the gate's own rule: `flywheel gate compare`.

A file is JSONL or Parquet with `item_id` and `score` (higher is better, null where none), and where there are any,
`user_id`, `slice`, `output` and `eval_hash`. A row that cannot be read is refused; what can be read and not be trusted
is held, in words. There is no ledger here: each comparison is judged as a first look.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from flywheel.errors import BadInput
from flywheel.gate.compare import by_slice, compare, length_control
from flywheel.gate.decide import Evidence, decide
from flywheel.gate.ledger import spend
from flywheel.gate.pairing import Pairing, Scored, pair
from flywheel.gate.sanity import faults
from flywheel.gate.verdict import plain, shown
from flywheel.settings import Gate

COLUMNS = {
    "item_id": pl.String,
    "score": pl.Float64,
    "user_id": pl.String,
    "slice": pl.String,
    "output": pl.String,
    "eval_hash": pl.String,
}
NEEDED = ("item_id", "score")
SAME = "both files say the same of every item: the same model twice, nothing to compare"


def scores(path: Path) -> pl.DataFrame:
    """The rows of one file; columns that it does not have are not there."""
    try:
        found = _parquet(path) if path.suffix == ".parquet" else _lines(path)
    except OSError as error:
        raise BadInput(f"the scores cannot be read ({error.strerror or error})", seen=path) from None
    if missing := [name for name in NEEDED if name not in found.columns]:
        what = f"the scores have no column {' and no column '.join(missing)}"
        raise BadInput(what, seen=path, allowed=", ".join(COLUMNS), do="name the columns so")
    if found["item_id"].null_count():
        raise BadInput(f"{found['item_id'].null_count()} rows have no item_id", seen=path, do="name each item")
    return found


def judged(champion: pl.DataFrame, candidate: pl.DataFrame, gate: Gate) -> dict[str, Any]:
    """The verdict as JSON: verdict, reasons, gain, interval, n, n_needed and slices."""
    broken = _mismatches(champion, candidate)
    pairing = _pairing(champion, candidate, gate)
    broken += pairing.broken
    alpha = spend(1, gate.alpha)
    found = compare(pairing.pairs, alpha=alpha) if pairing.comparable and not broken else None
    looked = pairing.pairs if found else pairing.pairs.clear()
    slices = by_slice(looked, tested_from=gate.slice_items, slope=found.slope if found else 0.0)
    evidence = Evidence(
        broken=broken,
        faults=_faults(champion, candidate),
        found=found,
        asked=pairing.asked,
        holes=pairing.holes,
        look=1,
        slices=slices,
        notes=(*pairing.notes, *_notes(champion, candidate, gate)),
    )
    decision = decide(evidence, gate)
    told = plain({"gain": found.gain, "low": found.low, "high": found.high} if found else {})
    return {
        "verdict": decision.verdict,
        "reasons": list(decision.reasons),
        "gain": told.get("gain"),
        "interval": [told["low"], told["high"]] if found else None,
        "level": 1 - 2 * alpha,
        "n": len(looked),
        "users": looked["user"].n_unique(),
        "n_needed": decision.n_needed,
        "slices": shown(slices),
    }


def _parquet(path: Path) -> pl.DataFrame:
    try:
        held = pl.read_parquet_schema(path)
        found = pl.read_parquet(path, columns=[name for name in COLUMNS if name in held])
        return found.with_columns(
            pl.col(name).cast(kind)
            for name, kind in COLUMNS.items()
            if name in found.columns and _may(found[name], kind)
        )
    except pl.exceptions.PolarsError as error:
        what = f"the scores are no Parquet file that can be used ({str(error).splitlines()[0]})"
        raise BadInput(what, seen=path) from None


def _may(column: pl.Series, kind: Any) -> bool:
    """Numbers may name items and users, but text is no score."""
    if kind == pl.Float64 and not (column.dtype.is_numeric() or column.dtype == pl.Null):
        raise pl.exceptions.InvalidOperationError(f"column {column.name} holds {column.dtype} and no numbers")
    return True


def _lines(path: Path) -> pl.DataFrame:
    rows = list(_rows(path))
    names = set().union(*(row.keys() for row in rows)) if rows else set(NEEDED)
    return pl.DataFrame(rows, schema={name: kind for name, kind in COLUMNS.items() if name in names})


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """Each line's columns, checked; blank lines are nothing."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _row(line, f"line {number} of {path}")


def _row(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where} is not JSON ({error})", seen=line[:60].decode(errors="replace")) from None
    if not isinstance(row, dict) or not set(NEEDED) <= row.keys():
        raise BadInput(f"{where} is no row of scores", seen=str(row)[:60], allowed="an object with item_id and score")
    return {name: _value(row[name], name, where) for name in row.keys() & COLUMNS.keys()}


def _value(value: Any, name: str, where: str) -> str | float | None:
    """A number for the score, text for the rest; numbers may name items and users."""
    number = name == "score"
    kinds = (int, float) if number else (str,) if name in ("output", "slice") else (str, int)
    if value is None:
        return None
    try:
        if isinstance(value, kinds) and not isinstance(value, bool):
            return float(value) if number else str(value).encode().decode()
    except (OverflowError, UnicodeEncodeError):
        pass
    raise BadInput(f"{where}, {name} is no {'number' if number else 'text'}", seen=ascii(value)[:60])


def _mismatches(champion: pl.DataFrame, candidate: pl.DataFrame) -> list[str]:
    """What shows that the two files are not about the same items, or not of two models."""
    found = []
    if ("eval_hash" in champion.columns) != ("eval_hash" in candidate.columns):
        found.append("only one of the files has an eval_hash: whether both are of the same eval set cannot be known")
    both = champion.join(candidate, on="item_id", suffix="_other")
    told = {"eval_hash": "other eval hashes", "user_id": "other users", "slice": "other slices"}
    for name, word in told.items():
        if f"{name}_other" in both.columns:
            count = len(both.filter(pl.col(name).ne_missing(pl.col(f"{name}_other"))))
            if count:
                found.append(f"{count} of {len(both)} items have {word} in the two files: they are never compared")
    if both.is_empty() and len(champion) and len(candidate):
        found.append("the two files have no item in common: they are not of the same eval set")
    same = ["item_id", "score", *({"output"} & set(champion.columns) & set(candidate.columns))]
    if len(champion) and champion.select(same).sort(same).equals(candidate.select(same).sort(same)):
        found.append(SAME)
    return found


def _pairing(champion: pl.DataFrame, candidate: pl.DataFrame, gate: Gate) -> Pairing:
    """Both files as scores of the items that either of them names."""
    named = [_items(frame) for frame in (champion, candidate)]
    items = pl.concat(named).group_by("item").agg(pl.col("user", "slice").drop_nulls().first()).sort("item")
    items = items.with_columns(
        pl.col("user").fill_null(pl.format("item {}", "item")), pl.col("slice").fill_null("unassigned")
    )
    sides = [
        frame.select("item_id", "score").rename({"item_id": "item"}).join(items, on="item")
        for frame in (champion, candidate)
    ]
    if _of_a_judge(gate) and _outputs(champion, candidate):
        sides[1] = _controlled(champion, candidate, sides[1])
    return pair(items, Scored(candidate=sides[1], champion=sides[0]), gate)


def _items(frame: pl.DataFrame) -> pl.DataFrame:
    """Item, user and slice; without a column of users each item is its own."""
    given = {"user": "user_id", "slice": "slice"}
    columns = [
        (pl.col(name) if name in frame.columns else pl.lit(None, dtype=pl.String)).alias(ours)
        for ours, name in given.items()
    ]
    return frame.select(pl.col("item_id").alias("item"), *columns)


def _controlled(champion: pl.DataFrame, candidate: pl.DataFrame, side: pl.DataFrame) -> pl.DataFrame:
    """The candidate's scores with the difference in length beside them."""
    texts = candidate.select("item_id", "output").join(
        champion.select("item_id", was="output"), on="item_id", maintain_order="left"
    )
    control = length_control(texts["output"], texts["was"])
    lengths = texts.select(item="item_id", control=control).unique("item")
    return side.join(lengths, on="item", how="left")


def _faults(champion: pl.DataFrame, candidate: pl.DataFrame) -> list[str]:
    """What sanity says of the outputs; what people sent is not known here, so the champion stands for it."""
    if not _outputs(champion, candidate):
        return []
    both = candidate.join(champion, on="item_id", suffix="_champion").sort("item_id")
    both = both.filter(pl.col("output").is_not_null() & pl.col("output_champion").is_not_null())
    texts, before = both["output"].to_list(), both["output_champion"].to_list()
    return faults(texts, before, before)


def _outputs(champion: pl.DataFrame, candidate: pl.DataFrame) -> bool:
    return "output" in champion.columns and "output" in candidate.columns


def _of_a_judge(gate: Gate) -> bool:
    return any(scorer.name == gate.primary and scorer.kind == "judge" for scorer in gate.scorers)


def _notes(champion: pl.DataFrame, candidate: pl.DataFrame, gate: Gate) -> list[str]:
    """What the verdict does not rest on."""
    notes = ["by hand there is no ledger: judged as a first look, and no sealed set confirms it"]
    if not _outputs(champion, candidate):
        notes.append("without a column output in both files nobody looked at the answers themselves")
    if _of_a_judge(gate) and not _outputs(champion, candidate):
        notes.append("a judge's scores without outputs: what length alone wins is not taken out")
    unseen = [scorer.name for scorer in gate.scorers if scorer.margin is not None and scorer.name != gate.primary]
    unseen += ["the capability set"] if gate.capability else []
    if unseen:
        notes.append(f"the policy also asks for {', '.join(unseen)}, which two files of scores cannot show")
    return notes
