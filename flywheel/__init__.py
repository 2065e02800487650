"""Flywheel: a data flywheel for products built on language models.

A library of stages that never imports Dagster; the wiring lives in `assets/`. Start with `docs/design/architecture.md`.
"""

import os

# Threads that spin while they wait starve each other on a machine that is also doing something else: with four busy
# processes on two cores training came to a standstill. Set before anything loads OpenMP; your own value wins.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
