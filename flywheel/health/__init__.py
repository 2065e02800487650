"""What the logs say about a model in production: how often people had to act, with n and an interval.

Reads exchanges and signals, never the playground's truth and never the gate. Drift, rollouts and stall verdicts grow
here.
"""

from flywheel.health.rates import KINDS, measure, rates

__all__ = ["KINDS", "measure", "rates"]
