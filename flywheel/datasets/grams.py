"""Texts as sets of hashed word n-grams: what near-duplicates and contamination both look at.

A text is first made plain: compatibility forms folded, lower case, only letters, marks and digits, one space between
words; of a script written without spaces every character is a word. A gram is n words in a row, a shorter text is one
gram. All words of a chunk of texts are hashed at once, eight bytes at a time, and grams from the hashes of their
words. The hashes are the same on every machine and in every release.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from flywheel.compute import mapped

U64 = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]
CHUNK = 1 << 18
"""Bytes of text in hand at a time: what is reckoned of them stays near the processor."""
STEP = np.uint64(0x9E3779B97F4A7C15)
UNSPACED = r"([\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}])"
SPACE, NOT_ASCII, BLOCK = ord(" "), 0x80, 8
PLAIN = bytes(ord(chr(code).lower()) if chr(code).isascii() and chr(code).isalnum() else SPACE for code in range(256))
"""What becomes of each ASCII character."""


class Grams(NamedTuple):
    """The grams of some texts, one text after the other: `sizes` says how many each has."""

    hashes: U64
    sizes: Numbers

    @property
    def texts(self) -> Numbers:
        """Which text each gram is of."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)


def normalised(texts: pl.Series) -> pl.Series:
    """The texts made plain; one without any letter or digit keeps its other characters."""
    given = texts.fill_null("").alias("text")
    return pl.concat([given.clear(), *mapped(_normalised, (chunk for _, chunk in chunks(given)))])


def chunks(texts: pl.Series, size: int = CHUNK) -> Iterator[tuple[int, pl.Series]]:
    """Some texts after the other, with the place of the first; a longer one stands alone."""
    ends = texts.str.len_bytes().fill_null(0).cast(pl.UInt64).cum_sum().to_numpy()
    start = 0
    while start < len(texts):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + size, side="right")))
        yield start, texts.slice(start, stop - start)
        start = stop


def grams(plain: pl.Series, words: int) -> Grams:
    """The grams of texts that were made plain, each with repetitions, in the order of the text."""
    hashes, counts = _words(plain)
    sizes = np.where(counts > 0, np.maximum(counts - words + 1, 1), 0)
    # The end is padded, so that every word begins a gram; those that reach into the next text are then left out.
    padded = np.append(hashes, np.zeros(words - 1, np.uint64))
    runs = padded[: len(hashes)].copy()
    for place in range(1, words):
        runs = runs * STEP + padded[place : place + len(hashes)]
    first = np.cumsum(counts) - counts
    found = mixed(runs[_ranges(first, sizes)])
    short = (counts > 0) & (counts < words)
    found[(np.cumsum(sizes) - sizes)[short]] = _in_order(hashes, first[short], counts[short])
    return Grams(found, sizes)


def wholes(plain: pl.Series) -> U64:
    """One hash of each text that was made plain."""
    return np.concatenate([np.zeros(0, np.uint64), *mapped(_wholes, (chunk for _, chunk in chunks(plain)))])


def mixed(values: U64) -> U64:
    """Every bit depends on every bit (the finaliser of SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _normalised(texts: pl.Series) -> pl.Series:
    """The same for one chunk: what is all ASCII byte by byte, the rest by the rules of Unicode."""
    data, offsets = _bytes(texts)
    quick = _ascii(data, offsets)
    foreign = np.zeros(len(texts), dtype=bool)
    if len(data) and data.max() >= NOT_ASCII:
        some = np.diff(offsets) > 0
        foreign[some] = np.maximum.reduceat(data, offsets[:-1][some]) >= NOT_ASCII
    rest = np.flatnonzero(foreign | ((quick == "") & (texts != "")).to_numpy())
    return quick.scatter(rest, _by_unicode(texts.gather(rest))) if len(rest) else quick


def _ascii(data: npt.NDArray[np.uint8], offsets: Numbers) -> pl.Series:
    """Texts of ASCII made plain."""
    plain = np.frombuffer(data.tobytes().translate(PLAIN), dtype=np.uint8)
    said = plain != SPACE
    kept = said.copy()
    kept[1:] |= said[:-1]  # of spaces in a row the first stays
    lost = np.flatnonzero(~kept)
    if len(lost):
        plain, offsets = plain.compress(kept), offsets - np.searchsorted(lost, offsets)
    held = [None, pa.py_buffer(np.ascontiguousarray(offsets)), pa.py_buffer(plain)]
    return pl.Series("text", pa.LargeStringArray.from_buffers(len(offsets) - 1, *held[1:])).str.strip_chars(" ")


def _by_unicode(texts: pl.Series) -> pl.Series:
    folded = texts.str.normalize("NFKC").str.to_lowercase().str.replace_all(UNSPACED, " $1 ")
    plain = _spaced(folded, r"[^\p{L}\p{M}\p{N}]+")
    return plain.zip_with(plain != "", _spaced(folded, r"\s+"))


def _spaced(texts: pl.Series, what: str) -> pl.Series:
    return texts.str.replace_all(what, " ").str.strip_chars()


def _bytes(texts: pl.Series) -> tuple[npt.NDArray[np.uint8], Numbers]:
    """All the texts' bytes in a row, and where each begins and the last one ends."""
    array = texts.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, places, held = array.buffers()
    offsets = np.frombuffer(places, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(held, dtype=np.uint8) if held is not None and held.size else np.zeros(0, np.uint8)
    return data[offsets[0] : offsets[-1]], offsets - offsets[0]


def _wholes(plain: pl.Series) -> U64:
    hashes, counts = _words(plain)
    found = np.zeros(len(counts), dtype=np.uint64)
    some = counts > 0
    found[some] = _in_order(hashes, (np.cumsum(counts) - counts)[some], counts[some])
    return found


def _words(plain: pl.Series) -> tuple[U64, Numbers]:
    """A hash of each word, one text after the other, and how many words each text has."""
    data, offsets = _bytes(plain)
    starts = _word_starts(data, offsets)
    counts = np.diff(np.searchsorted(starts, offsets))
    # A word ends one space before the next begins; the last one where its text ends.
    lengths = np.diff(starts, append=len(data)) - 1
    lengths[(np.cumsum(counts) - 1)[counts > 0]] += 1
    padded = np.append(data, np.zeros(BLOCK, np.uint8))
    blocks = np.ndarray(len(data) + 1, dtype="<u8", buffer=padded, strides=(1,))
    hashes = mixed((blocks[starts] & BYTES[lengths.clip(max=BLOCK)]) + lengths.astype(np.uint64) * STEP)
    longer = np.flatnonzero(lengths > BLOCK)
    if len(longer):
        more = (lengths[longer] - 1) // BLOCK
        ahead = BLOCK * _ranges(np.ones_like(more), more)
        place, left = np.repeat(starts[longer], more) + ahead, np.repeat(lengths[longer], more) - ahead
        values = mixed((blocks[place] & BYTES[left.clip(max=BLOCK)]) + ahead.astype(np.uint64) * STEP)
        hashes[longer] = mixed(hashes[longer] + np.add.reduceat(values, np.cumsum(more) - more))
    return hashes, counts


def _word_starts(data: npt.NDArray[np.uint8], offsets: Numbers) -> Numbers:
    begins = np.zeros(len(data), dtype=bool)
    begins[1:] = data[:-1] == SPACE
    begins[offsets[:-1][np.diff(offsets) > 0]] = True
    return np.flatnonzero(begins)


def _in_order(hashes: U64, first: Numbers, counts: Numbers) -> U64:
    """One hash of each run of words, by what they are and by their order."""
    place = _ranges(np.zeros_like(counts), counts).astype(np.uint64)
    values = mixed(hashes[_ranges(first, counts)] + place * STEP)
    return np.add.reduceat(values, np.cumsum(counts) - counts) if len(counts) else values


def _ranges(starts: Numbers, sizes: Numbers) -> Numbers:
    """start, start + 1, ... of each range, one range after the other."""
    before = np.cumsum(sizes) - sizes
    return np.arange(int(sizes.sum())) + np.repeat(starts - before, sizes)


BYTES = np.array([(1 << (8 * size)) - 1 for size in range(BLOCK + 1)], dtype=np.uint64)
"""Of a block of eight bytes, the first few."""
