"""What people asked in a prompt: the user's messages as one text, without what stood around them.

System prompts and documents are the same for many, so likeness of whole prompts would say that everything is alike.
"""

import polars as pl

from flywheel.lake import connect

NEWEST = pl.CompatLevel.newest()
MESSAGES = """from_json(prompt::JSON, '[{"role": "VARCHAR", "content": "VARCHAR"}]')"""


SAID = "list_filter(messages, lambda message: message.role = 'user' AND message.content IS NOT NULL)"
WHOLE = f"array_to_string(list_transform({SAID}, lambda message: message.content), chr(10))"
LAST = "coalesce(messages[-1].content, '')"


def asked(prompts: pl.Series) -> pl.Series:
    """All that the user said; of a prompt without a user the last message."""
    return _read(prompts, f"coalesce(nullif({WHOLE}, ''), {LAST})")


def last_asked(prompts: pl.Series) -> pl.Series:
    """The last message, whoever wrote it; empty where it is all that was said, and `asked` has it."""
    return _read(prompts, f"CASE WHEN {LAST} = {WHOLE} THEN '' ELSE {LAST} END")


def _read(prompts: pl.Series, what: str) -> pl.Series:
    if prompts.is_empty():
        return pl.Series(prompts.name, [], dtype=pl.String)
    rows = prompts.alias("prompt").to_frame().with_row_index("place")
    with connect() as connection:
        connection.register("prompts", rows.to_arrow(compat_level=NEWEST))
        query = f"SELECT {what} AS asked FROM (SELECT place, {MESSAGES} AS messages FROM prompts) ORDER BY place"
        return connection.sql(query).pl()["asked"].alias(prompts.name)
