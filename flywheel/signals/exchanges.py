"""One row per answer: what was done about it (`exchanges.sql`), with the texts, and with what the user kept of it.

Texts are the bulk of a log. Here they join as they lie in memory; in SQL they would be copied with every join.
"""

from pathlib import Path

import duckdb
import polars as pl

from flywheel.tables import Exchanges

SQL = Path(__file__).with_suffix(".sql").read_text()
WRITTEN = ("key", "prompt", "text", "model", "model_version", "arm", "refused")


def exchanges(connection: duckdb.DuckDBPyConnection, events: pl.DataFrame) -> pl.DataFrame:
    """The table `exchanges` of these events, whose conversations are `placed` on the connection."""
    told = connection.sql(SQL).pl().join(events.filter(kind="response").select(WRITTEN), on="key")
    edits = events.filter(kind="edited").select(edit_key="key", edited="text")
    told = told.join(edits, on="edit_key", how="left", maintain_order="left")
    connection.register("prompts", told.select("prompt").to_arrow(compat_level=pl.CompatLevel.newest()))
    requests = connection.sql("SELECT coalesce(prompt ->> '$[#-1].content', '') AS request FROM prompts").pl()
    edited = pl.col("edited").is_not_null()
    final = (
        pl.when(edited & (pl.col("accepted") | pl.col("closed")))
        .then("edited")
        .when(~edited & pl.col("accepted"))
        .then("text")
    )
    return told.with_columns(
        requests["request"],
        response=pl.col("text").fill_null(""),
        final=final,
        refused=pl.col("refused").fill_null(False),
    ).select(list(Exchanges.columns()))
