"""What assets are given: the library's own objects, behind one thin resource. No logic belongs here."""

import dagster as dg
from flywheel import settings
from flywheel.lake import Lake
from flywheel.registry import Registry


class Wheel(dg.ConfigurableResource):
    """The wheel of one settings file: its settings, tables and registry, read anew in each run."""

    def settings(self) -> settings.Settings:
        return settings.load()

    def lake(self) -> Lake:
        return Lake(self.settings().home)

    def registry(self) -> Registry:
        return Registry(self.settings().home)
