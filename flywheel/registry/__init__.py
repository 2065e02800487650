"""MLflow: versions with lineage, the aliases `challenger` and `champion`, and what was seen of them.

`store` is MLflow itself; `conclude` acts on a verdict; `deployments` keeps the moves of the alias. Which model is
better is decided in `flywheel.gate`, never here.
"""

from flywheel.registry.conclude import conclude, fail, void
from flywheel.registry.deployments import observe
from flywheel.registry.store import Registry, Version

__all__ = ["Registry", "Version", "conclude", "fail", "observe", "void"]
