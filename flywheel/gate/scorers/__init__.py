"""How good an answer is, in several ways: one module a way, each `(items, answers) -> scores`, a judge with the other
model's answers too.

Greater is better in every score: what is a cost comes with a minus. Setting two models against each other belongs in
`flywheel.gate.compare`; which scores are still missing, and keeping them, in `flywheel.gate.scoring`.
"""
