"""The registry: winners become MLflow model versions with their lineage; the alias `champion` says which one serves.

MLflow lies in SQLite below the state folder and needs no server. A version is a plain folder without flavor or pickle.
The same weights are the same version: every step looks for what an earlier, killed attempt left and goes on from there,
under one lock. Deciding what deserves to be registered belongs in `flywheel.gate`.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlparse

from flywheel import database
from flywheel.checkpoint import ENDPOINT, endpoint, fingerprint, is_endpoint
from flywheel.errors import BadInput, BrokenInvariant, Terminal
from flywheel.lake import locked

CHAMPION, CHALLENGER = "champion", "challenger"
# Nothing executes from data: weights as safetensors, and the text files that come with them.
ALLOWED = {".safetensors", ".json", ".jinja", ".txt", ".md"}
ALLOWED_NAMES = {"tokenizer.model"}


@dataclass(frozen=True, kw_only=True)
class Version:
    """A registered model: `fingerprint` names its weights everywhere, `path` is the folder they lie in."""

    workload: str
    version: str
    fingerprint: str
    path: Path
    tags: Mapping[str, str]
    aliases: tuple[str, ...]
    run_id: str | None


class Registry:
    """The models of one state folder."""

    def __init__(self, home: Path) -> None:
        self.home = Path(home).absolute()
        self.tracking_uri = f"sqlite:///{self.home / 'mlflow.db'}"

    # ---- reading ----------------------------------------------------------------------------------------------------

    def champion(self, workload: str) -> Version | None:
        """The version that serves, whoever moved the alias."""
        names = self._aliases(workload)
        number = next((version for version, aliases in names.items() if CHAMPION in aliases), None)
        return None if number is None else self._version(self._client.get_model_version(workload, number), names)

    def former_champions(self, workload: str) -> list[Version]:
        """Those to go back to, the one promoted last first."""
        served = [each for each in self.versions(workload) if "promoted_at" in each.tags]
        before = [each for each in served if CHAMPION not in each.aliases]
        return sorted(before, key=lambda each: each.tags["promoted_at"], reverse=True)

    def versions(self, workload: str) -> list[Version]:
        """All versions of a workload, oldest first."""
        names = self._aliases(workload)
        found = self._client.search_model_versions(f"name = '{workload}'", max_results=10_000)
        return sorted((self._version(each, names) for each in found), key=lambda each: int(each.version))

    def path(self, version: Version) -> Path:
        """The folder to load, sure to hold what was registered."""
        held = fingerprint(version.path)
        if held != version.fingerprint:
            raise BrokenInvariant(
                f"{version.workload} version {version.version} is not what was registered",
                seen=f"fingerprint {held} in {version.path}",
                allowed=version.fingerprint,
                do="promote another version, or restore that folder",
            )
        return version.path

    # ---- writing ----------------------------------------------------------------------------------------------------

    def ensure_champion(self, workload: str, base: Path) -> Version:
        """The champion; where there is none yet, the base model becomes it."""
        with self._locked():
            serving = self.champion(workload)
            if serving is None:
                named = f"{endpoint(base).model} behind an endpoint" if is_endpoint(base) else f"base model {base}"
                description = f"The {named}, where every comparison starts."
                zero = self._registered(workload, base, tags={"base_model": str(base)}, description=description)
                serving = self._promoted(zero, who="flywheel", why="the workload had no champion")
            return serving

    def register(
        self,
        workload: str,
        checkpoint: Path,
        tags: Mapping[str, str],
        metrics: Mapping[str, float] | None = None,
        *,
        run_id: str | None = None,
    ) -> Version:
        """A winner as a version, waiting as `challenger`; metrics lie with its run, the lineage with the version."""
        if metrics and run_id is None:
            raise ValueError("metrics are kept with a run: pass run_id")
        with self._locked():
            description = describe(tags)
            found = self._registered(
                workload, checkpoint, tags=tags, description=description, metrics=metrics or {}, run_id=run_id
            )
            newest = self.versions(workload)[-1].version
            if found.version == newest and "promoted_at" not in found.tags and CHAMPION not in found.aliases:
                self._client.set_registered_model_alias(workload, CHALLENGER, found.version)
            return self._get(workload, found.version)

    def promote(self, workload: str, version: str, who: str, why: str) -> Version:
        """From now on this version serves; the one before keeps its tags and can be promoted again."""
        with self._locked():
            return self._promoted(self._get(workload, version), who=who, why=why)

    def annotate(
        self,
        workload: str,
        run_id: str,
        *,
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        artifact: Path | None,
        mark: tuple[str, str],
    ) -> bool:
        """Tell a run more than its training did; the tag `mark` comes last, and whoever finds it has nothing to do."""
        from mlflow.entities import Metric, RunTag

        with self._locked():
            found = self._client.search_runs([self.experiment(workload)], f"attributes.run_id = '{run_id}'")
            if not found or found[0].data.tags.get(mark[0]) == mark[1]:
                return False
            if artifact is not None:
                self._client.log_artifact(run_id, str(artifact), "gate")
            now, before = int(time.time() * 1000), found[0].data.metrics
            new = [Metric(name, value, now, 0) for name, value in metrics.items() if before.get(name) != value]
            self._client.log_batch(run_id, metrics=new, tags=[RunTag(name, value) for name, value in tags.items()])
            self._client.set_tag(run_id, *mark)
            return True

    def experiment(self, workload: str) -> str:
        """The id of the experiment that holds the workload's runs and models; everything in it lies below home."""
        known = self._client.get_experiment_by_name(workload)
        if known is not None:
            return known.experiment_id
        location = (self.home / "mlartifacts" / workload).as_uri()
        return self._client.create_experiment(workload, artifact_location=location)

    # ---- steps, under the lock --------------------------------------------------------------------------------------

    def _registered(
        self,
        workload: str,
        checkpoint: Path,
        *,
        tags: Mapping[str, str],
        description: str,
        metrics: Mapping[str, float] = MappingProxyType({}),
        run_id: str | None = None,
    ) -> Version:
        """The version of these weights; made when there is none, its row in MLflow last and in one commit."""
        identity = checked(checkpoint)
        known = next((each for each in self.versions(workload) if each.fingerprint == identity), None)
        if known is not None:
            return known
        model = self._logged(workload, checkpoint, identity, run_id)
        for name, value in metrics.items():
            self._client.log_metric(run_id, name, value, model_id=model.model_id)
        if not self._client.search_registered_models(f"name = '{workload}'"):
            self._client.create_registered_model(workload)
        import mlflow

        # The store resolves models:/<id> through the process's tracking URI, whatever the client was given.
        mlflow.set_tracking_uri(self.tracking_uri)
        made = self._client.create_model_version(
            workload,
            source=model.model_uri,
            run_id=run_id,
            tags={**tags, "fingerprint": identity},
            description=description,
        )
        return self._get(workload, str(made.version))

    def _logged(self, workload: str, checkpoint: Path, identity: str, run_id: str | None) -> Any:
        """The folder as a READY model of MLflow; one that a killed attempt left half copied is completed."""
        experiment = self.experiment(workload)
        left = self._client.search_logged_models([experiment], filter_string=f"tags.fingerprint = '{identity}'")
        model = left[0] if left else None
        if model is None:
            model = self._client.create_logged_model(
                experiment, name=workload, source_run_id=run_id, tags={"fingerprint": identity}, model_type="checkpoint"
            )
        if model.status != "READY":
            self._client.log_model_artifacts(model.model_id, str(checkpoint))
            model = self._client.finalize_logged_model(model.model_id, "READY")
        return model

    def _promoted(self, version: Version, *, who: str, why: str) -> Version:
        """The alias moves last: whoever sees it moved also sees by whom and why."""
        name, number = version.workload, version.version
        moved = {"promoted_by": who, "reason": why, "promoted_at": datetime.now(UTC).isoformat(timespec="microseconds")}
        for key, value in moved.items():
            self._client.set_model_version_tag(name, number, key, value)
        self._client.set_registered_model_alias(name, CHAMPION, number)
        if CHALLENGER in version.aliases:
            self._client.delete_registered_model_alias(name, CHALLENGER)
        return self._get(name, number)

    def _get(self, workload: str, version: str) -> Version:
        known = {each.version: each for each in self.versions(workload)}
        if str(version) not in known:
            raise BadInput(f"{workload} has no such version", seen=version, allowed=", ".join(known) or "none yet")
        return known[str(version)]

    # ---- MLflow -----------------------------------------------------------------------------------------------------

    @cached_property
    def _client(self) -> Any:
        return database.client(self.tracking_uri, self.home)

    def _locked(self) -> Any:
        return locked(self.home / "locks" / "registry")

    def _aliases(self, workload: str) -> dict[str, list[str]]:
        """Aliases by version; a search for versions leaves them out."""
        names: dict[str, list[str]] = {}
        for model in self._client.search_registered_models(f"name = '{workload}'"):
            for alias, version in sorted(model.aliases.items()):
                names.setdefault(str(version), []).append(alias)
        return names

    def _version(self, found: Any, names: Mapping[str, list[str]]) -> Version:
        uri = urlparse(self._client.get_model_version_download_uri(found.name, found.version))
        if uri.scheme not in ("", "file"):
            what = f"{found.name} version {found.version} does not lie on this machine"
            raise Terminal(what, seen=uri.geturl(), allowed="a local folder", do="move the alias to another version")
        folder = Path(unquote(uri.path))
        return Version(
            workload=found.name,
            version=str(found.version),
            fingerprint=found.tags.get("fingerprint") or fingerprint(folder),
            path=folder,
            tags=dict(found.tags),
            aliases=tuple(names.get(str(found.version), ())),
            run_id=found.run_id,
        )


def checked(checkpoint: Path) -> str:
    """The fingerprint of a folder that holds nothing but weights and text, or an endpoint alone."""
    inside = [path for path in sorted(checkpoint.rglob("*")) if path.is_symlink() or not path.is_dir()]
    strange = [path for path in inside if path.suffix not in ALLOWED and path.name not in ALLOWED_NAMES]
    if strange:
        raise Terminal(
            "a checkpoint to be registered holds a file that is not weights or text",
            seen=strange[0],
            allowed=", ".join(sorted(ALLOWED | ALLOWED_NAMES)),
            do="save the model alone, as safetensors",
        )
    if is_endpoint(checkpoint):
        if others := [path for path in inside if path.name != ENDPOINT]:
            what = "a folder that names an endpoint holds something else, and would be two models"
            raise Terminal(what, seen=others[0], allowed=f"{ENDPOINT} alone", do="take one of the two away")
        return fingerprint(checkpoint)
    if not list(checkpoint.glob("*.safetensors")):
        raise Terminal(
            "a checkpoint without safetensors cannot be registered", seen=checkpoint, do="save the model there"
        )
    return fingerprint(checkpoint)


def describe(tags: Mapping[str, str]) -> str:
    """The lineage of a version in words, as far as the tags tell it."""
    words = {
        "base_model": "trained from {}",
        "dataset": "on dataset {}",
        "cycle": "in cycle {}",
        "cutoff": "with the logs up to {}",
        "champion_beaten": "beat champion {}",
        "gain": "by {}",
        "interval": "(interval {})",
        "eval_set": "on eval set {}",
    }
    said = " ".join(form.format(tags[tag]) for tag, form in words.items() if tag in tags)
    return f"A winner of the gate: {said}."
