"""Kinds of columns that several tables share."""

import dataframely as dy


def moment(*, nullable: bool = False, primary_key: bool = False) -> dy.Datetime:
    """A time in UTC, to the microsecond."""
    return dy.Datetime(time_unit="us", time_zone="UTC", nullable=nullable, primary_key=primary_key)
