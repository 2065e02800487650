"""Near-duplicates: texts that say nearly the same, in clusters.

Two texts are near-duplicates when the Jaccard index of their 5-word grams is at least 0.8; a cluster is what chains of
them join. MinHash proposes pairs: 120 minima in 20 bands of 6, so that a pair at 0.8 is proposed with a chance of 0.998
(at 0.9 of 1 - 1e-6); each proposed pair is then measured exactly, so that nothing is joined by chance. Grams that a
fifth of all texts have are a product's form and tell no two texts apart; they are left out.

The clusters are a function of the set of texts: order and repetition change nothing. Within a very large bucket each
text meets its neighbours in twenty random orders, not all others, so the work grows with the number of texts alone.
"""

from collections.abc import Sequence
from functools import partial

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
MANY = 1 << 23
"""Bytes of text whose pairs are measured at a time: each time what is known is laid out anew."""

Numbers = npt.NDArray[np.int64]
SALTS = mixed(np.arange(1, ROWS + 1, dtype=np.uint64)) | np.uint64(1)
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
    sets = partial(_sets, form=form)
    held = pl.concat([sets((0, few.clear())), *mapped(sets, chunks(few))])
    common = held.filter("own").group_by("gram").agg(rank=pl.len())
    index = _rarest(held, common).rename({"text": "other", "size": "others"})
    lists = _lists(held).rename({"text": "other", "all": "all_others", "own": "own_others"})
    place = np.flatnonzero(_mostly_known(many, held["gram"].unique().to_numpy()))

    def meets(chunk: tuple[int, pl.Series]) -> pl.DataFrame:
        mine = sets(chunk)
        pairs = _rarest(mine, common).join(index, on="gram").select("text", "size", "other", "others").unique()
        pairs = pairs.filter(pl.min_horizontal("size", "others") >= JACCARD * pl.max_horizontal("size", "others"))
        told = pairs.join(_lists(mine.join(pairs.select("text").unique(), on="text", how="semi")), on="text")
        told = told.join(lists, on="other")
        return told.filter(_alike("all", JACCARD) & _alike("own", FILLED)).select("text", "other")

    met = np.zeros(len(many), dtype=bool), np.zeros(len(few), dtype=bool)
    for pairs in mapped(meets, chunks(many.gather(place), MANY)):
        met[0][place[pairs["text"].to_numpy()]] = True
        met[1][pairs["other"].to_numpy()] = True
    return met


def _alike(grams_of: str, least: float) -> pl.Expr:
    ours, theirs = pl.col(grams_of), pl.col(f"{grams_of}_others")
    shared = ours.list.set_intersection(theirs).list.len()
    return shared >= least * (ours.list.len() + theirs.list.len() - shared)


def _lists(sets: pl.DataFrame) -> pl.DataFrame:
    """All grams of each text, and those outside the forms."""
    return sets.group_by("text").agg(pl.col("gram").alias("all"), pl.col("gram").filter("own").alias("own"))


def _sets(chunk: tuple[int, pl.Series], form: U64) -> pl.DataFrame:
    """The different grams of each text, and how many it has; the number of the first text stands before them.

    Those of no form are its `own`, all of them where it has no other.
    """
    found = grams(chunk[1], WORDS)
    rows = pl.DataFrame({"text": found.texts + chunk[0], "gram": found.hashes}).unique()
    own = pl.Series("own", ~np.isin(rows["gram"].to_numpy(), form), dtype=pl.Boolean)
    rows = rows.with_columns(own).with_columns(pl.col("own") | ~pl.col("own").any().over("text"))
    return rows.with_columns(size=pl.len().over("text").cast(pl.Int64))


def _mostly_known(plain: pl.Series, known: U64) -> npt.NDArray[np.bool_]:
    """Which texts have so many known grams that they may be near to what is known; a cheap look, and a few too many."""
    bits = min(max(20, 3 + len(known).bit_length()), 27)
    shift, table = np.uint64(64 - bits), np.zeros(1 << bits, dtype=bool)
    table[known >> shift] = True

    def mostly(chunk: pl.Series) -> npt.NDArray[np.bool_]:
        found = grams(chunk, WORDS)
        texts, hits = found.texts, table[found.hashes >> shift]
        some = np.zeros(len(chunk), dtype=bool)
        some[texts[hits]] = True
        rows = np.flatnonzero(some[texts])
        codes = mixed(found.hashes[rows]) + texts[rows].astype(np.uint64)
        order = np.argsort(codes)
        different = np.ones(len(rows), dtype=bool)
        different[1:] = codes[order[1:]] != codes[order[:-1]]
        rows = rows[order[different]]
        sizes = np.bincount(texts[rows], minlength=len(chunk))
        return some & (np.bincount(texts[rows], hits[rows], minlength=len(chunk)) >= JACCARD * sizes)

    return np.concatenate([np.zeros(0, dtype=bool), *mapped(mostly, (chunk for _, chunk in chunks(plain)))])


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

    empty = np.zeros((BANDS, 0), np.uint64)
    keys = np.concatenate([empty, *mapped(sketched, (each for _, each in chunks(plain)))], axis=1)
    buckets = [_buckets(keys[band], band) for band in range(BANDS)]
    needed = np.zeros(len(plain), dtype=bool)
    for texts, _ in buckets:
        needed[texts] = True
    sets, labels, failed = _Sets(plain, needed, template), np.arange(len(plain)), np.zeros(0, np.int64)
    for texts, bucket in buckets:
        left, right = _neighbours(texts, bucket)
        apart = labels[left] != labels[right]
        codes = np.setdiff1d(left[apart] * len(plain) + right[apart], failed)
        left, right = np.divmod(codes, max(len(plain), 1))
        alike = sets.jaccard(left, right) >= JACCARD
        failed = np.union1d(failed, codes[~alike])
        labels = _united(labels, left[alike], right[alike])
    return labels


def _template(plain: pl.Series) -> U64:
    """The grams that too many texts share."""
    some = grams(plain.head(SAMPLE), WORDS)
    if len(some.sizes) < FEW:
        return np.zeros(0, np.uint64)
    most = SHARED * len(some.sizes)
    different, counts = np.unique(some.hashes, return_counts=True)
    maybe = np.isin(some.hashes, different[counts > most])  # some may be said twice in a text
    found = pl.DataFrame({"text": some.texts[maybe], "gram": some.hashes[maybe]}).unique()
    return found.group_by("gram").len().filter(pl.col("len") > most)["gram"].to_numpy()


def _telling(found: Grams, template: U64) -> Grams:
    """Without the template's grams, but for texts that have no other."""
    if not len(template):
        return found
    own = ~np.isin(found.hashes, template)
    counts = np.bincount(found.texts[own], minlength=len(found.sizes))
    kept = own | (counts == 0)[found.texts]
    return Grams(found.hashes[kept], np.where(counts == 0, found.sizes, counts))


def _bands(found: Grams) -> U64:
    """The texts' keys of each band; 0 where there is no gram."""
    some = found.sizes > 0
    starts = (np.cumsum(found.sizes) - found.sizes)[some]
    keys = np.zeros((BANDS, len(found.sizes)), dtype=np.uint64)
    if not len(starts):
        return keys
    small = (found.hashes >> np.uint64(32)).astype(np.uint32)
    least = np.stack([np.minimum.reduceat(small * factor, starts) for factor in FACTORS])
    rows = least.reshape(BANDS, ROWS, -1) * SALTS[:, None]
    keys[:, some] = mixed(rows.sum(axis=1)) | np.uint64(1)
    return keys


def _buckets(keys: U64, band: int) -> tuple[Numbers, U64]:
    """The texts that share their key in this band with another, by that key and then in an order of the band's own."""
    order = np.argsort(keys)
    ordered = keys[order]
    same = (ordered[1:] == ordered[:-1]) & (ordered[1:] != 0)
    shared = np.zeros(len(keys), dtype=bool)
    shared[1:] |= same
    shared[:-1] |= same
    texts, bucket = order[shared], ordered[shared]
    own = np.lexsort((mixed(texts.astype(np.uint64) + FACTORS[band]), bucket))
    return texts[own], bucket


def _neighbours(texts: Numbers, bucket: U64) -> tuple[Numbers, Numbers]:
    """Each text of a bucket and the few after it, the lesser of a pair on the left."""
    pairs = [np.zeros((2, 0), np.int64)]
    for step in range(1, min(NEIGHBOURS, len(texts) - 1) + 1):
        met = np.flatnonzero(bucket[step:] == bucket[:-step])
        pairs.append(np.stack([texts[met], texts[met + step]]))
    left, right = np.concatenate(pairs, axis=1)
    return np.minimum(left, right), np.maximum(left, right)


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
