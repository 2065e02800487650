"""Flywheel: a data flywheel for products built on language models.

A library of stages that never imports Dagster; the wiring lives in `assets/`. Start with `docs/design/architecture.md`.
"""

__version__ = "0.1.0"
