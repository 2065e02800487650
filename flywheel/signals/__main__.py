"""`python -m flywheel.signals FOLDER`: read follow-ups with a local model, in a process of its own."""

from flywheel.process import child
from flywheel.signals.local import work

if __name__ == "__main__":
    child(work)
