"""Ingest beside what people use instead: the same log read by turns, and what each takes in time and memory.

`log` writes a native log of which everything is known (`scene` its good lines, `words` what is said in them), `peers`
are the contestants, `loop` the one that everybody writes by hand, `measure` runs and checks one of them, and `__main__`
plays the rounds and says what the promises come to.
"""
