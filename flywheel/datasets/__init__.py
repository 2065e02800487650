"""Records -> a dataset of one workload at one cutoff, and the frozen sets it may never touch.

`splits` says which side a record is on; `evalset` reads and verifies the frozen sets, `rotation` makes their versions
and `sampling` says what of the traffic they hold; `review` has people decide about doubtful records, `dataset` cuts the
training rows, `near` finds near repetitions beyond the `forms` that all requests share, and `leakage` counts what
would make every later number a lie; `card` tells what a dataset is made of, `export` writes it for other tools. What a
record is belongs in `flywheel.records`, how it trains in `flywheel.training`.
"""

from flywheel.datasets.card import keep_card
from flywheel.datasets.dataset import Cut, cut
from flywheel.datasets.evalset import frozen, frozen_forms, sealed
from flywheel.datasets.leakage import leaks
from flywheel.datasets.rotation import advance

__all__ = ["Cut", "advance", "cut", "frozen", "frozen_forms", "keep_card", "leaks", "sealed"]
