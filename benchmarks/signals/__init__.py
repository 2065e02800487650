"""How right each signal is, measured on people whose truth is known: the playground's, with answers put together by
chance.

    .venv/bin/python -m benchmarks.signals [--seeds 1 2 3] [--weeks 3] [--users 200]

`scene` plays the weeks, ingests and derives them with the real code; `truth` says which signals should have been found.
Printed is the table of `docs/signals.md`.
"""
