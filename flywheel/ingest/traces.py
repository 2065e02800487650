"""Which spans of a trace are its answers, whose tool was called, and of which answer feedback speaks.

Instrumentation nests: an agent calls a framework, the framework a client, and each logs the same answer. It counts
once, as the innermost span that tells its messages. What a span says belongs in `spans`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from flywheel.capture.events import Event, Message
from flywheel.ingest import calls
from flywheel.ingest.reader import canonical, tool_call
from flywheel.ingest.spans import Span, response, retrieved, returned, tool_ended, tool_name
from flywheel.ingest.trees import LONGEST

CALLED = re.compile(r'"name":("(?:[^"\\]|\\.)*"),"type":"tool_call"\}$')
DEEPEST = 100  # spans inside each other
TURN = 50  # what a turn costs beyond its characters


class Trace:
    """The spans of one trace, and which of them are its answers."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self.spans = {each.id: each for each in sorted(spans, key=lambda each: (each.start, each.id))}
        self.answers = self._with_prompts(self._answers())
        self.spans |= {each.id: each for each in self.answers}
        self._calls: dict[str, list[Span]] = {}  # the answers in which a call stands, by its line and by its tool
        self._below: dict[str, list[Span]] = {}
        for answer in self.answers:
            for above in self._way(answer):
                self._below.setdefault(above.id, []).append(answer)
            for line in answer.text.split("\n"):
                if called := CALLED.search(line):
                    self._calls.setdefault(line, []).append(answer)
                    self._calls.setdefault(called[1], []).append(answer)

    def events(self, common: Mapping[str, Any]) -> Iterator[Event]:
        kept = {each.id for each in self.answers}
        for span in self.spans.values() if kept else ():
            if span.id in kept:
                yield response(span, common)
            elif span.kind == "tool":
                yield tool_ended(span, self._caller(span).id, common)
            elif span.kind == "retrieval":
                yield retrieved(span, self._used_by(span).id, common)

    def about(self, span: str | None) -> Span | None:
        """The answer that feedback on this span, or on the whole trace, speaks of: the last one in it."""
        within = self._within(span)
        if not within and span in self.spans and self.answers:
            return self._caller(self.spans[span])  # a tool of it
        return within[-1] if within else None

    def saying(self, span: str | None, text: str) -> Span | None:
        """The last answer in there whose words are these: the one that a correction of them speaks of."""
        said = (each for each in reversed(self._within(span)) if each.text.strip() == text.strip())
        return next(said, None)

    def _within(self, span: str | None) -> list[Span]:
        """The answers that are this span or stand below it, else the one around it; without a span all of them."""
        if span is None:
            return self.answers
        around = self._way(self.spans[span]) if span in self.spans else []
        return self._below.get(span) or [each for each in around if each in self._below.get(each.id, ())]

    def _answers(self) -> list[Span]:
        said = {each.id: each for each in self.spans.values() if each.kind == "answer" and each.text}
        around = {name: [above for above in self._way(each)[1:] if above.id in said] for name, each in said.items()}
        holds = Counter(above.id for each in around.values() for above in each)
        kept: dict[str, Span] = {}
        for name, span in said.items():
            if not holds[name]:
                tells = [above for above in around[name] if holds[above.id] == 1 and above.turns is not None]
                best = tells[0] if tells and span.turns is None else span
                kept[best.id] = best
        return sorted(kept.values(), key=lambda each: (each.start, each.id))

    def _with_prompts(self, answers: list[Span]) -> list[Span]:
        """Some agents tell what a turn was given only around it: then its prompt is that, and what came since."""
        size, made, inside = 0, list[Span](), dict[str, list[tuple[str, Message]]]()
        for span in answers:
            untold = span.asked is None and isinstance(calls.opened(span.input), dict | None)
            around = next((above for above in self._way(span)[1:] if above.asked), None) if untold else None
            if around is not None:
                inside = inside or self._inside(answers)
                since = [said for known, said in inside[around.id] if known <= span.start]
                told = [*(around.asked or []), *since]
                size += sum(len(each.content) + TURN for each in told)
                if size > LONGEST:
                    raise ValueError(f"its prompts together hold more than {LONGEST} characters")
                span = replace(span, told=told)
            made.append(span)
        return made

    def _inside(self, answers: list[Span]) -> dict[str, list[tuple[str, Message]]]:
        """What was answered and returned inside each span, with the moment from which a later turn knows of it."""
        kept, inside = {each.id for each in answers}, dict[str, list[tuple[str, Message]]]()
        for each in self.spans.values():
            if each.id in kept:
                told = _after(each.start), Message(role="assistant", content=each.text)
            elif each.kind == "tool":
                told = each.end, Message(role="tool", content=returned(each))
            else:
                continue
            for above in self._way(each):
                inside.setdefault(above.id, []).append(told)
        return inside

    def _way(self, span: Span) -> list[Span]:
        """From a span up to the root, the span first."""
        way: dict[str, Span] = {}
        at: Span | None = span
        while at is not None and at.id not in way and len(way) < DEEPEST:
            way[at.id] = at
            at = self.spans.get(at.parent or "")
        return list(way.values())

    def _caller(self, span: Span) -> Span:
        """The answer that called this tool: in these words, by its name, or the last before it."""
        name = tool_name(span)
        for called in (tool_call(name, calls.arguments(span.input)), canonical(name)):
            before = [each for each in self._calls.get(called, ()) if each.start <= span.start]
            if before:
                return before[-1]
        return next((each for each in reversed(self.answers) if each.start <= span.start), self.answers[0])

    def _used_by(self, span: Span) -> Span:
        """The answer after a search is the one that used it."""
        return next((each for each in self.answers if each.start >= span.start), self.answers[-1])


def _after(moment: str) -> str:
    """The first moment after this one, as text compares: a turn does not know itself."""
    return moment + "+"
