"""What the request and its answer cost, in the policy's currency, with a minus.

A model of our own costs nothing here: its machine is paid for whether it answers or not. What the answer's faults cost
the people who work with it belongs in `flywheel.gate.costs`.
"""

import polars as pl

from flywheel.gate.scorers.rows import Hole, Row, Score, each
from flywheel.settings import Endpoint

MILLION = 1_000_000


def score(items: pl.DataFrame, answers: pl.DataFrame, endpoint: Endpoint | None) -> pl.DataFrame:
    """By the prices of the endpoint that answered; None is a model of our own."""

    def one(item: Row, answer: Row) -> Score:
        if endpoint is None:
            return Score(0.0)
        if answer["tokens_in"] is None or answer["tokens_out"] is None:
            raise Hole("the endpoint did not say how many tokens it counted")
        spent = answer["tokens_in"] * endpoint.price_in + answer["tokens_out"] * endpoint.price_out
        return Score(-spent / MILLION)

    return each(items, answers, one)
