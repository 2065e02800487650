"""Is the candidate better than today's champion on the frozen eval set? Promote, hold or reject, and why.

`judge` is the whole of it as one pure function. Generating the answers runs in a process of its own (`__main__`); what
follows from a verdict belongs in `flywheel.registry`.
"""
