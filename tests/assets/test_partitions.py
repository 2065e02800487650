"""A product logs today, and its clock may be a little ahead: both days must be there to be derived."""

from datetime import UTC, datetime, timedelta

import pytest

from assets.partitions import DAYS


@pytest.mark.parametrize("ahead", [-1, 0, 1])
def test_the_days_reach_to_tomorrow(ahead: int) -> None:
    day = (datetime.now(UTC) + timedelta(days=ahead)).date().isoformat()
    assert DAYS.has_partition_key(day)
