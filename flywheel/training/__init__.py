"""From a dataset and a start to a checkpoint, in a process of its own: SFT on demonstrations, then DPO on pairs or KTO
on opinions; or a reward model, when asked for.

`recipe` names and describes a run and needs no torch; `run` does it and needs all of it. Which rows train is decided in
`flywheel.datasets`; whether the result is any good, in `flywheel.gate`.
"""
