"""How acts are read, and what becomes training data."""

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from flywheel.settings.base import Frozen, Name, Share

SignalKind = Literal[
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
RecordRule = Literal[
    "edit_pair",
    "correction_pair",
    "regeneration_pair",
    "sample_pair",
    "run_pair",
    "regeneration_ranking",
    "sample_ranking",
    "rating_label",
    "correction_label",
    "rephrase_label",
    "regeneration_label",
    "dismissal_label",
    "revoked_label",
    "own_label",
    "edit_demonstration",
    "run_demonstration",
    "written_demonstration",
    "failure_case",
    "knowledge_gap",
]


class Slice(Frozen):
    """A named rule over an answer's tags; the first that matches wins, what none matches is `unassigned`."""

    name: Name
    """What people call it."""
    version: int = 1
    """Raise it when the rule changes."""
    tags: dict[str, str]
    """The tags an answer must carry."""


class Classifier(Frozen):
    """Who decides what a follow-up means: rules, a model behind an endpoint, or a local model."""

    kind: Literal["rules", "endpoint", "model"] = "rules"
    """`rules` costs nothing and sends nothing anywhere."""
    url: str = ""
    """Of `endpoint`: anything that speaks OpenAI's chat completions, as in http://127.0.0.1:8000/v1."""
    model: str = ""
    """Of `endpoint` the model's name there, of `model` a local folder or a hub name."""
    key: str = "OPENAI_API_KEY"
    """The environment variable that holds the endpoint's key; it may be unset."""
    timeout_seconds: Annotated[float, Field(gt=0)] = 30
    """How long one answer may take."""


class OwnSignal(Frozen):
    """A team's own signal: one SQL file or one Python function over `exchanges` and `events` (`docs/signals.md`)."""

    name: Name
    """The signal's kind."""
    sql: str = ""
    """A file whose query gives the rows."""
    python: str = ""
    """`module:function`; it is called with the two tables as Polars frames and returns the rows."""
    labels: bool = False
    """Each row also becomes a label: desirable where its value is above 0."""

    @model_validator(mode="after")
    def _one(self) -> "OwnSignal":
        if bool(self.sql) == bool(self.python):
            raise ValueError("give either `sql` or `python`")
        return self


class Signals(Frozen):
    """How acts are read (`docs/design/architecture.md`, Time and change)."""

    idle_hours: Annotated[float, Field(gt=0)] = 24
    """A conversation with no event for this long, on the watermark, is closed."""
    off: tuple[str, ...] = ()
    """Signals switched off by name, a team's own too; records are rebuilt without them."""
    edit_typo: Share = 0.02
    """Edits that change a smaller share of the words say nothing."""
    edit_pair: Share = 0.10
    """Edits from this share on make a whole preference pair, smaller ones one of weight `edit_small`."""
    edit_small: Share = 0.3
    """The weight of a pair whose sides differ by less than `edit_pair`."""
    edit_rewrite: Share = 0.70
    """Edits beyond this share are a rewrite: they teach only if both texts are about the same."""
    rephrase_similarity: Share = 0.30
    """A next request at least this similar to the one before it may be a rephrase."""
    rephrase_same: Share = 0.95
    """A next request more similar than this is the same request again."""
    hurry_seconds: Annotated[float, Field(ge=0)] = 30
    """A follow-up sooner than this may be a reaction to a bad answer."""
    classifier: Classifier = Classifier()
    """Who decides among the candidates."""
    seen_ms: Annotated[float, Field(ge=0)] = 1000
    """A suggestion that was on screen for less was not seen, so it was not dismissed."""
    success: tuple[str, ...] = ("reward", "solved", "success")
    """Outcomes whose value above 0 says that the work was done."""
    complaint: tuple[str, ...] = ("complaint",)
    """Outcomes whose value above 0 revokes an acceptance."""
    environment_errors: str = (
        r"(?i)timed? ?out|timeout|connection|unavailable|rate limit|too many requests|\b(?:429|50[0-4])\b|overloaded|"
        r"unreachable|\bis down\b|try again later|temporar(?:y|ily)|internal (?:server )?error|network|out of memory"
    )
    """A tool's error that matches is the environment's; all others are the model's."""
    own: tuple[OwnSignal, ...] = ()
    """A team's own signals."""

    @model_validator(mode="after")
    def _ordered(self) -> "Signals":
        if not self.edit_typo <= self.edit_pair <= self.edit_rewrite:
            raise ValueError("edit_typo, edit_pair and edit_rewrite must rise")
        return self

    @model_validator(mode="after")
    def _known(self) -> "Signals":
        names = (*get_args(SignalKind), *(own.name for own in self.own))
        if unknown := [name for name in self.off if name not in names]:
            raise ValueError(f"off: no signal is called {', '.join(unknown)}; there are {', '.join(names)}")
        return self


class Records(Frozen):
    """What becomes training data."""

    rules_off: tuple[RecordRule, ...] = ()
    """Rules switched off by name; the records are rebuilt without them."""
    sure: Share = 0.5
    """A knowledge gap less sure than this goes to people for a decision."""
    control: Literal["none", "shuffled"] = "none"
    """`shuffled` gives every record a random direction: an experiment that must train nothing worth promoting."""
    seed: int = 0
    """Decides the directions under `shuffled`."""
