"""What assets are given: the library's own objects, behind one thin resource. No logic belongs here."""

from pathlib import Path

import dagster as dg
from flywheel import checkpoint, settings
from flywheel.lake import Lake
from flywheel.registry import Registry, Version


class Wheel(dg.ConfigurableResource):
    """The wheel of one settings file: its settings, tables and registry, read anew in each run."""

    def settings(self) -> settings.Settings:
        return settings.load()

    def lake(self) -> Lake:
        return Lake(self.settings().home)

    def registry(self) -> Registry:
        return Registry(self.settings().home)

    def champion(self, workload: str) -> Version:
        """The version that serves; where nothing was promoted yet, champion zero of the settings becomes it."""
        registry = self.registry()
        champion = registry.ensure_champion(workload, checkpoint.champion_zero(self.settings(), workload))
        registry.path(champion)  # raises when the folder no longer holds what was registered
        return champion

    def base(self, workload: str) -> Path:
        """The local folder of the workload's base model."""
        return checkpoint.locate(self.settings().base_model(workload))
