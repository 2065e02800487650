"""`python -m flywheel.gate FOLDER`: generate answers in a process of its own."""

from flywheel.gate.generate import generate
from flywheel.process import child

if __name__ == "__main__":
    child(generate)
