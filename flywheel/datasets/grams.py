"""Texts as sets of hashed word n-grams: what near-duplicates and contamination both look at.

A text is first made plain: compatibility forms folded, lower case, only letters, marks and digits, one space between
words; of a script written without spaces every character is a word. A gram is n words in a row, a shorter text is one
gram. All grams of a chunk of texts are hashed at once: a polynomial over its bytes, of which every substring's hash is
a difference of two sums. The hashes are the same on every machine and in every release.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from flywheel.compute import mapped

U64 = npt.NDArray[np.uint64]
CHUNK = 1 << 18
"""Bytes of text in hand at a time: what is reckoned of them stays near the processor."""
BASE = 0x9E3779B97F4A7C15
UNSPACED = r"([\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}])"


class Grams(NamedTuple):
    """The grams of some texts, one text after the other: `sizes` says how many each has."""

    hashes: U64
    sizes: npt.NDArray[np.int64]

    @property
    def texts(self) -> npt.NDArray[np.int64]:
        """Which text each gram is of."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)


def normalised(texts: pl.Series) -> pl.Series:
    """The texts made plain; one without any letter or digit keeps its other characters."""
    given = texts.fill_null("").alias("text")
    return pl.concat([given.clear(), *mapped(_normalised, (chunk for _, chunk in chunks(given)))])


def chunks(texts: pl.Series) -> Iterator[tuple[int, pl.Series]]:
    """Some texts after the other, with the place of the first; a longer one stands alone."""
    ends = texts.str.len_bytes().fill_null(0).cast(pl.UInt64).cum_sum().to_numpy()
    start = 0
    while start < len(texts):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + CHUNK, side="right")))
        yield start, texts.slice(start, stop - start)
        start = stop


def grams(plain: pl.Series, words: int) -> Grams:
    """The grams of texts that were made plain, each with repetitions, in the order of the text."""
    data, offsets = _bytes(plain)
    starts = _word_starts(data, offsets)
    first = np.searchsorted(starts, offsets)
    counts = np.diff(first)
    sizes = np.where(counts > 0, np.maximum(counts - words + 1, 1), 0)
    begins = _ranges(first[:-1], sizes)
    last = np.minimum(begins + words, np.repeat(first[1:], sizes))
    # A word ends one space before the next begins; the last one where its text ends.
    ends = np.append(starts, 0)[last] - 1
    at_end = last == np.repeat(first[1:], sizes)
    ends[at_end] = np.repeat(offsets[1:], sizes)[at_end]
    return Grams(_hashed(data, starts[begins], ends), sizes)


def wholes(plain: pl.Series) -> U64:
    """One hash of each text that was made plain."""
    return np.concatenate([np.zeros(0, np.uint64), *mapped(_wholes, (chunk for _, chunk in chunks(plain)))])


def _normalised(texts: pl.Series) -> pl.Series:
    column = pl.col("text")
    foreign = column.str.contains(r"[^\x00-\x7F]")
    folded = column.str.normalize("NFKC").str.to_lowercase().str.replace_all(UNSPACED, " $1 ")
    return (
        texts.to_frame()
        .with_columns(pl.when(foreign).then(folded).otherwise(column.str.to_lowercase()))
        .with_columns(plain=_spaced(r"[^\p{L}\p{M}\p{N}]+"))
        .select(pl.when(pl.col("plain") == "").then(_spaced(r"\s+")).otherwise("plain").alias("text"))
        .to_series()
    )


def _wholes(plain: pl.Series) -> U64:
    data, offsets = _bytes(plain)
    return _hashed(data, offsets[:-1], offsets[1:])


def _spaced(what: str) -> pl.Expr:
    return pl.col("text").str.replace_all(what, " ").str.strip_chars()


def _bytes(texts: pl.Series) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """All the texts' bytes in a row, and where each begins and the last one ends."""
    array = texts.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, places, held = array.buffers()
    offsets = np.frombuffer(places, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(held, dtype=np.uint8) if held is not None and held.size else np.zeros(0, np.uint8)
    return data[offsets[0] : offsets[-1]], offsets - offsets[0]


def _word_starts(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    begins = np.zeros(len(data), dtype=bool)
    begins[1:] = data[:-1] == ord(" ")
    begins[offsets[:-1][np.diff(offsets) > 0]] = True
    return np.flatnonzero(begins)


def _ranges(starts: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """start, start + 1, ... of each range, one range after the other."""
    before = np.cumsum(sizes) - sizes
    return np.arange(int(sizes.sum())) + np.repeat(starts - before, sizes)


def _hashed(data: npt.NDArray[np.uint8], begins: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> U64:
    """A hash of the bytes from each begin to its end."""
    powers, inverses = _powers(BASE, len(data)), _powers(pow(BASE, -1, 1 << 64), len(data))
    sums = np.zeros(len(data) + 1, dtype=np.uint64)
    np.cumsum(LETTERS[data] * powers[: len(data)], out=sums[1:])
    return mixed((sums[ends] - sums[begins]) * inverses[begins] + (ends - begins).astype(np.uint64))


def mixed(values: U64) -> U64:
    """Every bit depends on every bit (the finaliser of SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


_known: dict[int, U64] = {}


def _powers(base: int, least: int) -> U64:
    """base ** 0, 1, 2, ... modulo 2 ** 64: at least one more than asked for."""
    known = _known.get(base)
    if known is None or len(known) <= least:
        steps = np.full(max(CHUNK, least) + 1, base, dtype=np.uint64)
        steps[0] = 1
        known = _known[base] = np.multiply.accumulate(steps)
    return known


LETTERS = mixed(np.arange(1, 257, dtype=np.uint64) * np.uint64(BASE))
