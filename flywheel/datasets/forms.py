"""The forms a product fills in: word runs that so many talks have that they tell no two requests apart.

A product may put one long template into every user's message. Then all requests are nearly the same but for what was
filled in, and a wall that counts the template would keep everything out. What is common is judged once, when the first
eval set is frozen, and frozen with it (`eval_sets.forms`), so that the wall is the same in every later cycle. How texts
are compared without their forms belongs in `near` and `contamination`.
"""

from collections.abc import Collection, Sequence

import numpy as np
import polars as pl

from flywheel.datasets.asked import asked
from flywheel.datasets.grams import U64, grams, normalised, wholes

WORDS = 5
SHARED, FEW, SAMPLE = 0.2, 100, 2000
"""A form's run is in more than this share of the talks, and of their users; among few talks nobody can tell."""


def common(talks: pl.DataFrame) -> list[str]:
    """The runs of 5 words that a fifth of these talks have (`user`, `prompt`), and a fifth of who had them.

    The same text counts once, whoever wrote it, so that a question asked by many is no form.
    """
    plain = talks.select("user", said=normalised(asked(talks["prompt"])))
    plain = plain.filter(pl.col("said") != "").sort("said", "user").unique("said", keep="first", maintain_order=True)
    if len(plain) < FEW:
        return []
    found = grams(plain["said"], WORDS)
    runs = pl.DataFrame({"talk": found.texts, "run": found.hashes}).unique()
    runs = runs.with_columns(user=plain["user"].gather(runs["talk"]))
    many = runs.group_by("run").agg(pl.len().alias("talks"), pl.col("user").n_unique(), pl.col("talk").min())
    enough = pl.col("talks") > SHARED * len(plain), pl.col("user") > SHARED * plain["user"].n_unique()
    return _spelled(plain["said"], many.filter(*enough))


def _spelled(plain: pl.Series, many: pl.DataFrame) -> list[str]:
    """The runs as text, read where they stand."""
    said = plain.gather(many["talk"].unique().sort())
    spelled = [run for text in said for run in _runs(text.split(" "))]
    known = np.isin(grams(said, WORDS).hashes, many["run"].to_numpy())
    return sorted({run for run, common in zip(spelled, known, strict=True) if common})


def sampled(talks: pl.DataFrame) -> pl.DataFrame:
    """At most so many of the talks, by the hash of their `conversation`: the same ones on every machine."""
    order = pl.Series("order", wholes(talks["conversation"]))
    return talks.with_columns(order).sort("order", "conversation").head(SAMPLE).drop("order")


def hashed(forms: Sequence[str]) -> U64:
    """The forms as the hashes that texts are compared by."""
    return grams(pl.Series(forms, dtype=pl.String), WORDS).hashes


def covered(words: Sequence[str], forms: Collection[str]) -> list[bool]:
    """Of each word, whether it stands in a form."""
    marks = [False] * len(words)
    for start, run in enumerate(_runs(words)):
        if run in forms:
            marks[start : start + WORDS] = [True] * WORDS
    return marks


def filling(words: Sequence[str], forms: Collection[str]) -> list[str]:
    """The words outside the forms; all of them where there is nothing else."""
    marks = covered(words, forms)
    return [word for word, common in zip(words, marks, strict=True) if not common] or list(words)


def _runs(words: Sequence[str]) -> list[str]:
    return [" ".join(words[start : start + WORDS]) for start in range(len(words) - WORDS + 1)]
