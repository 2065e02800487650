"""What all benchmarks say in the same words: a line, the span of some ratios, and a promise met or missed."""

import sys
from collections.abc import Sequence
from math import inf


def tell(line: str = "") -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def spread(ratios: Sequence[float]) -> str:
    return f"{min(ratios):.2f} to {max(ratios):.2f}, n = {len(ratios)}"


def promise(what: str, seen: float, *, at_least: float = 0, at_most: float = inf) -> None:
    target = f">= {at_least:g}" if at_least else f"<= {at_most:g}"
    tell(f"{what:72} {seen:8.3f}  target {target:8} {'met' if at_least <= seen <= at_most else 'MISSED'}")
