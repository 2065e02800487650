"""One turn of the wheel: datasets, checkpoints, answers, looks, verdicts, promotions, rates."""

import dataframely as dy

from flywheel.tables.columns import moment


class EvalItems(dy.Schema):
    """The frozen eval and sealed sets of a workload: prompts of held-out users with what they finally sent.

    Items of the role `sealed` are opened once, when a candidate has won on the others. A `retired` item was in the set
    it names until a rotation, and stays for the bridge to the next one. `stratum` is a slice and a way to fail;
    `weight` makes items count as their strata do in the traffic; `since` is the cutoff the item came with.
    """

    workload = dy.String(primary_key=True)
    eval_set = dy.String(primary_key=True)
    item = dy.String(primary_key=True)
    role = dy.Enum(["eval", "sealed", "retired"], nullable=False)
    user = dy.String(nullable=False)
    conversation = dy.String(nullable=False)
    slice = dy.String(nullable=False)
    prompt = dy.String(nullable=False)
    request = dy.String(nullable=False)
    reference = dy.String(nullable=False)
    answer = dy.String(nullable=False)
    stratum = dy.String(nullable=False)
    weight = dy.Float64(nullable=False, min=0)
    since = moment(nullable=False)


class EvalSets(dy.Schema):
    """The versions of a workload's eval set and of its sealed set, the latest of which stands.

    `eval_set` is the hash of its items and checks, `before` that of the version before, to which items were `added` and
    from which they `retired`; of the `forgotten` ones nothing but the id is left. `checks` and `strata` are JSON: the
    workload's own rules, and what each stratum is of traffic and set.
    """

    workload = dy.String(primary_key=True)
    role = dy.Enum(["eval", "sealed"], primary_key=True)
    version = dy.Int64(primary_key=True, min=1)
    eval_set = dy.String(nullable=False)
    before = dy.String(nullable=True)
    cutoff = moment(nullable=False)
    why = dy.String(nullable=False)
    items = dy.List(dy.String(), nullable=False)
    added = dy.List(dy.String(), nullable=False)
    retired = dy.List(dy.String(), nullable=False)
    left_as = dy.List(dy.String(), nullable=False)
    forgotten = dy.List(dy.String(), nullable=False)
    checks = dy.String(nullable=False)
    strata = dy.String(nullable=False)
    forms = dy.List(dy.String(), nullable=False)


class Reviews(dy.Schema):
    """What a person said of a doubtful record: whether it should be learned from, and how sure the wheel was then."""

    workload = dy.String(primary_key=True)
    record = dy.String(primary_key=True)
    kind = dy.Enum(["pair", "demonstration"], nullable=False)
    rule = dy.String(nullable=False)
    confidence = dy.Float64(nullable=False, min=0, max=1)
    label = dy.Bool(nullable=False)


class DatasetRows(dy.Schema):
    """The training records of one dataset: `kind` pair (chosen, rejected) or demonstration (chosen only).

    `chosen` is a text; of a `trajectory` it is what followed the prompt in a run that worked, messages as JSON text.
    """

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
    trajectory = dy.Bool(nullable=False)
    weight = dy.Float64(nullable=False, min=0, max=1)
    rule = dy.String(nullable=False)
    event_ids = dy.List(dy.String(), nullable=False)


class DatasetLabels(dy.Schema):
    """The curated opinions on one answer that came with a dataset, a part of its hash.

    `response` is the answer; `weight` is what is left of the opinion beside what this person always says.
    """

    workload = dy.String(primary_key=True)
    dataset = dy.String(primary_key=True)
    record = dy.String(primary_key=True)
    split = dy.Enum(["train", "development"], nullable=False)
    user = dy.String(nullable=False)
    conversation = dy.String(nullable=False)
    slice = dy.String(nullable=False)
    prompt = dy.String(nullable=False)
    response = dy.String(nullable=False)
    desirable = dy.Bool(nullable=False)
    weight = dy.Float64(nullable=False, min=0, max=1)
    rule = dy.String(nullable=False)
    event_ids = dy.List(dy.String(), nullable=False)


class Funnel(dy.Schema):
    """What a rule of curation did to the records of a kind: how many came in and went on, and in words what else.

    `marked` are records that went on, but were changed or are worth a word.
    """

    workload = dy.String(primary_key=True)
    cycle = dy.Int64(primary_key=True)
    kind = dy.Enum(["pair", "demonstration", "label"], primary_key=True)
    rule = dy.String(primary_key=True)
    place = dy.Int64(nullable=False)
    records_in = dy.Int64(nullable=False)
    records_out = dy.Int64(nullable=False)
    rejected = dy.Int64(nullable=False)
    marked = dy.Int64(nullable=False)
    detail = dy.String(nullable=False)


class Rejected(dy.Schema):
    """A record that a dataset left out: by which rule, and why."""

    workload = dy.String(primary_key=True)
    cycle = dy.Int64(primary_key=True)
    record = dy.String(primary_key=True)
    kind = dy.Enum(["pair", "demonstration", "label"], primary_key=True)
    rule = dy.String(nullable=False)
    reason = dy.String(nullable=False)


class Datasets(dy.Schema):
    """One dataset of one workload at one cutoff; `dataset` is the hash of its rows and labels, `cycle` its turn.

    Of its labels to train on, `train_desirable` speak for their answer. Of the pairs and demonstrations
    that there were, `trajectories` are messages and not texts: those of demonstrations train, those of pairs do not.
    """

    workload = dy.String(primary_key=True)
    cycle = dy.Int64(primary_key=True)
    dataset = dy.String(nullable=False)
    eval_set = dy.String(nullable=False)
    cutoff = moment(nullable=False)
    events = dy.Int64(nullable=False)
    pairs = dy.Int64(nullable=False)
    rankings = dy.Int64(nullable=False)
    labels = dy.Int64(nullable=False)
    demonstrations = dy.Int64(nullable=False)
    train_pairs = dy.Int64(nullable=False)
    train_demonstrations = dy.Int64(nullable=False)
    train_labels = dy.Int64(nullable=False)
    train_desirable = dy.Int64(nullable=False)
    trajectories = dy.Int64(nullable=False)


class Cards(dy.Schema):
    """What a dataset is made of, for people: the numbers to compare cycles by, and `card`, all of it as JSON.

    `repeated` is the share of rows whose prompt nearly repeats another's, `longer` the share of pairs whose chosen side
    is the longer one, among all pairs and among those that train; `top_user` is the largest share of one user.
    """

    workload = dy.String(primary_key=True)
    cycle = dy.Int64(primary_key=True)
    dataset = dy.String(nullable=False)
    rows = dy.Int64(nullable=False)
    users = dy.Int64(nullable=False)
    repeated = dy.Float64(nullable=True)
    longer_before = dy.Float64(nullable=True)
    longer = dy.Float64(nullable=True)
    top_user = dy.Float64(nullable=True)
    card = dy.String(nullable=False)


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


class Answers(dy.Schema):
    """What a model answered to an eval item, kept by content: the same model is never asked twice.

    `seconds` is the answer's share of the time its batch took on this machine, which the turn of `workload` and `cycle`
    paid for; of an endpoint, whose turn is null, what the request took. The two are not compared.
    """

    model = dy.String(primary_key=True)
    item = dy.String(primary_key=True)
    decoding = dy.String(primary_key=True)
    text = dy.String(nullable=False)
    tokens_in = dy.Int64(nullable=True)
    tokens_out = dy.Int64(nullable=True)
    seconds = dy.Float64(nullable=True)
    workload = dy.String(nullable=True)
    cycle = dy.Int64(nullable=True)


class Scores(dy.Schema):
    """What a scorer said of an answer; null is a hole, with the reason why. `against` is the other side of a judge."""

    workload = dy.String(primary_key=True)
    item = dy.String(primary_key=True)
    model = dy.String(primary_key=True)
    against = dy.String(primary_key=True)
    scorer = dy.String(primary_key=True)
    identity = dy.String(primary_key=True)
    score = dy.Float64(nullable=True)
    why = dy.String(nullable=True)


class Sendings(dy.Schema):
    """Which text went to which outside endpoint: by the hash of the text, never the text itself."""

    workload = dy.String(primary_key=True)
    endpoint = dy.String(primary_key=True)
    model = dy.String(primary_key=True)
    purpose = dy.Enum(["answer", "judge"], primary_key=True)
    item = dy.String(primary_key=True)
    digest = dy.String(primary_key=True)
    cycle = dy.Int64(nullable=False)
    characters = dy.Int64(nullable=False)
    tokens = dy.Int64(nullable=True)


class Looks(dy.Schema):
    """The ledger: every look at eval items is counted and spent, and the items keep the count.

    `terms` is the hash of how the answers were asked for and scored: under other terms it is another look.

    `digest` is the hash of this row and of the row before it, so that a row changed or taken away is seen.
    """

    workload = dy.String(primary_key=True)
    look = dy.Int64(primary_key=True, min=1)
    role = dy.Enum(["eval", "sealed"], nullable=False)
    eval_set = dy.String(nullable=False)
    candidate = dy.String(nullable=False)
    champion = dy.String(nullable=False)
    cycle = dy.Int64(nullable=False)
    terms = dy.String(nullable=False)
    alpha = dy.Float64(nullable=False)
    items = dy.List(dy.String(), nullable=False)
    digest = dy.String(nullable=False)


class Bridges(dy.Schema):
    """What a rotation did to the scores: one `model` that was measured on both versions of an eval set.

    `moved` is its mean score on `eval_set` less that on `before`, over the items scored on each, `shared` of which are
    the same; so much of a change from one version to the other is the ruler's. Null is "cannot tell", and `why` says
    why.
    """

    workload = dy.String(primary_key=True)
    eval_set = dy.String(primary_key=True)
    before = dy.String(nullable=False)
    cycle = dy.Int64(nullable=False)
    model = dy.String(nullable=False)
    scorer = dy.String(nullable=False)
    items_before = dy.Int64(nullable=False)
    items = dy.Int64(nullable=False)
    shared = dy.Int64(nullable=False)
    users = dy.Int64(nullable=False)
    score_before = dy.Float64(nullable=True)
    score = dy.Float64(nullable=True)
    moved = dy.Float64(nullable=True)
    low = dy.Float64(nullable=True)
    high = dy.Float64(nullable=True)
    why = dy.String(nullable=True)


class Verdicts(dy.Schema):
    """The gate's answer for one candidate against the champion it names; it is void when that champion changed.

    `reason` is the first of `reasons`; `details` is JSON: slices, guards, the capability set, the sealed set, costs.
    """

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
    reasons = dy.List(dy.String(), nullable=False)
    n_needed = dy.Int64(nullable=True)
    details = dy.String(nullable=False)


class Cycles(dy.Schema):
    """One turn of one workload, written last: how it ended, and the version it registered or why it failed."""

    workload = dy.String(primary_key=True)
    cycle = dy.Int64(primary_key=True)
    cutoff = moment(nullable=True)
    outcome = dy.Enum(["promote", "hold", "reject", "failed"], nullable=False)
    reason = dy.String(nullable=False)
    registered = dy.String(nullable=True)
    run = dy.String(nullable=True)


class Deployments(dy.Schema):
    """A move of the alias `champion`, as it was seen."""

    workload = dy.String(primary_key=True)
    seen = moment(primary_key=True)
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
