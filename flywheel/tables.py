"""The contract of every table: columns, types, keys and rules, in one place.

Stages never import each other, they meet here. A table is written only through `flywheel.lake`, which validates it
against its contract. `TABLES` names them all; how they are stored belongs in `flywheel.lake`, how they are made in the
stages. Messages are JSON text, so that no reader invents missing keys. Times are UTC; an event's `at` becomes the
column `time`, since `at` is a reserved word of DuckDB's SQL.
"""

from typing import Literal

import dataframely as dy
import polars as pl

Outcome = Literal["promote", "hold", "reject"]


def _time(*, nullable: bool = False, primary_key: bool = False) -> dy.Datetime:
    return dy.Datetime(time_unit="us", time_zone="UTC", nullable=nullable, primary_key=primary_key)


# ---- ingest ---------------------------------------------------------------------------------------------------------


class Events(dy.Schema):
    """One logged fact a row; `text` is what was written or returned.

    `key` is a hash of (source, kind, id) and one of the content, 20 hex digits each.
    """

    key = dy.String(primary_key=True)
    source = dy.String(nullable=False)
    kind = dy.String(nullable=False)
    id = dy.String(nullable=False)
    time = _time(nullable=False)
    workload = dy.String(nullable=False)
    conversation = dy.String(nullable=True)
    user = dy.String(nullable=True)
    component = dy.String(nullable=True)
    tenant = dy.String(nullable=True)
    tags = dy.String(nullable=False)
    may_train = dy.Bool(nullable=False)
    answer = dy.String(nullable=True)
    parent = dy.String(nullable=True)
    prompt = dy.String(nullable=True)
    text = dy.String(nullable=True)
    model = dy.String(nullable=True)
    model_version = dy.String(nullable=True)
    prompt_version = dy.String(nullable=True)
    arm = dy.String(nullable=True)
    propensity = dy.Float64(nullable=True)
    refused = dy.Bool(nullable=True)
    visible = dy.Bool(nullable=True)
    dwell_ms = dy.Float64(nullable=True)
    name = dy.String(nullable=True)
    value = dy.Float64(nullable=True)
    detail = dy.String(nullable=True)
    error = dy.String(nullable=True)
    tokens_in = dy.Int64(nullable=True)
    tokens_out = dy.Int64(nullable=True)
    cost = dy.Float64(nullable=True)
    latency_ms = dy.Float64(nullable=True)
    id_conflict = dy.Bool(nullable=False)


class IngestFiles(dy.Schema):
    """What each ingest took from each file: records = accepted + repeated + quarantined, and `events` of the accepted.

    `pending` is 1 where the file ends in an incomplete record. A record that left quarantine is counted again in a row
    of its own, with a negative `quarantined`.
    """

    batch = dy.String(primary_key=True)
    file = dy.String(primary_key=True)
    source = dy.String(nullable=False)
    head = dy.String(nullable=False)
    start = dy.Int64(nullable=False)
    end = dy.Int64(nullable=False)
    records = dy.Int64(nullable=False)
    accepted = dy.Int64(nullable=False)
    repeated = dy.Int64(nullable=False)
    quarantined = dy.Int64(nullable=False)
    events = dy.Int64(nullable=False)
    pending = dy.Int64(nullable=False)
    time = _time(nullable=False)

    @dy.rule()
    def conserves(cls) -> pl.Expr:
        return pl.col("records") == pl.col("accepted") + pl.col("repeated") + pl.col("quarantined")


class Quarantine(dy.Schema):
    """A source record that could not be read, with where it lies and why. Part of the raw zone: bytes are unmasked."""

    batch = dy.String(primary_key=True)
    source = dy.String(nullable=False)
    file = dy.String(primary_key=True)
    offset = dy.Int64(nullable=False)
    record = dy.Int64(primary_key=True)
    reason = dy.String(nullable=False)
    raw = dy.Binary(nullable=False)


# ---- signals --------------------------------------------------------------------------------------------------------


class Exchanges(dy.Schema):
    """One request with the response the user saw; siblings share `parent`; `final` is what the user kept.

    `since` and `until` are the first and the last event of its conversation, `turn` counts the requests in it, `task`
    is the parent of its first answer, or what the answer's tag `run_of` names: runs of one task share it.
    """

    workload = dy.String(primary_key=True)
    answer = dy.String(primary_key=True)
    day = dy.Date(nullable=False)
    time = _time(nullable=False)
    conversation = dy.String(nullable=False)
    named = dy.Bool(nullable=False)
    task = dy.String(nullable=False)
    turn = dy.Int64(nullable=False)
    parent = dy.String(nullable=False)
    attempt = dy.Int64(nullable=False)
    user = dy.String(nullable=False)
    slice = dy.String(nullable=False)
    prompt = dy.String(nullable=False)
    request = dy.String(nullable=False)
    response = dy.String(nullable=False)
    final = dy.String(nullable=True)
    model = dy.String(nullable=False)
    model_version = dy.String(nullable=True)
    arm = dy.String(nullable=True)
    refused = dy.Bool(nullable=False)
    shown_ms = dy.Float64(nullable=True)
    outcome = dy.Float64(nullable=True)
    since = _time(nullable=False)
    until = _time(nullable=False)
    closed = dy.Bool(nullable=False)
    may_train = dy.Bool(nullable=False)
    event_ids = dy.List(dy.String(), nullable=False)


SIGNAL_KINDS = [
    "acceptance",
    "edit",
    "regeneration",
    "rephrase",
    "correction",
    "abandonment",
    "dismissal",
    "rating",
    "refusal",
    "tool_failure",
    "retrieval_miss",
]


class Signals(dy.Schema):
    """A typed reading of an exchange, with the detector's version and the events (their keys) it was read from.

    `about` tells several of one kind on one answer apart: the rater, the tool call. `detail` is the reading in a word.
    `confidence` is how sure the reading is, `weight` how much it counts where it is trained on.
    """

    workload = dy.String(primary_key=True)
    answer = dy.String(primary_key=True)
    kind = dy.String(primary_key=True)
    about = dy.String(primary_key=True)
    day = dy.Date(nullable=False)
    conversation = dy.String(nullable=False)
    user = dy.String(nullable=False)
    slice = dy.String(nullable=False)
    model_version = dy.String(nullable=True)
    value = dy.Float64(nullable=False)
    detail = dy.String(nullable=True)
    text = dy.String(nullable=True)
    other = dy.String(nullable=True)
    confidence = dy.Float64(nullable=False, min=0, max=1)
    weight = dy.Float64(nullable=False, min=0, max=1)
    audited = dy.Bool(nullable=False)
    detector = dy.String(nullable=False)
    event_ids = dy.List(dy.String(), nullable=False)


class Audits(dy.Schema):
    """What a person said of a signal they were shown: whether it reads right, and how sure the wheel was then."""

    workload = dy.String(primary_key=True)
    answer = dy.String(primary_key=True)
    kind = dy.String(primary_key=True)
    about = dy.String(primary_key=True)
    detector = dy.String(primary_key=True)
    detail = dy.String(nullable=True)
    confidence = dy.Float64(nullable=False, min=0, max=1)
    label = dy.Bool(nullable=False)


class Waiting(dy.Schema):
    """Feedback whose answer no source has logged yet; it is joined when the answer arrives."""

    key = dy.String(primary_key=True)
    workload = dy.String(nullable=False)
    answer = dy.String(nullable=True)
    conversation = dy.String(nullable=True)
    time = _time(nullable=False)


class Touched(dy.Schema):
    """What a derivation has replaced, for the stage that follows: a conversation, the parent or the task of an answer.

    A row without a unit means everything.
    """

    batch = dy.Int64(nullable=False)
    workload = dy.String(nullable=True)
    unit = dy.String(nullable=True)


class Derivations(dy.Schema):
    """How far a stage has derived: the version of what it reads, its rules, and each workload's watermark (JSON)."""

    stage = dy.Enum(["signals", "records"], primary_key=True)
    version = dy.Int64(nullable=False)
    rules = dy.String(nullable=False)
    watermarks = dy.String(nullable=False)


# ---- records --------------------------------------------------------------------------------------------------------


class Record(dy.Schema):
    """What every training record carries: the rule that made it, its version, and the events it came from.

    `unit` is what it was derived from as a whole: one conversation, the answers to one parent, the runs of one task.
    """

    id = dy.String(primary_key=True)
    workload = dy.String(nullable=False)
    unit = dy.String(nullable=False)
    day = dy.Date(nullable=False)
    conversation = dy.String(nullable=False)
    user = dy.String(nullable=False)
    slice = dy.String(nullable=False)
    model_version = dy.String(nullable=True)
    prompt = dy.String(nullable=False)
    weight = dy.Float64(nullable=False, min=0, max=1)
    confidence = dy.Float64(nullable=False, min=0, max=1)
    rule = dy.String(nullable=False)
    rule_version = dy.Int64(nullable=False)
    event_ids = dy.List(dy.String(), nullable=False)


class Pairs(Record):
    """The user preferred `chosen` to `rejected` as an answer to `prompt`.

    Both sides of a `trajectory` are messages as JSON text, what followed the prompt in two runs; else they are texts.
    """

    chosen = dy.String(nullable=False)
    rejected = dy.String(nullable=False)
    trajectory = dy.Bool(nullable=False)


class Rankings(Record):
    """Answers to one prompt in partial order: a smaller rank is preferred to a greater, equal ranks are no order."""

    responses = dy.List(dy.String(), nullable=False)
    ranks = dy.List(dy.Int64(), nullable=False)


class Labels(Record):
    """One answer with a verdict of its own: desirable or not."""

    response = dy.String(nullable=False)
    desirable = dy.Bool(nullable=False)


class Demonstrations(Record):
    """What the answer should have been, in the user's own hand; a `trajectory` is the messages of a run that worked."""

    completion = dy.String(nullable=False)
    trajectory = dy.Bool(nullable=False)


class FailureCases(Record):
    """An answer that failed someone: how, at which turn of how many, and which answers may have caused it.

    Not a training row: something to look at, to cluster, to make eval items of. `suspects` is JSON: each answer of the
    conversation that may be at fault, with its share of the suspicion; the shares sum to 1.
    """

    failure = dy.String(nullable=False)
    detail = dy.String(nullable=True)
    answer = dy.String(nullable=False)
    request = dy.String(nullable=False)
    response = dy.String(nullable=False)
    said = dy.String(nullable=True)
    turn = dy.Int64(nullable=False)
    turns = dy.Int64(nullable=False)
    suspects = dy.String(nullable=False)


class KnowledgeGaps(Record):
    """A correction that brought facts the model could not have known: work for retrieval, not for training.

    `missing` are the facts; a `doubtful` one is for a person to decide.
    """

    answer = dy.String(nullable=False)
    request = dy.String(nullable=False)
    response = dy.String(nullable=False)
    said = dy.String(nullable=False)
    missing = dy.List(dy.String(), nullable=False)
    doubtful = dy.Bool(nullable=False)


class FailureMap(dy.Schema):
    """How often the exchanges of a slice failed in one way: the rate has Wilson's interval, widened by user.

    `users` are those it happened to, `exchanges` all there were; `trend` is the last 7 days' rate less that of the 7
    before; `examples` are answers; the slice that `loses_most` has the highest rate of that failure.
    """

    workload = dy.String(primary_key=True)
    slice = dy.String(primary_key=True)
    failure = dy.String(primary_key=True)
    cases = dy.Int64(nullable=False)
    users = dy.Int64(nullable=False)
    exchanges = dy.Int64(nullable=False)
    rate = dy.Float64(nullable=False)
    low = dy.Float64(nullable=False)
    high = dy.Float64(nullable=False)
    trend = dy.Float64(nullable=True)
    examples = dy.List(dy.String(), nullable=False)
    loses_most = dy.Bool(nullable=False)


# ---- datasets -------------------------------------------------------------------------------------------------------


class EvalItems(dy.Schema):
    """The frozen eval set of a workload: prompts of held-out users with what they finally sent."""

    workload = dy.String(primary_key=True)
    eval_set = dy.String(primary_key=True)
    item = dy.String(primary_key=True)
    user = dy.String(nullable=False)
    conversation = dy.String(nullable=False)
    slice = dy.String(nullable=False)
    prompt = dy.String(nullable=False)
    request = dy.String(nullable=False)
    reference = dy.String(nullable=False)
    answer = dy.String(nullable=False)


class DatasetRows(dy.Schema):
    """The training records of one dataset: `kind` pair (chosen, rejected) or demonstration (chosen only)."""

    workload = dy.String(primary_key=True)
    dataset = dy.String(primary_key=True)
    record = dy.String(primary_key=True)
    kind = dy.Enum(["pair", "demonstration"], nullable=False)
    split = dy.Enum(["train", "development"], nullable=False)
    user = dy.String(nullable=False)
    conversation = dy.String(nullable=False)
    slice = dy.String(nullable=False)
    prompt = dy.String(nullable=False)
    chosen = dy.String(nullable=False)
    rejected = dy.String(nullable=True)
    weight = dy.Float64(nullable=False, min=0, max=1)
    rule = dy.String(nullable=False)
    event_ids = dy.List(dy.String(), nullable=False)


class Datasets(dy.Schema):
    """One dataset of one workload at one cutoff; `dataset` is the hash of its rows, `cycle` its turn.

    Of its pairs and demonstrations, `trajectories` are messages and not texts; they are in no row yet.
    """

    workload = dy.String(primary_key=True)
    cycle = dy.Int64(primary_key=True)
    dataset = dy.String(nullable=False)
    eval_set = dy.String(nullable=False)
    cutoff = _time(nullable=False)
    events = dy.Int64(nullable=False)
    pairs = dy.Int64(nullable=False)
    rankings = dy.Int64(nullable=False)
    labels = dy.Int64(nullable=False)
    demonstrations = dy.Int64(nullable=False)
    train_pairs = dy.Int64(nullable=False)
    train_demonstrations = dy.Int64(nullable=False)
    trajectories = dy.Int64(nullable=False)


class Checkpoints(dy.Schema):
    """What a cycle trained: where it lies and its fingerprint, or the reason why nothing was trained."""

    workload = dy.String(primary_key=True)
    cycle = dy.Int64(primary_key=True)
    dataset = dy.String(nullable=False)
    eval_set = dy.String(nullable=False)
    start = dy.String(nullable=False)
    folder = dy.String(nullable=True)
    fingerprint = dy.String(nullable=True)
    reason = dy.String(nullable=True)
    metrics = dy.String(nullable=False)
    history = dy.String(nullable=False)
    mlflow_run = dy.String(nullable=True)
    seconds = dy.Float64(nullable=False)


# ---- gate -----------------------------------------------------------------------------------------------------------


class Answers(dy.Schema):
    """What a model answered to an eval item, kept by content: the same model is never asked twice."""

    model = dy.String(primary_key=True)
    item = dy.String(primary_key=True)
    decoding = dy.String(primary_key=True)
    text = dy.String(nullable=False)


class Looks(dy.Schema):
    """The ledger: every look at an eval set is counted and spent."""

    workload = dy.String(primary_key=True)
    eval_set = dy.String(primary_key=True)
    look = dy.Int64(primary_key=True, min=1)
    candidate = dy.String(nullable=False)
    champion = dy.String(nullable=False)
    alpha = dy.Float64(nullable=False)


class Verdicts(dy.Schema):
    """The gate's answer for one candidate against the champion it names; it is void when that champion changed."""

    workload = dy.String(primary_key=True)
    cycle = dy.Int64(primary_key=True)
    candidate = dy.String(nullable=False)
    champion = dy.String(nullable=False)
    eval_set = dy.String(nullable=False)
    dataset = dy.String(nullable=False)
    verdict = dy.Enum(["promote", "hold", "reject"], nullable=False)
    reason = dy.String(nullable=False)
    gain = dy.Float64(nullable=True)
    low = dy.Float64(nullable=True)
    high = dy.Float64(nullable=True)
    level = dy.Float64(nullable=True)
    items = dy.Int64(nullable=False)
    users = dy.Int64(nullable=False)
    look = dy.Int64(nullable=False)
    candidate_score = dy.Float64(nullable=True)
    champion_score = dy.Float64(nullable=True)


# ---- the turn of the wheel ------------------------------------------------------------------------------------------


class Cycles(dy.Schema):
    """One turn of one workload, written last: how it ended, and the version it registered or why it failed."""

    workload = dy.String(primary_key=True)
    cycle = dy.Int64(primary_key=True)
    cutoff = _time(nullable=True)
    outcome = dy.Enum(["promote", "hold", "reject", "failed"], nullable=False)
    reason = dy.String(nullable=False)
    registered = dy.String(nullable=True)
    run = dy.String(nullable=True)


class Deployments(dy.Schema):
    """A move of the alias `champion`, as it was seen."""

    workload = dy.String(primary_key=True)
    seen = _time(primary_key=True)
    version = dy.String(nullable=False)
    before = dy.String(nullable=True)
    who = dy.String(nullable=False)
    why = dy.String(nullable=False)


class Rates(dy.Schema):
    """How often people had to act, by workload, cycle, model version and slice; the interval is Wilson's, widened by
    user.
    """

    workload = dy.String(primary_key=True)
    cycle = dy.Int64(primary_key=True)
    slice = dy.String(primary_key=True)
    kind = dy.String(primary_key=True)
    n = dy.Int64(nullable=False)
    users = dy.Int64(nullable=False)
    rate = dy.Float64(nullable=False)
    low = dy.Float64(nullable=False)
    high = dy.Float64(nullable=False)


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
    "eval_items": EvalItems,
    "dataset_rows": DatasetRows,
    "datasets": Datasets,
    "checkpoints": Checkpoints,
    "answers": Answers,
    "looks": Looks,
    "verdicts": Verdicts,
    "cycles": Cycles,
    "deployments": Deployments,
    "rates": Rates,
}
