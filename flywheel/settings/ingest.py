"""Where logs come from, and which columns of a table mean what."""

import re
from datetime import date
from typing import Literal

from pydantic import field_validator, model_validator

from flywheel.settings.base import Frozen, Name

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
    sent: bool = False
    """Every row went out as it stands: history that nobody logged while it happened."""
    how: str = ""
    """How they used it, the same for all rows: sent, copied, applied; or written, with no draft before them."""
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


Format = Literal[
    "auto",
    "native",
    "tensorzero",
    "tau",
    "nvidia",
    "openai",
    "openwebui",
    "chatgpt",
    "lmarena",
    "langfuse",
    "mlflow",
    "otel",
    "table",
]


class Source(Frozen):
    """Where a product writes its logs."""

    name: Name
    """Part of every event's key: the same id from two sources is two events."""
    path: str
    """A glob; `{home}` stands for the state folder. Or a live MLflow: `mlflow:<tracking uri>`, `sqlite:///<file>`."""
    experiments: tuple[str, ...] = ()
    """Of a live MLflow: the names of the experiments whose traces are harvested."""
    format: Format = "auto"
    """What its records look like; `auto` looks at each record."""
    workload: str = ""
    """The workload of records that name none: all formats but the native one."""
    records: str = ""
    """A dotted path to the array inside each JSON document whose elements are the records."""
    columns: Columns = Columns()
    """Which columns mean what, for `table`."""

    @property
    def live(self) -> bool:
        """It is a server or a database, from which an ingest harvests first."""
        return self.path.startswith(("mlflow:", "sqlite:///"))

    @property
    def files(self) -> str:
        """The glob of its files; `{home}` stands for the state folder."""
        return f"{{home}}/harvest/{self.name}/*.jsonl" if self.live else self.path

    @model_validator(mode="after")
    def _named(self) -> "Source":
        if self.live != bool(self.experiments):
            raise ValueError(
                "`experiments` goes with a path of a live MLflow (mlflow:... or sqlite:///...), which needs it"
            )
        return self
