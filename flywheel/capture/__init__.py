"""What a product imports to log to the wheel: event types, a crash-safe writer, arm assignment.

Only the standard library is used here, so that a product takes on no dependency. Reading logs back is
`flywheel.ingest`.
"""
