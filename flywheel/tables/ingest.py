"""The log as it was taken: events, the sums of each file, and what could not be read."""

import dataframely as dy
import polars as pl

from flywheel.tables.columns import moment


class Events(dy.Schema):
    """One logged fact a row; `text` is what was written or returned.

    `key` is a hash of (source, kind, id) and one of the content, 20 hex digits each.
    """

    key = dy.String(primary_key=True)
    source = dy.String(nullable=False)
    kind = dy.String(nullable=False)
    id = dy.String(nullable=False)
    time = moment(nullable=False)
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
    time = moment(nullable=False)

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
