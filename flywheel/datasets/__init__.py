"""Records -> a dataset of one workload at one cutoff, and the frozen eval set it may never touch.

`splits` says which side a user is on, `evalset` freezes and verifies the eval set, `dataset` cuts the training rows,
`leakage` counts what would make every later number a lie. What a record is belongs in `flywheel.records`, how it
trains in `flywheel.training`.
"""

from flywheel.datasets.dataset import Cut, cut
from flywheel.datasets.evalset import frozen
from flywheel.datasets.leakage import leaks

__all__ = ["Cut", "cut", "frozen", "leaks"]
