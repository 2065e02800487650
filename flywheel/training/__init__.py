"""From a dataset and a start to a checkpoint: SFT on demonstrations, then DPO on pairs, in a process of its own.

`recipe` names and describes a run and needs no torch; `run` does it and needs all of it. Which rows train is decided in
`flywheel.datasets`; whether the result is any good, in `flywheel.gate`.
"""
