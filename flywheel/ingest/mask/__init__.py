"""Secrets and personal data leave the texts here, before anything is stored.

Each such value becomes `[CLASS_1a2b]`: its class, and four digits of a keyed hash of (class, value), so that prompt,
answer and edit agree whatever the order of events, and masking again changes nothing. What is looked for belongs in
`kinds`; when events are masked belongs to the readers' stage.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache, lru_cache, partial
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import polars as pl

from flywheel.ingest.mask.kinds import KINDS, Kind

Counts = Counter[str]

SIGNS = tuple(dict.fromkeys(kind.sign for kind in KINDS))
CANDIDATE = "|".join(dict.fromkeys(kind.hint for kind in KINDS))
PLACEHOLDER = re.compile(
    rf"\[({'|'.join(dict.fromkeys(kind.name for kind in KINDS))})_[0-9a-f]{{4}}(?:[0-9a-f]{{12}})?\]"
)


def mask(text: str, salt: str) -> tuple[str, Counts]:
    """The text with placeholders for what is secret or personal, and how many of each class were put."""
    counts: Counts = Counter()
    before, masked = "", text
    while masked != before:  # what is masked may bare another value, and masking twice must change nothing
        before, masked = masked, _once(masked, salt, counts)
    return masked, counts


def mask_id(text: str, salt: str) -> tuple[str, Counts]:
    """An id that holds anything secret or personal becomes one placeholder as a whole, so that joins stay exact."""
    masked, counts = mask(text, salt)
    if masked == text:
        return text, counts
    name = next(iter(counts))
    return f"[{name}_{_digest(salt, name, text)}]", Counter({name: 1})


def user_hash(user: str, salt: str) -> str:
    """What stands for the user; never the user's own id."""
    return _digest(salt, "user", user)


def mask_columns(
    frame: pl.DataFrame, *, texts: Sequence[str], json_texts: Sequence[str], ids: Sequence[str], salt: str
) -> tuple[pl.DataFrame, Counts]:
    """The frame with these columns masked; only rows in which `CANDIDATE` sees something pass through Python."""
    counts: Counts = Counter()
    ways = [(name, way) for names, way in ((texts, mask), (json_texts, mask_json), (ids, mask_id)) for name in names]
    ways = [(name, way) for name, way in ways if frame[name].null_count() < len(frame)]
    if not ways:
        return frame, counts
    # One search over all columns below each other: the pattern is long, and making it ready costs as much as searching.
    shown = pl.concat([frame[name].alias("") for name, _ in ways]).str.contains(CANDIDATE).fill_null(False).arg_true()
    below = np.searchsorted(shown.to_numpy(), np.arange(len(ways) + 1) * len(frame))
    for at, ((name, way), (first, last)) in enumerate(zip(ways, pairwise(below.tolist()), strict=True)):
        if first < last:
            rows = shown[first:last] - at * len(frame)
            masked, found = _mask_rows(frame[name], rows, partial(way, salt=salt))
            frame, counts = frame.with_columns(masked), counts + found
    return frame, counts


def mask_json(text: str, salt: str) -> tuple[str, Counts]:
    """Canonical JSON with every string and whole number in it masked, keys too, with their keys as the word before."""
    counts: Counts = Counter()
    masked = _mask_value(msgspec.json.decode(text), salt, counts)
    return (msgspec.json.encode(masked).decode() if counts else text), counts


def _mask_rows(
    series: pl.Series, rows: pl.Series, way: Callable[[str], tuple[str, Counts]]
) -> tuple[pl.Series, Counts]:
    once = cache(way)
    results = [once(text) for text in series.gather(rows)]
    counts = sum((found for _, found in results), Counts())
    masked = pl.Series(series.name, [text for text, _ in results], dtype=pl.String)
    return (series.scatter(rows, masked) if counts else series), counts


def _mask_value(value: Any, salt: str, counts: Counts, key: str = "") -> Any:
    if isinstance(value, str):
        return _mask_text(value, salt, counts, key)
    if type(value) is int:  # a number of a card or a phone may be written as one
        masked = _mask_text(str(value), salt, counts, key)
        return value if masked == str(value) else masked
    if isinstance(value, list):
        return [_mask_value(each, salt, counts) for each in value]
    if isinstance(value, dict):
        return {_mask_name(name, salt, counts): _mask_value(each, salt, counts, name) for name, each in value.items()}
    return value


def _mask_text(text: str, salt: str, counts: Counts, key: str) -> str:
    masked, found = _known(text, salt, key) if len(text) <= REMEMBERED else _under(text, salt, key)
    if found:
        counts.update(found)
    return masked


def _mask_name(name: str, salt: str, counts: Counts) -> str:
    """A key becomes a placeholder as a whole, long enough that no two keys of an object become one."""
    masked, found = _known_name(name, salt)
    if found:
        counts.update(found)
    return masked


def _under(text: str, salt: str, key: str) -> tuple[str, Counts]:
    """A string masked by what it says, and by what the key above it says that it is."""
    before, after = (f'{key}="', '"') if key else ("", "")
    masked, found = mask(f"{before}{text}{after}", salt)
    if not (masked.startswith(before) and masked.endswith(after)):  # the key is no name: it says nothing of the text
        return mask(text, salt)
    return masked[len(before) : len(masked) - len(after)], found


# Keys and roles come in every message, and a message comes again in every later prompt of its conversation.
REMEMBERED = 4096
_known, _known_name = lru_cache(REMEMBERED)(_under), lru_cache(REMEMBERED)(mask_id)


def _once(text: str, salt: str, counts: Counts) -> str:
    lowered = text.lower()
    shown = {sign for sign in SIGNS if sign(lowered)}
    for kind in KINDS if shown else ():
        if kind.sign in shown:
            text = kind.pattern.sub(partial(_put, kind, salt, counts), text)
    return text


def _put(kind: Kind, salt: str, counts: Counts, match: re.Match[str]) -> str:
    found, value = match.group(), kind.value(match)
    if value is None:
        return found
    counts[kind.name] += 1
    start, end = (place - match.start() for place in match.span(match.lastgroup or 0))
    return f"{found[:start]}[{kind.name}_{_digest(salt, kind.name, value)[:4]}]{found[end:]}"


def _digest(salt: str, name: str, value: str) -> str:
    return hashlib.blake2b(
        f"{name}\0{value}".encode("utf-8", "surrogatepass"), key=_key(salt), digest_size=8
    ).hexdigest()


@cache
def _key(salt: str) -> bytes:
    return hashlib.blake2b(salt.encode()).digest()
