"""What somebody said of an answer in a tool that keeps scores, feedback or evaluations: ratings and outcomes.

Yes and no are a rating. A number is an outcome, since nothing says which is the worst and which the best. Words are a
rating where they are one of those for good and bad, else a comment that weighs nothing. What a program computed has the
component `evaluator`, so that nobody takes it for a person's opinion.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from flywheel.capture.events import Outcome, Rated
from flywheel.ingest import cells
from flywheel.ingest.reader import canonical

EVALUATOR = "evaluator"


def opinions(value: Any, *, name: str | None, comment: Any, common: Mapping[str, Any]) -> Iterator[Rated | Outcome]:
    """`common` is what both kinds carry, the id, the answer and the component among it."""
    comment = comment if isinstance(comment, str) and comment else None
    if isinstance(value, bool):
        yield Rated(**common, name=name, value=1.0 if value else -1.0, comment=comment)
    elif isinstance(value, int | float):
        yield Outcome(**common, name=name or "score", value=float(value))
        if comment and common["component"] != EVALUATOR:
            yield Rated(**{**common, "id": f"{common['id']}:comment"}, name=name, value=0.0, comment=comment)
    else:
        said = value if isinstance(value, str) else "" if value is None else canonical(value)
        words = ": ".join(each for each in (said, comment) if each)
        yield Rated(**common, name=name, value=_in_words(said), comment=words or None)


def _in_words(said: str) -> float:
    with suppress(cells.Unreadable):
        return cells.opinion(said, None)
    return 0.0
