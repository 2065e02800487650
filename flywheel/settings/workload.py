"""One job the product uses a model for: how it trains, and what must pass before it serves."""

from typing import Annotated, Literal

from pydantic import Field

from flywheel.settings.base import Frozen, Name, Share
from flywheel.settings.curation import Curation


class Check(Frozen):
    """A rule of the workload that code can check on every answer."""

    name: Name
    """What people call it."""
    max_words: int | None = None
    """No more words than this."""
    matches: str | None = None
    """A regular expression that must be found in the answer."""
    forbids: str | None = None
    """A regular expression that must not be found in the answer."""
    copies: str | None = None
    """Whatever in the answer matches this must stand in the prompt too: nothing is invented."""


class Step(Frozen):
    """One trainer's knobs."""

    learning_rate: Annotated[float, Field(gt=0)]
    """The peak of a linear schedule."""
    epochs: Annotated[float, Field(gt=0)] = 1
    """How often each record is seen."""
    batch: Annotated[int, Field(gt=0)] = 16
    """Records per optimizer step."""


class Lora(Frozen):
    """Small matrices beside the frozen weights learn in their place, and are merged into them at the end."""

    rank: Annotated[int, Field(gt=0)] = 16
    """Width of the matrices."""
    alpha: Annotated[float, Field(gt=0)] = 32
    """Their scale is alpha / rank."""
    dropout: Share = 0.0
    """Of their input, while training."""


class Watching(Frozen):
    """When a run is stopped because it goes wrong; a rule is off where nothing reaches its number."""

    displaced: Annotated[float, Field(gt=0)] | None = 0.1
    """Chosen answers lose this share of their log-probability at the phase's start while margins rise."""
    longer: Annotated[float, Field(gt=1)] | None = 1.2
    """Answers to development prompts grow to this many times their length at the start, or of what people chose."""
    leap: Share | None = 0.95
    """The share of development pairs told right is above this after a tenth of the steps: a leak, most likely."""
    entropy: Share | None = 0.3
    """The entropy of the next token falls below this share of what it was, and the model is no better at it."""


class Recipe(Frozen):
    """What training does, phase by phase, each from where the one before it ended."""

    phases: tuple[Literal["sft", "dpo", "kto"], ...] | None = None
    """Which phases run; left out, the data decides."""
    sft: Step = Step(learning_rate=2e-5)
    """Supervised fine-tuning; its defaults suit a hub model."""
    dpo: Step = Step(learning_rate=1e-6)
    """Direct preference optimisation; its defaults suit a hub model."""
    kto: Step = Step(learning_rate=1e-6)
    """Kahneman-Tversky optimisation, from single opinions; its defaults suit a hub model."""
    reward: Step = Step(learning_rate=1e-4)
    """A reward model, which the gate can score with (`flywheel train --reward`); its defaults suit a hub model."""
    beta: Annotated[float, Field(gt=0)] = 0.1
    """How strongly DPO and KTO are held to where they started."""
    sft_share: Annotated[float, Field(ge=0)] = 0.1
    """How much of SFT's loss, on answers that people wrote, goes into DPO's."""
    lora: Lora | None = None
    """Left out, all weights learn."""
    replay: str = ""
    """A JSONL file of conversations (`messages`) mixed into SFT against forgetting; `{home}` stands for the state
    folder."""
    replay_share: Share = 0.1
    """How much of SFT's rows they are."""
    max_length: Annotated[int, Field(gt=0)] = 1024
    """Records with more tokens are left out and counted."""
    min_records: Annotated[int, Field(ge=1)] = 50
    """With fewer training records nothing is trained."""
    save_minutes: Annotated[float, Field(ge=0)] = 5
    """A run that is killed loses no more than this; 0 saves after every step."""
    watching: Watching = Watching()
    """When a run is stopped because it goes wrong."""
    seed: int = 0
    """Fixes order and initial state."""


class Endpoint(Frozen):
    """A model behind anything that speaks OpenAI's chat completions."""

    url: str
    """As in http://127.0.0.1:8000/v1."""
    model: str
    """Its name there."""
    system: str = ""
    """A system message in front of every prompt that has none."""
    key: str = "OPENAI_API_KEY"
    """The environment variable that holds the key; it may be unset."""
    timeout_seconds: Annotated[float, Field(gt=0)] = 60
    """How long one answer may take."""
    price_in: Annotated[float, Field(ge=0)] = 0.0
    """Of a million tokens asked, in the policy's currency."""
    price_out: Annotated[float, Field(ge=0)] = 0.0
    """Of a million tokens answered."""


class Scorer(Frozen):
    """One way to score answers; by default it only reports, with a `margin` it guards."""

    name: Name
    """What people call it."""
    kind: Literal["sent", "checks", "preference", "reward", "judge", "latency", "cost", "refusal", "python"]
    """How it scores: `flywheel/gate/scorers/`."""
    python: str = ""
    """Of `python`: `module:function`, a scorer of MLflow or a function of the same arguments."""
    model: str = ""
    """Of `reward` and of a local `judge`: a folder or a hub name; `{home}` stands for the state folder."""
    endpoint: Endpoint | None = None
    """Of a `judge` behind an endpoint."""
    labels: str = ""
    """Of `judge`: a JSONL file of people's choices, by which it is calibrated."""
    margin: Annotated[float, Field(ge=0)] | None = None
    """It guards: a candidate that loses more than this, or has no such scores, is held."""


class Prices(Frozen):
    """What an outcome costs the people who work with the product, in a currency of their own."""

    word: Annotated[float, Field(ge=0)] = 0.02
    """Changing, adding or deleting one word of an answer."""
    error: Annotated[float, Field(ge=0)] = 1.0
    """An answer that breaks a check and was sent as it is: an error nobody noticed."""
    refusal: Annotated[float, Field(ge=0)] = 0.2
    """An answer that refuses, on top of doing the work by hand."""
    nothing: Annotated[float, Field(ge=0)] = 0.1
    """No answer at all, on top of doing the work by hand."""
    by_hand: Annotated[float, Field(ge=0)] = 1.0
    """The work done without the model."""


class Policy(Frozen):
    """What good enough means for a workload."""

    prices: Prices = Prices()
    """What outcomes cost."""
    slices: dict[Name, Prices] = Field(default={})
    """Other prices for a slice by name."""
    success: Share = 0.9
    """An answer of which at least this share was kept, and which breaks no check, is a success."""
    bar: Share = 0.5
    """A model serves a slice only if at least this share of its answers are surely successes."""


class Gate(Frozen):
    """What a candidate must show."""

    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.025
    """The chance of a false promotion over all looks at the same items together; fresh items bring their own."""
    min_gain: Share = 0.01
    """A gain below this is not worth a new model."""
    min_users: Annotated[int, Field(ge=2)] = 50
    """With fewer users in the eval set the answer is hold."""
    max_items_of_user: Annotated[int, Field(ge=1)] = 10
    """Of a user with more items as many are drawn."""
    primary: Name = "sent"
    """The scorer that decides; `sent` is agreement with what was finally sent, times the share of checks passed."""
    scorers: tuple[Scorer, ...] = ()
    """More ways to score, beside `sent`."""
    slice_items: Annotated[int, Field(ge=2)] = 100
    """Slices with at least this many items can stop a candidate."""
    slice_margin: Share = 0.05
    """A slice may lose as much as this."""
    capability: str = ""
    """A JSONL file of things the model must not forget: `prompt`, and what must match."""
    max_forgotten: Share = 0.03
    """Of the capability items, the share that may turn from right to wrong."""
    sealed_items: Annotated[int, Field(ge=0)] = 300
    """With fewer sealed items there is no sealed set, and the verdict says so."""
    max_new_tokens: Annotated[int, Field(gt=0)] = 64
    """Length of an answer, the same for candidate and champion."""
    temperature: Annotated[float, Field(ge=0)] = 1.0
    """Of sampling, as the product samples; 0 is greedy."""


class Workload(Frozen):
    """One job the product uses a model for: its own base model, eval set, policy and champion."""

    description: str = ""
    """One line for people."""
    base_model: str
    """A hub name or a local folder; `{home}` stands for the state folder."""
    promotion: Literal["person", "auto"] = "person"
    """Who moves the alias `champion`: a person in MLflow, or the wheel itself."""
    start_from: Literal["base", "champion"] = "base"
    """Where training starts."""
    records: Literal["all", "window"] = "all"
    """Train on all records up to the cutoff or on the last `window_days`."""
    window_days: Annotated[int, Field(ge=1)] = 28
    """The width of that window."""
    holdout: Annotated[float, Field(gt=0, lt=1)] = 0.25
    """The share of users whose exchanges are only ever measured on."""
    development: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """The share of the other users whose records steer training but do not train."""
    eval_items: Annotated[int, Field(ge=1)] = 300
    """What an eval set is drawn with at most; by a share `rotation` more, and its most looked at items retire."""
    fresh_items: Annotated[int, Field(ge=0)] | None = None
    """New items a cycle at most; left out, an eighth of `eval_items`; 0 keeps the set as it was drawn."""
    rotation: Annotated[float, Field(gt=0, lt=1)] = 0.25
    """The share of `eval_items` that retires at a time."""
    curation: Curation = Curation()
    """Which records it trains on."""
    checks: tuple[Check, ...] = ()
    """The workload's own programmatic checks."""
    recipe: Recipe = Recipe()
    """How it trains."""
    gate: Gate = Gate()
    """What passes."""
    policy: Policy = Policy()
    """What good enough means."""
    endpoints: dict[Name, Endpoint] = Field(default={})
    """Models behind endpoints that the route table may choose, by name."""
    champion_zero: Name | None = None
    """The endpoint that serves until a trained model wins; without it the base model is the first champion."""
