"""Which texts nearly repeat others: the same but for case, spacing and punctuation, or by most of their 5-word runs.

Lists in and out, for whoever holds a few columns of a table; the work, and what near means, belongs in `near`. What
follows from a repetition belongs to the caller.
"""

from collections.abc import Iterable, Sequence

import polars as pl

from flywheel.datasets import grams, near


def normalised(text: str) -> str:
    """The words of a text in lower case; a text without words is known by its signs."""
    return grams.normalised(pl.Series([text]))[0]


def repeats(texts: Sequence[str], known: Iterable[str], forms: Sequence[str] = ()) -> list[bool]:
    """Of each text, whether it nearly repeats a known one, and not for what both have of the product's `forms`."""
    ours, theirs = (pl.Series(side, dtype=pl.String) for side in (texts, list(known)))
    return near.repeats(ours, theirs, forms).to_list()


def repeated(texts: Sequence[str], forms: Sequence[str] = ()) -> list[bool]:
    """Of each text, whether it nearly repeats another one of them."""
    found = near.clusters(pl.Series(texts, dtype=pl.String), forms).to_frame("cluster")
    return found.select(pl.len().over("cluster") > 1).to_series().to_list()
