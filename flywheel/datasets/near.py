"""Near-duplicates: texts that say nearly the same, in clusters.

Two texts are near-duplicates when the Jaccard index of their 5-word grams is at least 0.8; a cluster is what chains of
them join. MinHash proposes pairs: 120 minima in 20 bands of 6, so that a pair at 0.8 is proposed with a chance of 0.998
(at 0.9 of 1 - 1e-6); each proposed pair is then measured exactly, so that nothing is joined by chance. Grams that a
fifth of all texts have are a product's form and tell no two texts apart; they are left out.

The clusters are a function of the set of texts: order and repetition change nothing. Within a very large bucket each
text meets its neighbours in twenty random orders, not all others, so the work grows with the number of texts alone.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from flywheel.compute import mapped
from flywheel.datasets.forms import FEW, SAMPLE, SHARED, WORDS, hashed
from flywheel.datasets.grams import U64, Grams, chunks, grams, mixed, normalised, wholes

JACCARD = 0.8
FILLED = 0.5
"""Of the grams outside a form as much must be shared: one word changed in the form spoils five grams beside it."""
BANDS, ROWS = 20, 6
NEIGHBOURS = 8
"""How many texts after it in its bucket each text meets, in each band."""

Numbers = npt.NDArray[np.int64]
FACTORS = (mixed(np.arange(1, BANDS * ROWS + 1, dtype=np.uint64)) >> np.uint64(32)).astype(np.uint32) | np.uint32(1)


def clusters(texts: pl.Series, forms: Sequence[str] = ()) -> pl.Series:
    """The cluster of each text, named by the hash of one of its members; `forms` are left out beside their own."""
    plain = normalised(texts)
    contents, first, place = np.unique(wholes(plain), return_index=True, return_inverse=True)
    labels = _joined(plain.gather(pl.Series(first)), hashed(forms))
    return pl.Series("cluster", contents[labels[place]], dtype=pl.UInt64)


def repeats(texts: pl.Series, known: pl.Series, forms: Sequence[str] = ()) -> pl.Series:
    """Whether each text is a near-duplicate of a known one: exactly, pair by pair.

    What two texts share of `forms` does not make them alike: of their other grams they must share enough as well.
    Sets as alike as that share one of their rarest grams outside the forms, so only texts that share one of those are
    compared. The smaller side is held, the greater one passes by in chunks.
    """
    return plain_repeats(normalised(texts), normalised(known), forms)


def plain_repeats(texts: pl.Series, known: pl.Series, forms: Sequence[str] = ()) -> pl.Series:
    """The same, of texts that were made plain."""
    named = [wholes(side) for side in (texts, known)]
    first = [np.unique(name, return_index=True, return_inverse=True) for name in named]
    plain = [side.gather(pl.Series(index)) for side, (_, index, _) in zip((texts, known), first, strict=True)]
    swapped = len(plain[0]) < len(plain[1])
    found = _meeting(plain[swapped], plain[not swapped], hashed(forms))[swapped]
    return pl.Series(found[first[0][2]] | np.isin(named[0], named[1]))


def _meeting(many: pl.Series, few: pl.Series, form: U64) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which of the many have a near-duplicate among the few, and which of the few among the many."""
    held = _sets(0, few, form)
    common = held.filter("own").group_by("gram").agg(rank=pl.len())
    index = _rarest(held, common).rename({"text": "other", "size": "others"})
    lists = _lists(held).rename({"text": "other", "all": "all_others", "own": "own_others"})

    def meets(chunk: tuple[int, pl.Series]) -> pl.DataFrame:
        mine = _sets(*chunk, form)
        pairs = _rarest(mine, common).join(index, on="gram").select("text", "size", "other", "others").unique()
        pairs = pairs.filter(pl.min_horizontal("size", "others") >= JACCARD * pl.max_horizontal("size", "others"))
        told = pairs.join(_lists(mine.join(pairs.select("text").unique(), on="text", how="semi")), on="text")
        told = told.join(lists, on="other")
        return told.filter(_alike("all", JACCARD) & _alike("own", FILLED)).select("text", "other")

    met = np.zeros(len(many), dtype=bool), np.zeros(len(few), dtype=bool)
    for pairs in mapped(meets, chunks(many)):
        met[0][pairs["text"].to_numpy()] = True
        met[1][pairs["other"].to_numpy()] = True
    return met


def _alike(grams_of: str, least: float) -> pl.Expr:
    ours, theirs = pl.col(grams_of), pl.col(f"{grams_of}_others")
    shared = ours.list.set_intersection(theirs).list.len()
    return shared >= least * (ours.list.len() + theirs.list.len() - shared)


def _lists(sets: pl.DataFrame) -> pl.DataFrame:
    """All grams of each text, and those outside the forms."""
    return sets.group_by("text").agg(pl.col("gram").alias("all"), pl.col("gram").filter("own").alias("own"))


def _sets(start: int, plain: pl.Series, form: U64) -> pl.DataFrame:
    """The different grams of each text, the first of which has the number `start`, and how many it has.

    Those of no form are its `own`, all of them where it has no other.
    """
    found = grams(plain, WORDS)
    rows = pl.DataFrame({"text": found.texts + start, "gram": found.hashes}).unique()
    own = pl.Series("own", ~np.isin(rows["gram"].to_numpy(), form))
    rows = rows.with_columns(own).with_columns(pl.col("own") | ~pl.col("own").any().over("text"))
    return rows.with_columns(size=pl.len().over("text").cast(pl.Int64))


def _rarest(sets: pl.DataFrame, common: pl.DataFrame) -> pl.DataFrame:
    """Of each text as many of its own rarest grams as it must share one of."""
    own = sets.filter("own").with_columns(owned=pl.len().over("text").cast(pl.Int64))
    ranked = own.join(common, on="gram", how="left").with_columns(pl.col("rank").fill_null(0))
    ranked = ranked.sort("text", "rank", "gram")
    of_all = (JACCARD * pl.col("size")).round(6).ceil() - (pl.col("size") - pl.col("owned"))
    needed = pl.max_horizontal(of_all, (FILLED * pl.col("owned")).ceil())
    most = pl.col("owned") - needed + 1
    return ranked.filter(pl.int_range(pl.len()).over("text") < most).select("text", "gram", "size")


def _joined(plain: pl.Series, form: U64) -> Numbers:
    """For each of these different texts the first one of its cluster."""
    template = np.union1d(_template(plain), form)

    def sketched(chunk: pl.Series) -> U64:
        return _bands(_telling(grams(chunk, WORDS), template))

    keys = np.concatenate([np.zeros((0, BANDS), np.uint64), *mapped(sketched, (each for _, each in chunks(plain)))])
    labels, failed = np.arange(len(plain)), np.zeros(0, np.uint64)
    orders = [_order(keys, band) for band in range(BANDS)]
    sets = _Sets(plain, _companions(keys, orders), template)
    for band, order in enumerate(orders):
        bucket = keys[order, band]
        for step in range(1, NEIGHBOURS + 1):
            met = np.flatnonzero((bucket[step:] == bucket[:-step]) & (bucket[step:] != 0))
            pairs = np.sort(np.stack([order[met], order[met + step]]), axis=0)
            pairs = pairs[:, labels[pairs[0]] != labels[pairs[1]]]
            codes = pairs[0].astype(np.uint64) * np.uint64(len(plain)) + pairs[1].astype(np.uint64)
            fresh = ~np.isin(codes, failed)
            pairs, codes = pairs[:, fresh], codes[fresh]
            alike = sets.jaccard(pairs[0], pairs[1]) >= JACCARD
            failed = np.union1d(failed, codes[~alike])
            labels = _united(labels, pairs[0][alike], pairs[1][alike])
    return labels


def _template(plain: pl.Series) -> U64:
    """The grams that too many texts share."""
    some = grams(plain.head(SAMPLE), WORDS)
    if len(some.sizes) < FEW:
        return np.zeros(0, np.uint64)
    found = pl.DataFrame({"text": some.texts, "gram": some.hashes})
    many = found.group_by("gram").agg(pl.col("text").n_unique()).filter(pl.col("text") > SHARED * len(some.sizes))
    return many["gram"].to_numpy()


def _telling(found: Grams, template: U64) -> Grams:
    """Without the template's grams, but for texts that have no other."""
    if not len(template):
        return found
    own = ~np.isin(found.hashes, template)
    counts = np.bincount(found.texts[own], minlength=len(found.sizes))
    kept = own | (counts == 0)[found.texts]
    return Grams(found.hashes[kept], np.where(counts == 0, found.sizes, counts))


def _bands(found: Grams) -> U64:
    """A key for each band of each text; 0 where there is no gram."""
    some = found.sizes > 0
    starts = (np.cumsum(found.sizes) - found.sizes)[some]
    keys = np.zeros((len(found.sizes), BANDS), dtype=np.uint64)
    if not len(starts):
        return keys
    small = (found.hashes >> np.uint64(32)).astype(np.uint32)
    for band in range(BANDS):
        key = np.zeros(len(starts), dtype=np.uint64)
        for factor in FACTORS[band * ROWS : (band + 1) * ROWS]:
            key = mixed(key + np.minimum.reduceat(small * factor, starts))
        keys[some, band] = key
    return keys


def _order(keys: U64, band: int) -> Numbers:
    """The texts by their key in this band, those of one key in an order of the band's own."""
    shuffled = np.random.default_rng(band).permutation(len(keys))
    return shuffled[np.argsort(keys[shuffled, band], kind="stable")]


def _companions(keys: U64, orders: list[Numbers]) -> npt.NDArray[np.bool_]:
    """Which texts share a bucket with another."""
    found = np.zeros(len(keys), dtype=bool)
    for band, order in enumerate(orders):
        same = keys[order[1:], band] == keys[order[:-1], band]
        found[order[1:][same]] = True
        found[order[:-1][same]] = True
    return found


def _united(labels: Numbers, left: Numbers, right: Numbers) -> Numbers:
    """The labels when each left text is in one cluster with its right one."""
    while True:
        low = np.minimum(labels[left], labels[right])
        if np.array_equal(labels[left], low) and np.array_equal(labels[right], low):
            return labels
        np.minimum.at(labels, labels[left], low)
        np.minimum.at(labels, labels[right], low)
        while not np.array_equal(labels, shorter := labels[labels]):
            labels = shorter


class _Sets:
    """The grams of those texts that may have a near-duplicate."""

    def __init__(self, plain: pl.Series, needed: npt.NDArray[np.bool_], template: U64) -> None:
        def listed(chunk: pl.Series) -> pl.Series:
            found = _telling(grams(chunk, WORDS), template)
            rows = pl.DataFrame({"text": found.texts, "gram": (found.hashes >> np.uint64(32)).astype(np.uint32)})
            return rows.group_by("text", maintain_order=True).agg(pl.col("gram").unique())["gram"]

        some = plain.filter(pl.Series(needed))
        self.places = np.cumsum(needed) - 1
        empty = pl.Series("gram", [], dtype=pl.List(pl.UInt32))
        self.lists = pl.concat([empty, *mapped(listed, (chunk for _, chunk in chunks(some)))])

    def jaccard(self, left: Numbers, right: Numbers) -> npt.NDArray[np.float64]:
        """The Jaccard index of each pair."""
        sides = {name: self.lists.gather(self.places[texts]) for name, texts in (("a", left), ("b", right))}
        shared = pl.col("a").list.set_intersection("b").list.len()
        union = pl.col("a").list.len() + pl.col("b").list.len() - shared
        return pl.DataFrame(sides).select(shared / union).to_series().to_numpy()
