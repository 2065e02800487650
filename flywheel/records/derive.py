"""Records as a pure function of (exchanges, signals, rules): no lake, no clock.

Each rule is a `.sql` over `exchanges`, `signals`, the one row of `rules`, and what several rules share: `kept` (what
people held on to), `gaps` (corrections that brought facts) and `runs`. Pairs of a ranking are made by `reduced`.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Literal, NamedTuple

import duckdb
import polars as pl

from flywheel import settings
from flywheel.lake import connect
from flywheel.records.control import shuffled
from flywheel.records.reduced import reduced
from flywheel.tables import TABLES

HERE = Path(__file__).parent
NEWEST = pl.CompatLevel.newest()  # string views: DuckDB reads the texts where Polars has them
Unit = Literal["conversation", "parent", "task"]
UNITS: tuple[Unit, ...] = ("conversation", "parent", "task")


class Rule(NamedTuple):
    """One way signals become a record: its SQL's file, what it makes, its version, what it reads as a whole.

    A rule that `reduces` a ranking has no file: its pairs are the ranking's.
    """

    name: str
    kind: str
    version: int = 1
    unit: Unit = "conversation"
    reduces: str = ""


RULES = (
    Rule("edit_pair", "pairs", 2),
    Rule("correction_pair", "pairs"),
    Rule("regeneration_pair", "pairs", 3, reduces="regeneration_ranking"),
    Rule("sample_pair", "pairs", 3, unit="parent", reduces="sample_ranking"),
    Rule("run_pair", "pairs", unit="task"),
    Rule("regeneration_ranking", "rankings", 3),
    Rule("sample_ranking", "rankings", 2, unit="parent"),
    Rule("rating_label", "labels", 2),
    Rule("correction_label", "labels"),
    Rule("rephrase_label", "labels"),
    Rule("regeneration_label", "labels", 2),
    Rule("dismissal_label", "labels"),
    Rule("revoked_label", "labels"),
    Rule("own_label", "labels"),
    Rule("edit_demonstration", "demonstrations", 3),
    Rule("run_demonstration", "demonstrations"),
    Rule("written_demonstration", "demonstrations"),
    Rule("failure_case", "failure_cases"),
    Rule("knowledge_gap", "knowledge_gaps"),
)

# What a kind of record says beyond where it comes from.
KINDS = {
    "pairs": ["chosen", "rejected", "trajectory"],
    "rankings": ["responses", "ranks"],
    "labels": ["response", "desirable"],
    "demonstrations": ["completion", "trajectory"],
    "failure_cases": ["failure", "detail", "answer", "request", "response", "said", "turn", "turns", "suspects"],
    "knowledge_gaps": ["answer", "request", "response", "said", "missing", "doubtful"],
}
TRAINED = ("pairs", "rankings", "labels", "demonstrations")
# A demonstration's other side, which only the control needs.
UNWRITTEN = {"demonstrations": ["other"]}
# Reckoned from more than the record's own events: no part of its identity.
RECKONED = {"suspects", "doubtful", "turn", "turns"}

PLACED = ["workload", "day", "conversation", "user", "slice", "model_version", "prompt"]
READING = ["workload", "answer", "kind", "about", "value", "detail", "text", "other", "confidence", "weight"]
SHARED = ("words", "gaps", "kept", "runs")


def derive(
    exchanges: pl.DataFrame,
    signals: pl.DataFrame,
    rules: settings.Records,
    reading: settings.Signals,
    units: Collection[Unit] = UNITS,
) -> dict[str, pl.DataFrame]:
    """Every kind of record that these whole units give, those that must not be trained on left out."""
    made: dict[str, list[pl.DataFrame]] = {kind: [] for kind in KINDS}
    with connect() as connection:
        connection.register("exchanges", exchanges.filter("may_train").to_arrow(compat_level=NEWEST))
        connection.register("signals", signals.select(*READING, "event_ids").to_arrow(compat_level=NEWEST))
        connection.register("rules", _rules(rules, reading).to_arrow())
        for name in SHARED:
            connection.execute((HERE / f"{name}.sql").read_text())
        for rule in RULES:
            if rule.unit in units and rule.name not in rules.rules_off:
                found = _found(connection, rule.reduces or rule.name)
                made[rule.kind].append(_made(connection, rule, reduced(found) if rule.reduces else found))
    records = {kind: pl.concat([_empty(kind), *frames], how="diagonal_relaxed") for kind, frames in made.items()}
    if rules.control == "shuffled":
        marked = pl.concat_str("rule", pl.lit(" shuffled")).alias("rule")
        records |= {kind: shuffled(kind, records[kind], rules.seed).with_columns(marked) for kind in TRAINED}
    return {kind: frame.drop(UNWRITTEN.get(kind, []), strict=False) for kind, frame in records.items()}


def _empty(kind: str) -> pl.DataFrame:
    return TABLES[kind].create_empty()


def _rules(rules: settings.Records, reading: settings.Signals) -> pl.DataFrame:
    """The rules that SQL can read, as the one row of the table `rules`."""
    plain = {name: value for name, value in reading.model_dump().items() if isinstance(value, int | float)}
    lists = {
        "rules_off": list(rules.rules_off),
        "own_labels": [own.name for own in reading.own if own.labels],
    }
    columns = {name: pl.Series([value], dtype=pl.List(pl.String)) for name, value in lists.items()}
    return pl.DataFrame({**plain, "sure": rules.sure}).with_columns(**columns)


def _found(connection: duckdb.DuckDBPyConnection, file: str) -> pl.DataFrame:
    """The rows of a rule's SQL; a ranking is asked for twice, as itself and for its pairs, and made once."""
    query = (HERE / f"{file}.sql").read_text()
    if not file.endswith("_ranking"):
        return connection.sql(query).pl()
    connection.execute(f"CREATE TEMP TABLE IF NOT EXISTS {file} AS {query}")
    return connection.table(file).pl()


def _made(connection: duckdb.DuckDBPyConnection, rule: Rule, found: pl.DataFrame) -> pl.DataFrame:
    """A rule's rows as records: what they say, where they come from, and an id of both."""
    if "trajectory" in KINDS[rule.kind] and "trajectory" not in found.columns:
        found = found.with_columns(trajectory=pl.lit(False))
    record = found.select(
        *PLACED,
        pl.col("weight", "confidence").cast(pl.Float64),
        pl.col("evidence").list.unique().list.sort().alias("event_ids"),
        *KINDS[rule.kind],
        *UNWRITTEN.get(rule.kind, []),
        unit=pl.concat_str(pl.lit(f"{rule.unit} "), rule.unit),
        rule=pl.lit(rule.name),
        rule_version=pl.lit(rule.version, dtype=pl.Int64),
    )
    # The same said from the same events is one record, the weightiest, whatever order they came in.
    by = ["weight", "confidence", "day", "slice", "user"]
    record = record.with_columns(_ids(connection, record, rule.kind)).sort(by, descending=True)
    return record.unique("id", keep="first", maintain_order=True)


def _ids(connection: duckdb.DuckDBPyConnection, record: pl.DataFrame, kind: str) -> pl.Series:
    """A hash of what makes the record what it is, the same wherever it stands and whoever spells the rest."""
    identity = ["workload", "rule", "rule_version", "event_ids", *(set(KINDS[kind]) - RECKONED)]
    parts = [_spelled(name, record.schema[name]) for name in sorted(identity)]
    connection.register("record", record.select(sorted(identity)).to_arrow(compat_level=NEWEST))
    hashed = connection.sql(f"SELECT md5(concat_ws(chr(0), {', '.join(parts)})) AS id FROM record")
    return hashed.pl()["id"]


def _spelled(name: str, dtype: pl.DataType) -> str:
    """A column as text that no other value spells: NUL stands between columns, and no text of ours holds one."""
    text = f"array_to_string({name}, chr(1))" if isinstance(dtype, pl.List) else f"{name}::VARCHAR"
    return f"coalesce({text}, chr(2))"
