"""The contract of every table: columns, types, keys and rules, in one place.

Stages never import each other, they meet here. A table is written only through `flywheel.lake`, which validates it
against its contract. `TABLES` names them all; the modules of this folder hold them stage by stage. How they are stored
belongs in `flywheel.lake`, how they are made in the stages. Messages are JSON text, so that no reader invents missing
keys. Times are UTC; an event's `at` becomes the column `time`, since `at` is a reserved word of DuckDB's SQL.
"""

from typing import Literal

import dataframely as dy

from flywheel.tables.cycle import (
    Answers,
    Bridges,
    Cards,
    Checkpoints,
    Cycles,
    DatasetLabels,
    DatasetRows,
    Datasets,
    Deployments,
    EvalItems,
    EvalSets,
    Funnel,
    Looks,
    Rates,
    Rejected,
    Reviews,
    Scores,
    Sendings,
    Verdicts,
)
from flywheel.tables.ingest import Events, IngestFiles, Quarantine
from flywheel.tables.records import (
    Demonstrations,
    FailureCases,
    FailureMap,
    KnowledgeGaps,
    Labels,
    Pairs,
    Rankings,
    Record,
)
from flywheel.tables.signals import SIGNAL_KINDS, Audits, Derivations, Exchanges, Signals, Touched, Waiting

__all__ = [
    "SIGNAL_KINDS",
    "TABLES",
    "Answers",
    "Audits",
    "Bridges",
    "Cards",
    "Checkpoints",
    "Cycles",
    "DatasetLabels",
    "DatasetRows",
    "Datasets",
    "Demonstrations",
    "Deployments",
    "Derivations",
    "EvalItems",
    "EvalSets",
    "Events",
    "Exchanges",
    "FailureCases",
    "FailureMap",
    "Funnel",
    "IngestFiles",
    "KnowledgeGaps",
    "Labels",
    "Looks",
    "Outcome",
    "Pairs",
    "Quarantine",
    "Rankings",
    "Rates",
    "Record",
    "Rejected",
    "Reviews",
    "Scores",
    "Sendings",
    "Signals",
    "Touched",
    "Verdicts",
    "Waiting",
]

Outcome = Literal["promote", "hold", "reject"]

TABLES: dict[str, type[dy.Schema]] = {
    "events": Events,
    "ingest_files": IngestFiles,
    "quarantine": Quarantine,
    "exchanges": Exchanges,
    "signals": Signals,
    "audits": Audits,
    "waiting": Waiting,
    "touched": Touched,
    "derivations": Derivations,
    "pairs": Pairs,
    "rankings": Rankings,
    "labels": Labels,
    "demonstrations": Demonstrations,
    "failure_cases": FailureCases,
    "knowledge_gaps": KnowledgeGaps,
    "failure_map": FailureMap,
    "reviews": Reviews,
    "eval_items": EvalItems,
    "eval_sets": EvalSets,
    "dataset_rows": DatasetRows,
    "dataset_labels": DatasetLabels,
    "funnel": Funnel,
    "rejected": Rejected,
    "datasets": Datasets,
    "cards": Cards,
    "checkpoints": Checkpoints,
    "answers": Answers,
    "scores": Scores,
    "sendings": Sendings,
    "looks": Looks,
    "verdicts": Verdicts,
    "bridges": Bridges,
    "cycles": Cycles,
    "deployments": Deployments,
    "rates": Rates,
}
