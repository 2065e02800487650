"""Records as a pure function of (exchanges, signals, rules): no lake, no clock."""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import polars as pl

from flywheel import settings
from flywheel.lake import connect
from flywheel.records.control import shuffled

HERE = Path(__file__).parent


class Rule(NamedTuple):
    """One way a signal becomes a record: the file of its SQL, what it makes, and its version."""

    name: str
    kind: str
    version: int


RULES = (
    Rule("edit_pair", "pairs", 1),
    Rule("regeneration_pair", "pairs", 1),
    Rule("regeneration_ranking", "rankings", 1),
    Rule("rating_label", "labels", 1),
    Rule("edit_demonstration", "demonstrations", 1),
)

# What a kind of record says beyond where it comes from; `other` is a demonstration's other side, for the control alone.
KINDS = {
    "pairs": ["chosen", "rejected"],
    "rankings": ["responses"],
    "labels": ["response", "desirable"],
    "demonstrations": ["completion", "other"],
}
READING = ["workload", "answer", "kind", "value", "other", "confidence"]
PROVENANCE = ["workload", "day", "conversation", "user", "slice", "model_version", "prompt", "weight", "confidence"]


def derive(
    exchanges: pl.DataFrame, signals: pl.DataFrame, rules: settings.Records, reading: settings.Signals
) -> dict[str, pl.DataFrame]:
    """Every kind of record that these whole conversations give, those that must not be trained on left out."""
    trainable = exchanges.filter("may_train")
    made: dict[str, list[pl.DataFrame]] = {kind: [] for kind in KINDS}
    with connect() as connection:
        connection.register("exchanges", trainable.to_arrow())
        connection.register("signals", signals.select(*READING).with_columns(pl.col("kind").cast(pl.String)).to_arrow())
        connection.register("rules", pl.DataFrame([reading.model_dump()]).to_arrow())
        for rule in RULES:
            found = connection.sql((HERE / f"{rule.name}.sql").read_text()).pl()
            made[rule.kind].append(_record(found if rule.name not in rules.rules_off else found.clear(), rule))
    records = {kind: pl.concat(frames) for kind, frames in made.items()}
    if rules.control == "shuffled":
        marked = pl.concat_str("rule", pl.lit(" shuffled")).alias("rule")
        records = {kind: shuffled(kind, frame, rules.seed).with_columns(marked) for kind, frame in records.items()}
    return {kind: frame.drop("other", strict=False) for kind, frame in records.items()}


def _record(found: pl.DataFrame, rule: Rule) -> pl.DataFrame:
    """A rule's rows as records: what they say, where they come from, and an id of both."""
    if "evidence" in found.columns:
        found = found.with_columns(event_ids="evidence")
    says = KINDS[rule.kind]
    record = found.select(
        *PROVENANCE[:-2],
        pl.col("weight", "confidence").cast(pl.Float64),
        "event_ids",
        *says,
        rule=pl.lit(rule.name),
        rule_version=pl.lit(rule.version, dtype=pl.Int64),
    )
    identities = record.select("workload", "rule", "rule_version", "event_ids", *says).iter_rows()
    ids = [hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32] for identity in identities]
    return record.with_columns(pl.Series("id", ids, dtype=pl.String))
