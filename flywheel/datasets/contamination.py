"""Training records that know an eval item: what was asked in both, or nearly so.

Looked at is what people asked, never the answers. Three ways, by falling certainty: the same request but for case,
spaces and signs; a run of 13 words of the item's own; and the item with small edits. A gram is an item's own if few
training texts have it: what many people write is a greeting, a form or a template, and in it nothing can be known by
heart, and so are the frozen `forms`. Whoever nearly repeats an item (`near`) goes too.

All eval items count, whatever their set and role: the sealed, the retired and the bridged. What to do with the records
found belongs to the caller.
"""

from collections.abc import Collection, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
from rapidfuzz.distance import LCSseq, Levenshtein

from flywheel.compute import mapped
from flywheel.datasets.asked import asked, last_asked
from flywheel.datasets.forms import covered, filling
from flywheel.datasets.grams import U64, chunks, grams, normalised, wholes
from flywheel.datasets.near import plain_repeats

RUN, RUNS, SMALL = 8, 5, 3
"""A run of 13 words has six 8-word grams; five own ones tell it, and a footer with a name before it has but one."""
FEW, SOME, RARE = 10, 50, 0.002
"""A gram is an item's own if at most this share of the training texts has it: never below 10 of them, nor above 50."""
LEAST = 2
"""Own small grams that a text must share with an item to be compared with it."""
HELD, EDITED = 0.6, 0.2
"""It knows the item if it holds this share of its own small grams, or all but this share of its words."""
COVERED = 0.75
"""A gram with this share of its words in forms is no item's own."""
BITS = 24
"""Of a hash, looked up in a table that tells most grams of no item apart at once."""

Numbers = npt.NDArray[np.int64]


def contaminated(prompts: pl.Series, items: pl.DataFrame, forms: Sequence[str] = ()) -> pl.Series:
    """Why each training prompt knows one of the eval items (`prompt`, `request`); null where it does not.

    What stands in the product's `forms` is no item's own.
    """
    if items.is_empty() or prompts.is_empty():
        return pl.Series("why", [None] * len(prompts), dtype=pl.String)
    plain, last = normalised(asked(prompts)), normalised(last_asked(prompts))
    theirs = normalised(pl.concat([items["request"], asked(items["prompt"])])).unique().sort()
    theirs = theirs.filter(theirs != "")
    known = wholes(theirs)
    named = wholes(plain)
    run, edited = _overlapping(plain, named, theirs, frozenset(forms))
    found = pl.DataFrame({
        "exact": np.isin(named, known) | np.isin(wholes(last), known),
        "run": run,
        "edited": edited,
        "near": plain_repeats(plain, theirs, forms) | plain_repeats(last, theirs, forms),
    })  # fmt: skip
    return found.select(
        why=pl.when("exact").then(pl.lit("an eval item asks the same"))
        .when("run").then(pl.lit("shares 13 words in a row with an eval item"))
        .when(pl.col("edited") | pl.col("near")).then(pl.lit("an eval item asks nearly the same"))
    ).to_series()  # fmt: skip


def _overlapping(
    plain: pl.Series, named: U64, theirs: pl.Series, forms: Collection[str]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which texts share a long run with an item, and which are an edited item."""
    _, first, place = np.unique(named, return_index=True, return_inverse=True)
    different = plain.gather(pl.Series(first))
    run = np.zeros(len(different), dtype=bool)
    run[_met(different, _Index(theirs, RUN, forms), RUNS)["text"].to_numpy()] = True
    return run[place], _edited(different, theirs, forms)[place]


class _Index:
    """The grams of all items outside the forms, and which items have each."""

    def __init__(self, theirs: pl.Series, words: int, forms: Collection[str]) -> None:
        found = grams(theirs, words)
        rows = pl.DataFrame({"gram": found.hashes, "item": found.texts})
        if forms:
            rows = rows.filter(~pl.Series(list(_formal(theirs, words, forms)), dtype=pl.Boolean))
        rows = rows.unique()
        long_enough = pl.Series((theirs.str.count_matches(" ") + 1 >= words).to_numpy()[rows["item"].to_numpy()])
        few = pl.len().over("gram") <= max(FEW, RARE * len(theirs))
        self.rows = rows.filter(long_enough).filter(few).sort("gram", "item")
        self.grams = self.rows["gram"].unique().sort().to_numpy()
        self.words = words

    def shared(self, plain: pl.Series) -> tuple[Numbers, Numbers, npt.NDArray[np.bool_]]:
        """Each text and each own gram that it shares; and which grams are an item's own."""
        table = np.zeros(1 << BITS, dtype=bool)
        table[self.grams >> np.uint64(64 - BITS)] = True
        counts = np.zeros(len(self.grams), dtype=np.int64)
        limit = min(max(FEW, RARE * len(plain)), SOME)

        def hits(chunk: tuple[int, pl.Series]) -> tuple[Numbers, Numbers]:
            found = grams(chunk[1], self.words)
            maybe = np.flatnonzero(table[found.hashes >> np.uint64(64 - BITS)])
            place = np.searchsorted(self.grams, found.hashes[maybe]).clip(max=max(len(self.grams) - 1, 0))
            sure = (self.grams[place] == found.hashes[maybe]) & (counts[place] <= limit)
            # A gram that has reached its limit is passed over from there on; its earlier hits are dropped at the end.
            texts = np.searchsorted(np.cumsum(found.sizes), maybe[sure], side="right") + chunk[0]
            codes = np.unique(texts * len(self.grams) + place[sure])
            return codes // len(self.grams), codes % len(self.grams)

        texts, places = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        if len(self.grams):
            for some, where in mapped(hits, chunks(plain)):
                texts.append(some)
                places.append(where)
                counts += np.bincount(where, minlength=len(self.grams))
        own = counts <= limit
        text, place = np.concatenate(texts), np.concatenate(places)
        return text[own[place]], place[own[place]], own


def _met(plain: pl.Series, index: _Index, least: int) -> pl.DataFrame:
    """Each text and item that share so many of the item's own grams: how many (`shared`), of how many (`own`)."""
    text, place, own = index.shared(plain)
    mine = index.rows.filter(pl.Series(own[np.searchsorted(index.grams, index.rows["gram"].to_numpy())]))
    sizes = mine.group_by("item").agg(own=pl.len())
    met = pl.DataFrame({"text": text, "gram": index.grams[place]}).join(mine, on="gram")
    met = met.group_by("text", "item").agg(shared=pl.len()).filter(pl.col("shared") >= least)
    return met.join(sizes, on="item").sort("text", "item")


def _formal(plain: pl.Series, words: int, forms: Collection[str]) -> Iterator[bool]:
    """Of each gram of these texts, in their order, whether hardly a word of it stands outside the forms."""
    for text in plain:
        marks = covered(said := text.split(" "), forms)
        least = COVERED * min(words, len(said))
        yield from (sum(marks[start : start + words]) >= least for start in range(max(1, len(said) - words + 1)))


def _edited(plain: pl.Series, theirs: pl.Series, forms: Collection[str]) -> npt.NDArray[np.bool_]:
    """Which texts hold most of an item's own small grams, or differ from it in few words outside the forms."""
    met = _met(plain, _Index(theirs, SMALL, forms), LEAST)
    holds = (pl.col("shared") > LEAST) & (pl.col("shared") >= HELD * pl.col("own"))
    edited = np.zeros(len(plain), dtype=bool)
    edited[met.filter(holds)["text"].to_numpy()] = True
    rest = met.filter(~pl.Series(edited[met["text"].to_numpy()]))
    pairs = zip(plain.gather(rest["text"]), theirs.gather(rest["item"]), strict=True)
    close = np.array([_few_changes(one.split(" "), two.split(" "), forms) for one, two in pairs], dtype=bool)
    edited[rest["text"].to_numpy()[close]] = True
    return edited


def _few_changes(text: list[str], item: list[str], forms: Collection[str]) -> bool:
    """Few words differ, and few of those that the item has outside the forms are missing."""
    most = int(EDITED * len(item))
    if Levenshtein.distance(text, item, score_cutoff=most) > most:
        return False
    own = filling(item, forms)
    return len(own) - LCSseq.similarity(own, filling(text, forms)) <= int(EDITED * len(own))
