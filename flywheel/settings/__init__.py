"""The settings a person writes: frozen models of `flywheel.toml`, one line of meaning under each field.

A stage's settings are read here and passed on as values; no stage opens the file itself. The sections lie in modules
of their own; the playground's stays an unread mapping: only the playground knows what it means.
"""

import os
import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError, model_validator

from flywheel.errors import UNSEEN, BadInput
from flywheel.settings.base import Frozen, Name, Share
from flywheel.settings.curation import Curation
from flywheel.settings.ingest import Columns, Format, Source
from flywheel.settings.signals import Classifier, OwnSignal, Records, Signals, Slice
from flywheel.settings.workload import (
    Check,
    Endpoint,
    Gate,
    Lora,
    Policy,
    Prices,
    Recipe,
    Scorer,
    Step,
    Watching,
    Workload,
)

__all__ = [
    "REPOSITORY",
    "Budget",
    "Check",
    "Classifier",
    "Columns",
    "Curation",
    "Endpoint",
    "Format",
    "Frozen",
    "Gate",
    "Lora",
    "Name",
    "OwnSignal",
    "Policy",
    "Prices",
    "Recipe",
    "Records",
    "Scorer",
    "Settings",
    "Share",
    "Signals",
    "Slice",
    "Source",
    "Step",
    "Watching",
    "Workload",
    "home",
    "load",
    "parse",
    "policy",
    "source",
]

REPOSITORY = Path(__file__).resolve().parent.parent.parent

Model = TypeVar("Model", bound=Frozen)


class Budget(Frozen):
    """What one cycle of a workload may spend; reaching it stops the cycle with a sentence."""

    gpu_minutes: Annotated[float, Field(gt=0)] = 240
    """Of generating and scoring on this machine."""
    training_minutes: Annotated[float, Field(gt=0)] = 720
    """Of one training, on whatever it trains on; a run that would take longer does not start."""
    tokens: Annotated[int, Field(gt=0)] = 5_000_000
    """Asked of and answered by endpoints, judges included."""


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
    budget: Budget = Budget()
    """What a cycle may spend."""
    playground: dict[str, Any] = Field(default={})
    """The playground's own section; nothing else reads it."""

    @model_validator(mode="after")
    def _known(self) -> "Settings":
        names = [*(rule.name for rule in self.slices), "unassigned"]
        for name, workload in self.workloads.items():
            if unknown := [priced for priced in workload.policy.slices if priced not in names]:
                where, said = f"workloads.{name}.policy.slices", ", ".join(unknown)
                raise ValueError(f"{where}: no slice is called {said}; there are {', '.join(names)}")
        return self

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
    return parse(_read(path, "the settings file cannot be read", "write it or set FLYWHEEL_SETTINGS"), str(path))


def parse(written: dict[str, Any], name: str = "settings") -> Settings:
    """Settings from a mapping, or one sentence for the first field that is wrong."""
    salt = {"salt": os.environ["FLYWHEEL_SALT"]} if os.environ.get("FLYWHEEL_SALT") else {}
    return _made(Settings, {"home": home(), **written, **salt}, name)


def source(written: dict[str, Any]) -> Source:
    """One source from a mapping."""
    return _made(Source, written, "source")


def policy(path: Path) -> Gate:
    """The gate of a file of its own, with the fields of `[workloads.X.gate]`."""
    return _made(Gate, _read(path, "the policy cannot be read", "name a TOML file"), str(path))


def _read(path: Path, what: str, do: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError:
        raise BadInput(what, seen=path, do=do) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not TOML ({error})", do="mend that line") from None


def _made(model: type[Model], written: dict[str, Any], name: str) -> Model:
    try:
        return model(**written)
    except ValidationError as error:
        first = error.errors()[0]
        where = f", field {'.'.join(str(part) for part in first['loc'])}" if first["loc"] else ""
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        seen = UNSEEN if first["type"] == "value_error" else first["input"]  # a rule of ours says what it saw
        raise BadInput(f"{name}{where}: {first['msg']}{more}", seen=seen, do="mend that field") from None
