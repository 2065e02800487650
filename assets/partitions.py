"""The two dimensions of partitions: event days and workloads. Never users, conversations or buckets.

https://docs.dagster.io/guides/build/partitions-and-backfills
"""

import dagster as dg
from flywheel import settings

_SETTINGS = settings.load()

DAYS = dg.DailyPartitionsDefinition(start_date=_SETTINGS.start.isoformat(), timezone="UTC", end_offset=2)
"""The UTC day of the answer a row speaks of, up to tomorrow: a product logs today, and its clock may be ahead."""

WORKLOADS = dg.StaticPartitionsDefinition(list(_SETTINGS.workloads))
"""The jobs the product uses models for, as `flywheel.toml` names them."""
