"""Answers in batches that drop what has ended, beside `generate()` in static batches in the order of arrival."""
