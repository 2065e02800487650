"""An audit by somebody who knows the truth: how far confidence lies from what is right where nobody labelled."""

from typing import NamedTuple

import polars as pl

from benchmarks.signals.scene import Scene
from benchmarks.signals.truth import labels
from flywheel.signals import audit
from flywheel.signals.calibration import calibrated, error
from flywheel.tables import Audits

KEY = ["workload", "answer", "kind", "about"]


class Errors(NamedTuple):
    """The expected calibration error on the rest, before and after."""

    before: float
    after: float


def audited(scene: Scene, n: int, seed: int) -> Errors:
    """Draw, label by the truth, calibrate; nothing is kept."""
    signals = scene.signals
    known = dict(zip(signals.select(KEY).rows(), labels(signals, scene.truth), strict=True))
    lines = [line | {"label": known[tuple(line[name] for name in KEY)]} for line in audit.draw(scene.lake, n, seed)]
    audits = pl.DataFrame(lines, infer_schema_length=None)
    audits = audits.select(pl.col(name).cast(column.dtype) for name, column in Audits.columns().items())
    rest = signals.join(audits, on=KEY, how="anti", maintain_order="left")
    right = pl.Series([known[key] for key in rest.select(KEY).rows()], dtype=pl.Boolean)
    return Errors(error(rest["confidence"], right), error(calibrated(rest, audits)["confidence"], right))
