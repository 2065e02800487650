"""The settings a person writes: frozen models of `flywheel.toml`, one line of meaning under each field.

A stage's settings are read here and passed on as values; no stage opens the file itself. The playground's own section
stays an unread mapping: only the playground knows what it means.
"""

import os
import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flywheel.errors import BadInput

REPOSITORY = Path(__file__).resolve().parent.parent


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]


class Source(Frozen):
    """Where a product writes its logs."""

    name: Name
    """Part of every event's key: the same id from two sources is two events."""
    path: str
    """A glob; `{home}` stands for the state folder."""


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


class Signals(Frozen):
    """How acts are read (`docs/design/architecture.md`, Time and change)."""

    idle_hours: float = 24
    """A conversation with no event for this long, on the watermark, is closed."""
    edit_typo: Share = 0.02
    """Edits smaller than this share of the text say nothing."""
    edit_pair: Share = 0.10
    """Edits from this share on make a preference pair."""
    edit_rewrite: Share = 0.70
    """Edits beyond this share are a rewrite on another intent: no pair, no demonstration."""
    rephrase_similarity: Share = 0.30
    """A next request at least this similar to the one before it is a rephrase."""


class Records(Frozen):
    """What becomes training data."""

    rules_off: tuple[str, ...] = ()
    """Rules switched off by name; the records are rebuilt without them."""
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
    try:
        return Settings(**{"home": home(), **written})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise BadInput(
            f"{name}, field {where}: {first['msg']}{more}", seen=first["input"], do="mend that field"
        ) from None
