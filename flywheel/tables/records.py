"""What training, and people, make of signals. Rows of every kind say which rule made them, from which events."""

import dataframely as dy


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
