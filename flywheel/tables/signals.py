"""What people did with each answer, and how far that is derived."""

import dataframely as dy

from flywheel.tables.columns import moment


class Exchanges(dy.Schema):
    """One request with the response the user saw; siblings share `parent`; `final` is what the user kept.

    `since` and `until` are the first and the last event of its conversation, `turn` counts the requests in it, `task`
    is the parent of its first answer, or what the answer's tag `run_of` names: runs of one task share it.
    """

    workload = dy.String(primary_key=True)
    answer = dy.String(primary_key=True)
    day = dy.Date(nullable=False)
    time = moment(nullable=False)
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
    since = moment(nullable=False)
    until = moment(nullable=False)
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
    time = moment(nullable=False)


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
