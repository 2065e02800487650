"""The Dagster code location: wiring only. Each asset reads, calls one function of `flywheel`, and reports what it
wrote.

One module per stage, one asset group per module; `definitions` puts them together.
"""
