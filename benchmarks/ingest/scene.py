"""One block of conversations as log lines: what was asked and answered, and what people and tools did with it.

The shape of each event is `flywheel.capture.events`'s; lines are joined from escaped pieces, because a log of ten
gigabytes made of dataclasses would take longer than reading it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import cycle, islice
from random import Random
from typing import NamedTuple

import numpy

from benchmarks.ingest.words import personal

START, MONTH = datetime(2026, 1, 5), timedelta(days=30).total_seconds()  # noqa: DTZ001 (written with a Z behind it)
CONVERSATIONS = 2_000
PERSONAL = 0.016
WORKLOADS = ["reply-drafts", "reply-drafts", "reply-drafts", "sql-assistant", "summaries"]
SEGMENTS = ["free", "team", "enterprise"]
TOOLS = ["lookup_order", "run_query", "search_tickets", "send_form"]
SYSTEM = '{"role":"system","content":"You draft replies for the support desk. Be brief, be kind, promise no dates."},'


class Line(NamedTuple):
    """One log line; `at` is in seconds from the start of the month."""

    at: float
    text: str
    personal: bool = False


class Scene:
    """What chance decides is drawn for the whole block at once; all pieces of text are escaped for JSON already."""

    def __init__(self, pool: list[str], random: Random, *, first_id: int, began: float) -> None:
        drawn = numpy.random.default_rng(random.getrandbits(64))
        self.random, self.number, self.began = random, first_id, began
        self.said = cycle(numpy.array(pool, dtype=object)[drawn.integers(0, len(pool), 70 * CONVERSATIONS)].tolist())
        self.lengths = cycle(numpy.clip(drawn.lognormal(2.35, 0.75, 9 * CONVERSATIONS), 2, 45).astype(int).tolist())
        self.chances = cycle(drawn.random(61 * CONVERSATIONS).tolist())

    def play(self) -> Iterator[Line]:
        for _ in range(CONVERSATIONS):
            yield from self.conversation(self.began + 3600 * self.chance())

    def conversation(self, at: float) -> Iterator[Line]:
        facts = f'"workload":"{self.one_of(WORKLOADS)}","conversation":"{self.id("c")}",'
        facts += f'"user":"u{int(20_000 * self.chance() ** 2):06x}",'
        facts += f'"tags":{{"segment":"{self.one_of(SEGMENTS)}","language":"en"}}'
        facts += ',"may_train":false' if self.chance() < 0.02 else ""
        history, known = SYSTEM if self.chance() < 0.3 else "", False
        for _ in range(1 + int(4 * self.chance() ** 2)):
            request, told = self.request()
            known, parent = known or told, self.id("m")
            history += f'{{"role":"user","content":"{request}"}}'
            text = ""
            for _ in range(1 + (self.chance() < 0.08)):  # asked once more for another answer
                answer, text = self.id("r"), self.text()
                yield self.response(at, answer, facts, f'"parent":"{parent}","prompt":[{history}]', text, known)
                yield from self.acts(at, answer, facts, text)
                at += 20 + 200 * self.chance()
            history += f',{{"role":"assistant","content":"{text}"}},'
        if self.chance() < 0.3:
            yield self.line("outcome", at, facts, f'"name":"solved","value":{self.one_of("01")}')

    def response(self, at: float, answer: str, facts: str, asked: str, text: str, known: bool) -> Line:
        said = f'{asked},"text":"{text}","model":"base-7b","model_version":"4","prompt_version":"2026-01",'
        said += f'"arm":"{self.one_of(["control", "new"])}","propensity":0.5,'
        said += f'"tokens_in":{len(asked) // 4},"tokens_out":{len(text) // 4},"cost":{len(text) / 1e6:.6f},'
        said += f'"latency_ms":{300 + 4000 * self.chance():.1f}'
        return self.line("response", at, facts, said, id=answer)._replace(personal=known)

    def acts(self, at: float, answer: str, facts: str, text: str) -> Iterator[Line]:
        """What tools and people did with one answer."""
        facts += f',"answer":"{answer}"'
        if self.chance() < 0.2:
            found = ",".join(f'"doc-{int(1e5 * self.chance())}"' for _ in range(4))
            yield self.line("retrieval", at - 2, facts, f'"query":"{next(self.said)}","documents":[{found}]')
        if self.chance() < 0.25:
            arguments = f'"row":{int(1e6 * self.chance())},"note":"{next(self.said)}"'
            called = f'"name":"{self.one_of(TOOLS)}","arguments":{{{arguments}}}'
            came = f'"text":"{self.text()}"' if self.chance() < 0.9 else '"error":"timeout after 30 s"'
            yield self.line("tool_call", at - 1, facts, f'{called},{came},"latency_ms":{900 * self.chance():.1f}')
        if self.chance() < 0.9:
            yield self.line("shown", at + 1, facts, f'"dwell_ms":{int(20_000 * self.chance())}')
        if self.chance() < 0.15:
            note, told = self.request()
            yield self.line("edited", at + 8, facts, f'"text":"{text}{note}"')._replace(personal=told)
        if self.chance() < 0.35:
            yield self.line("accepted", at + 9, facts, '"how":"sent"')
        if self.chance() < 0.08:
            comment = f',"comment":"{next(self.said)}"' if self.chance() < 0.3 else ""
            yield self.line("rated", at + 9, facts, f'"value":{self.one_of(["-1", "0.5", "1"])}{comment}')

    def line(self, kind: str, at: float, facts: str, said: str, *, id: str = "") -> Line:
        time = (START + timedelta(seconds=at)).isoformat(timespec="microseconds")
        return Line(at, f'{{"v":1,"kind":"{kind}","id":"{id or self.id("e")}","at":"{time}Z",{facts},{said}}}')

    def request(self) -> tuple[str, bool]:
        """What a person wrote, and whether there is personal data in it."""
        told = self.chance() < PERSONAL
        text = "".join(islice(self.said, next(self.lengths) // 2 + 1))
        return (text + personal(self.random) if told else text), told

    def text(self) -> str:
        return "".join(islice(self.said, next(self.lengths)))

    def one_of(self, choices: Sequence[str]) -> str:
        return choices[int(len(choices) * self.chance())]

    def chance(self) -> float:
        return next(self.chances)

    def id(self, prefix: str) -> str:
        self.number += 1
        return f"{prefix}-{self.number * 0x9E3779B97F4A7C15 % 2**64:016x}"  # unlike its neighbours, and never twice
