"""What each segment secretly wants of an answer, as rules that code can check on a text.

The truth of the playground: it may reach `home/playground/truth`, never a log line.
"""

from dataclasses import dataclass

from flywheel.playground.texts import Request, compose, correct, found


@dataclass(frozen=True, kw_only=True)
class Preference:
    """A part must be there, or must not, or the text must be no longer than `words`."""

    name: str
    part: str = ""
    wanted: bool = True
    words: int = 0

    def holds(self, request: Request, text: str) -> bool:
        if self.words:
            return len(text.split()) <= self.words
        return (self.part in found(request, text)) == self.wanted


def _wants(part: str) -> Preference:
    return Preference(name=f"has {part}", part=part)


def _refuses(part: str) -> Preference:
    return Preference(name=f"no {part}", part=part, wanted=False)


# One style cannot please all: an answer with every part the others want is mostly too long where short is wanted.
# Shortness stands last: it is judged when the wanted parts are in.
TASTES: dict[str, dict[str, tuple[Preference, ...]]] = {
    "reply-drafts": {
        "retail": (_wants("name"), _refuses("apology")),
        "wholesale": (_wants("number"), Preference(name="short", words=19)),
        "travel": (_wants("next step"), _wants("number")),
        "bank": (_wants("signature"), _refuses("promise")),
    },
    "call-notes": {
        "retail": (_wants("number"), _wants("author")),
        "wholesale": (_refuses("mood"), _wants("name")),
        "travel": (_wants("number"), Preference(name="short", words=16)),
        "bank": (_refuses("guess"), _wants("next step")),
    },
}


def tastes(request: Request) -> tuple[Preference, ...]:
    return TASTES[request.workload][request.segment]


def results(request: Request, text: str) -> dict[str, bool]:
    """Which of the hidden preferences this text meets."""
    return {preference.name: preference.holds(request, text) for preference in tastes(request)}


def satisfaction(request: Request, text: str) -> float:
    """The share of preferences met; an answer that is wrong in substance is worth nothing."""
    met = results(request, text)
    return sum(met.values()) / len(met) if correct(request, text) else 0.0


def mended(request: Request, text: str, faults: int | None = None) -> str:
    """The text as this segment would send it, or with only its first `faults` mended."""
    unmet = [preference for preference in tastes(request) if not preference.holds(request, text)]
    present = found(request, text)
    # All of them, when nothing is left out: adding one part can make a short text too long.
    for preference in tastes(request) if faults is None else unmet[:faults]:
        present = _shortened(request, present, preference.words) if preference.words else _turned(present, preference)
    return compose(request, present)


def spoiled(request: Request, text: str) -> str:
    """The text with the opposite of what this segment wants."""
    present = found(request, text)
    for preference in sorted(tastes(request), key=lambda preference: preference.part):  # length first
        if preference.words:
            present = frozenset(part.name for part in request.writing.parts)
        else:
            present = present - {preference.part} if preference.wanted else present | {preference.part}
    return compose(request, present)


def _turned(present: frozenset[str], preference: Preference) -> frozenset[str]:
    return present | {preference.part} if preference.wanted else present - {preference.part}


def _shortened(request: Request, present: frozenset[str], words: int) -> frozenset[str]:
    """Leave out what is not wanted, the most unusual first, until it is short enough."""
    wanted = {preference.part for preference in tastes(request) if preference.wanted}
    for part in sorted(request.writing.parts, key=lambda part: part.rate):
        if len(compose(request, present).split()) <= words:
            break
        if part.name not in wanted:
            present = present - {part.name}
    return present
