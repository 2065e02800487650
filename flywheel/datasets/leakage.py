"""What of the eval set could be learned by heart: nothing is measured on what was trained on."""

from typing import NamedTuple

import polars as pl


class Leaks(NamedTuple):
    """How much of a dataset stands on both sides of the wall; all zero, or nothing may be trained."""

    users: int
    conversations: int
    requests: int


def leaks(rows: pl.DataFrame, items: pl.DataFrame) -> Leaks:
    """Users, conversations and requests of these training rows that the eval set knows too."""
    trained, known = _requests(rows), set(_normalised(items["request"]))
    return Leaks(
        users=len(set(rows["user"]) & set(items["user"])),
        conversations=len(set(rows["conversation"]) & set(items["conversation"])),
        requests=len(set(_normalised(trained)) & known),
    )


def without_eval_requests(records: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """The records whose request no eval item asks too, but for case and spaces."""
    known = pl.Series(_normalised(items["request"]).unique(), dtype=pl.String)
    return records.filter(~_normalised(_requests(records)).is_in(known.implode()))


def _requests(rows: pl.DataFrame) -> pl.Series:
    """The last message of each prompt."""
    return rows["prompt"].str.json_path_match("$[-1:].content").fill_null("")


def _normalised(texts: pl.Series) -> pl.Series:
    return texts.str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
