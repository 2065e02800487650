"""The settings a person writes: frozen models of `flywheel.toml`, one line of meaning under each field.

A stage's settings are read here and passed on as values; no stage opens the file itself. The playground's own section
stays an unread mapping: only the playground knows what it means.
"""

import os
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from flywheel.errors import BadInput

REPOSITORY = Path(__file__).resolve().parent.parent


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


Model = TypeVar("Model", bound=Frozen)
Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]


Column = str | None
SeveralColumns = str | tuple[str, ...] | None


class Columns(Frozen):
    """Which columns of a table mean what (`flywheel/ingest/readers/table.py`).

    A value is a column's name; `a.b` looks inside an object, a `?` at the end lets rows go without the column. What is
    not written is found by its well-known names, and `""` says that there is none.
    """

    prompt: SeveralColumns = None
    """What was asked: text, or messages as a list, JSON text or Python repr; several are joined by a blank line."""
    system: Column = None
    """The system message that stood in front."""
    text: Column = None
    """The answer; left out, it may be the assistant's last turn of the messages."""
    answers: SeveralColumns = None
    """Several answers to one prompt, in place of `text`."""
    choices: SeveralColumns = None
    """One for each judge: the number of the answer they preferred, counted from 1, or its column; 0 or `tie`."""
    model: SeveralColumns = None
    """Who answered; several stand for the `answers`, one by one."""
    default_model: str = "unknown"
    """The model where no column says it."""
    id: Column = None
    """Unique within the source; never guessed: without it a hash of the row is its id."""
    conversation: SeveralColumns = None
    """What tells conversations apart; several are joined into one hash."""
    user: Column = None
    """The person."""
    user_match: str = ""
    """A regular expression; what it finds first in `user` is the person."""
    at: Column = None
    """ISO time (UTC where it has no offset), Unix seconds, ms, us or ns by size; below 1e9, seconds since `epoch`."""
    epoch: date = date(1970, 1, 1)
    """The day from which small numbers in `at` count, and the time of rows that have none."""
    edited: Column = None
    """The text as the person left it."""
    accepted: Column = None
    """The person used the answer: yes, true, a number other than 0, a list that is not empty."""
    how: str = ""
    """How they used it, the same for all rows: sent, copied, applied."""
    rated: Column = None
    """An opinion: a number from -1 to 1, yes or no, up or down, good or bad."""
    rated_range: tuple[float, float] | None = None
    """The worst and the best rating, as in [1, 5]."""
    comment: Column = None
    """What they wrote with it."""
    tags: tuple[str, ...] = ()
    """Columns copied into the tags under their own names."""
    workload: Column = None
    """The job the model was used for; without it the source's."""

    @field_validator("user_match")
    @classmethod
    def _pattern(cls, written: str) -> str:
        try:
            re.compile(written)
        except re.error as error:
            raise ValueError(f"not a regular expression ({error})") from None
        return written

    @model_validator(mode="after")
    def _fit(self) -> "Columns":
        if self.answers and (self.text or self.edited or self.accepted or self.rated):
            raise ValueError("`answers` goes with `choices`, not with text, edited, accepted or rated")
        if self.choices and not self.answers:
            raise ValueError("`choices` needs `answers`, the columns that were chosen from")
        if self.rated_range and (len(set(self.rated_range)) < 2 or not all(abs(end) < 1e9 for end in self.rated_range)):
            raise ValueError("`rated_range` is two different numbers: the worst rating and the best")
        return self


Format = Literal["auto", "native", "tensorzero", "table", "tau"]


class Source(Frozen):
    """Where a product writes its logs."""

    name: Name
    """Part of every event's key: the same id from two sources is two events."""
    path: str
    """A glob; `{home}` stands for the state folder."""
    format: Format = "auto"
    """What its records look like; `auto` looks at each record."""
    workload: str = ""
    """The workload of records that name none: all formats but the native one."""
    records: str = ""
    """A dotted path to the array inside each JSON document whose elements are the records."""
    columns: Columns = Columns()
    """Which columns mean what, for `table`."""


class Slice(Frozen):
    """A named rule over an answer's tags; the first that matches wins, what none matches is `unassigned`."""

    name: Name
    """What people call it."""
    version: int = 1
    """Raise it when the rule changes."""
    tags: dict[str, str]
    """The tags an answer must carry."""


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
    """Signals switched off by name; records are rebuilt without them."""
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


class Records(Frozen):
    """What becomes training data."""

    rules_off: tuple[str, ...] = ()
    """Rules switched off by name; the records are rebuilt without them."""
    sure: Share = 0.5
    """A knowledge gap less sure than this goes to people for a decision."""
    control: Literal["none", "shuffled"] = "none"
    """`shuffled` gives every record a random direction: an experiment that must train nothing worth promoting."""
    seed: int = 0
    """Decides the directions under `shuffled`."""


class Step(Frozen):
    """One trainer's knobs."""

    learning_rate: Annotated[float, Field(gt=0)]
    """The peak of a linear schedule."""
    epochs: Annotated[float, Field(gt=0)] = 1
    """How often each record is seen."""
    batch: Annotated[int, Field(gt=0)] = 16
    """Records per optimizer step."""


class Recipe(Frozen):
    """SFT on demonstrations, then DPO on pairs from that checkpoint."""

    sft: Step = Step(learning_rate=2e-5)
    """Supervised fine-tuning; its defaults suit a hub model."""
    dpo: Step = Step(learning_rate=1e-6)
    """Direct preference optimisation; its defaults suit a hub model."""
    beta: Annotated[float, Field(gt=0)] = 0.1
    """How strongly DPO is held to where it started."""
    max_length: Annotated[int, Field(gt=0)] = 1024
    """Records with more tokens are left out and counted."""
    min_records: Annotated[int, Field(ge=1)] = 50
    """With fewer training pairs and demonstrations together nothing is trained."""
    seed: int = 0
    """Fixes order and initial state."""


class Gate(Frozen):
    """What a candidate must show."""

    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """The chance of a false promotion over all looks at one eval set together."""
    min_gain: Share = 0.01
    """A gain below this is not worth a new model."""
    min_users: Annotated[int, Field(ge=2)] = 20
    """With fewer users in the eval set the answer is hold."""
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
    """The most items an eval set is frozen with."""
    checks: tuple[Check, ...] = ()
    """The workload's own programmatic checks."""
    recipe: Recipe = Recipe()
    """How it trains."""
    gate: Gate = Gate()
    """What passes."""


class Settings(Frozen):
    """The whole of `flywheel.toml`."""

    home: Path
    """The state folder: everything the program writes lies below it (`FLYWHEEL_HOME`)."""
    salt: str = "flywheel"
    """Behind the hashes of users and masked values; set your own (`FLYWHEEL_SALT`) before the first ingest."""
    start: date
    """The first day of the day partitions; older days have no partition in the UI."""
    sources: tuple[Source, ...]
    """Where logs come from."""
    workloads: dict[Name, Workload]
    """The jobs the product uses models for, by name."""
    slices: tuple[Slice, ...] = ()
    """Slice rules, in order."""
    signals: Signals = Signals()
    """How acts are read."""
    records: Records = Records()
    """What becomes training data."""
    playground: dict[str, Any] = {}
    """The playground's own section; nothing else reads it."""

    def workload(self, name: str) -> Workload:
        if name not in self.workloads:
            raise BadInput("no such workload", seen=name, allowed=", ".join(self.workloads))
        return self.workloads[name]

    def base_model(self, workload: str) -> str:
        return self.workload(workload).base_model.format(home=self.home)


def home() -> Path:
    """The state folder: `FLYWHEEL_HOME`, else `.flywheel` in the repository."""
    return Path(os.environ.get("FLYWHEEL_HOME") or REPOSITORY / ".flywheel").absolute()


def load(path: Path | None = None) -> Settings:
    """Read `path`, else the file `FLYWHEEL_SETTINGS` names, else the repository's `flywheel.toml`."""
    path = path or Path(os.environ.get("FLYWHEEL_SETTINGS") or REPOSITORY / "flywheel.toml")
    try:
        written = tomllib.loads(path.read_text())
    except OSError:
        raise BadInput("the settings file cannot be read", seen=path, do="write it or set FLYWHEEL_SETTINGS") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not TOML ({error})", do="mend that line") from None
    return parse(written, str(path))


def parse(written: dict[str, Any], name: str = "settings") -> Settings:
    """Settings from a mapping, or one sentence for the first field that is wrong."""
    salt = {"salt": os.environ["FLYWHEEL_SALT"]} if os.environ.get("FLYWHEEL_SALT") else {}
    return _made(Settings, {"home": home(), **written, **salt}, name)


def source(written: dict[str, Any]) -> Source:
    """One source from a mapping."""
    return _made(Source, written, "source")


def _made(model: type[Model], written: dict[str, Any], name: str) -> Model:
    try:
        return model(**written)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise BadInput(
            f"{name}, field {where}: {first['msg']}{more}", seen=first["input"], do="mend that field"
        ) from None
