"""Texts that look like a tokenizer's control tokens. They stay: whoever loads the base model's tokenizer puts a space
into those it knows (`flywheel.model.plain`), at training and at answering alike. Here they are counted, so that a
person sees when somebody tries.
"""

import polars as pl

from flywheel.datasets.curation.ruled import Ruled
from flywheel.settings import Workload

CONTROL = (
    r"<\|[^|<>\s]{1,40}\|>|<\x{FF5C}[^<>\x{FF5C}]{1,40}\x{FF5C}>|\[/?INST\]|</?s>|<</?SYS>>|<(?:start|end)_of_turn>|"
    r"<(?:bos|eos|pad|unk)>|\[(?:CLS|SEP|MASK|PAD|UNK)\]"
)


def special_tokens(records: pl.DataFrame, rules: Workload) -> Ruled:
    seen = pl.any_horizontal(
        pl.col(name).str.contains(CONTROL).fill_null(False) for name in ("asked", "chosen", "rejected")
    )
    marked = records.select(seen.sum()).item()
    detail = f"{marked} with texts that look like control tokens" if marked else ""
    return Ruled(records, records.clear().select("record", "kind", reason=pl.lit("")), marked, detail)
