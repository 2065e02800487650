"""Which days' records the signals have outgrown, and their derivation anew."""

import hashlib
from collections.abc import Sequence
from datetime import date

import polars as pl

from flywheel.lake import Lake
from flywheel.records.derive import RULES, derive
from flywheel.settings import Settings


def stale_days(lake: Lake, settings: Settings) -> list[date]:
    """The days whose records were not made from their present signals under the present rules."""
    now = _fingerprints(lake, settings)
    done = lake.read("derivations").filter(pl.col("stage") == "records")
    return now.join(done, on=["day", "fingerprint"], how="anti")["day"].sort().to_list()


def derive_days(lake: Lake, settings: Settings, days: Sequence[date]) -> dict[str, pl.DataFrame]:
    """Make these days' records from the exchanges and signals in the lake and replace their rows."""
    with lake.writing():
        marks = _fingerprints(lake, settings).filter(pl.col("day").is_in(list(days)))
        exchanges = _whole_conversations(lake, days)
        signals = lake.read("signals").join(exchanges, on=["workload", "answer"], how="semi")
        records = derive(exchanges, signals, settings.records, settings.signals)
        records = {kind: frame.filter(pl.col("day").is_in(list(days))) for kind, frame in records.items()}
        for kind, frame in records.items():
            lake.replace(kind, frame, {"day": list(days)})
        lake.replace(
            "derivations", marks.with_columns(stage=pl.lit("records")), {"day": list(days), "stage": ["records"]}
        )
    return records


def _whole_conversations(lake: Lake, days: Sequence[date]) -> pl.DataFrame:
    exchanges = lake.read("exchanges")
    touched = exchanges.filter(pl.col("day").is_in(list(days))).select("workload", "conversation").unique()
    return exchanges.join(touched, on=["workload", "conversation"], how="semi")


def _fingerprints(lake: Lake, settings: Settings) -> pl.DataFrame:
    """What each derived day's records are made from: its signals' fingerprint and the rules."""
    rules = [settings.records.model_dump_json(), settings.signals.model_dump_json(), str(RULES)]
    digest = hashlib.sha256("\n".join(rules).encode()).hexdigest()[:16]
    derived = lake.read("derivations").filter(pl.col("stage") == "signals")
    return derived.select("day", fingerprint=pl.col("fingerprint") + "/" + digest)
