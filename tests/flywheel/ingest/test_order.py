"""Promise 2: however records arrive, `events` and all that is derived from them have identical content."""

import dataclasses
import gzip
import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from flywheel.capture.events import Edited, Event, Outcome, Response, Retrieval, ToolCall, as_record
from flywheel.ingest import Taken, batch, chunks, ingest
from flywheel.lake import Lake
from flywheel.settings import Source
from flywheel.signals import catch_up
from tests.flywheel.ingest.logs import conserved, rows
from tests.flywheel.signals.test_incremental import DERIVED, a_log, derive, tables
from tests.product import LATER, accepted, answer, at, edited, rated, read

SOURCES = [Source(name="product", path="{home}/logs/*")]
BAD: list[Any] = [{}, None, 5, "text", [], {"v": 1, "kind": "liked"}, {"v": 2, "kind": "shown"}]

# ---- a log, and the ways it can arrive in ---------------------------------------------------------------------------


def events_of(seed: int) -> list[Event]:
    """What happens in a few conversations, also what a real log has besides: conflicts, tools, secrets, the unknown."""
    chance, events = random.Random(seed), a_log(seed, talks=3)
    answers = [event for event in events if isinstance(event, Response)]
    about = {"workload": "drafts", "answer": chance.choice(answers).id}
    events += [
        ToolCall(id="t", at=at(7), name="orders", arguments={"n": [1, {"é": None}]}, error="no such order", **about),
        Retrieval(id="r", at=at(8), query="call +1 (415) 555-0132", documents=["b", "a"], **about),
        Outcome(id="o", at=at(9), name="solved", value=chance.random(), **about),
        edited("unknown", "What nobody answered.", 10),
    ]
    for event in chance.sample(events, k=3):
        events.append(dataclasses.replace(event, may_train=False, at=at(chance.randrange(9000))))  # the same id again
    for place, event in enumerate(events):
        if isinstance(event, Response | Edited) and chance.random() < 0.3:
            events[place] = dataclasses.replace(event, text=event.text + " Write to ana.silva@example.org!")
        if isinstance(event, Response) and chance.random() < 0.3:
            events[place] = dataclasses.replace(events[place], user="ana.silva@example.org", tags={"é": "ü", "a": "b"})
    return events


def line(record: Any, chance: random.Random) -> bytes:
    """A record in one of its spellings."""
    if isinstance(record, dict):
        record = dict(chance.sample(list(record.items()), k=len(record)))
    spaces = chance.choice([(",", ":"), (", ", ": ")])
    return json.dumps(record, ensure_ascii=chance.random() < 0.5, separators=spaces).encode()


FORMS: dict[str, Callable[[list[bytes]], bytes]] = {
    "jsonl": lambda lines: b"".join(each + b"\n" for each in lines),
    "log": lambda lines: b"\xef\xbb\xbf\r\n" + b"\r\n\r\n".join([*lines, b""]),
    "jsonl.gz": lambda lines: gzip.compress(b"\n".join(lines)),
    "jsonl.zst": lambda lines: pa.compress(b"\n".join([*lines, b""]), "zstd", asbytes=True),
    "json": lambda lines: b" [" + b",\n".join(lines) + b"]\n",
    "json.gz": lambda lines: gzip.compress(b"[" + b",".join(lines) + b"]"),
    "json.zst": lambda lines: pa.compress(b"\n".join([b"{}", *lines]), "zstd", asbytes=True),
}


def deliver(home: Path, records: list[Any], chance: random.Random) -> int:
    """Some of them in files of any form; how many that were, with those that came twice."""
    (home / "logs").mkdir(parents=True, exist_ok=True)
    count = 0
    for part in cut(records + chance.choices(records, k=len(records) // 5), chance):
        form, number = chance.choice(list(FORMS)), len(list((home / "logs").iterdir()))
        lines = [line(each, chance) for each in part]
        if form == "jsonl" and chance.random() < 0.5:  # a log that grows
            with (home / "logs" / "grows.jsonl").open("ab") as handle:
                handle.write(FORMS[form](lines))
        else:
            (home / "logs" / f"{number}.{form}").write_bytes(FORMS[form](lines))
        count += len(part) + (form == "json.zst")
    return count


def cut(records: list[Any], chance: random.Random) -> list[list[Any]]:
    """The records in another order, in up to three parts."""
    records = chance.sample(records, k=len(records))
    places = sorted(chance.choices(range(len(records) + 1), k=chance.randint(0, 2)))
    return [records[start:end] for start, end in zip([0, *places], [*places, len(records)], strict=True) if start < end]


def take(home: Path) -> Taken:
    return ingest(Lake(home), SOURCES, now=LATER)


# ---- the same in the end --------------------------------------------------------------------------------------------


def arrive(home: Path, seed: int, how: int, small: bool) -> tuple[list[Event], list[Taken]]:
    """All events of a seed at `home`, in the way `how`; way 0 is one file in one run."""
    events, chance = events_of(seed), random.Random(how)
    records = [*map(as_record, events), *BAD]
    if how == 0:
        (home / "logs").mkdir(parents=True)
        (home / "logs" / "all.jsonl").write_bytes(FORMS["jsonl"]([line(each, chance) for each in records]))
        return events, [take(home)]
    delivered, taken = 0, []
    with pytest.MonkeyPatch.context() as patch:
        for place, name, size in [
            (chunks, "CHUNK_BYTES", 700),
            (chunks, "CHUNK_RECORDS", 3),
            (batch, "BATCH_ROWS", 20),
        ]:
            if small:
                patch.setattr(place, name, size)
        for part in cut(records, chance):
            delivered += deliver(home, part, chance)
            taken.append(take(home))
    assert delivered == sum(each.records for each in taken)
    return events, taken


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), how=st.integers(1, 10_000), small=st.booleans())
def test_events_do_not_depend_on_how_records_arrive(seed: int, how: int, small: bool) -> None:
    with TemporaryDirectory() as folder:
        whole, parts = Path(folder, "whole"), Path(folder, "parts")
        events, (at_once,) = arrive(whole, seed, 0, False)
        _, taken = arrive(parts, seed, how, small)
        assert rows(parts, "events") == rows(whole, "events")
        conserved(whole)
        conserved(parts)
        assert sum(each.events for each in taken) == at_once.events == len(rows(whole, "events"))
        assert at_once.events == len({json.dumps(as_record(event)) for event in events})
        assert at_once.quarantined == len(BAD)
        assert {"EMAIL", "PHONE"} & at_once.masked.keys()
        assert "ana.silva" not in repr(rows(whole, "events"))
        conflicts = Lake(parts).read("events").filter(id_conflict=True)
        assert conflicts.n_unique(["kind", "id"]) * 2 <= len(conflicts)
        assert take(parts) == take(whole) == Taken()


@pytest.mark.parametrize("seed", range(3))
def test_what_is_derived_does_not_depend_on_it_either(seed: int, tmp_path: Path) -> None:
    for how in (0, seed + 1):
        arrive(tmp_path / str(how), seed, how, False)
        derive(Lake(tmp_path / str(how)), tmp_path / str(how))
    whole, parts = tables(Lake(tmp_path / "0")), tables(Lake(tmp_path / str(seed + 1)))
    for name in DERIVED:
        assert_frame_equal(whole[name], parts[name])
    assert len(whole["exchanges"]) > 0
    assert len(whole["signals"]) > 0


def test_derived_after_each_arrival_it_is_the_same_as_derived_once(tmp_path: Path) -> None:
    arrive(tmp_path / "0", 5, 0, False)
    derive(Lake(tmp_path / "0"), tmp_path / "0")
    chance = random.Random(5)
    for part in cut([as_record(event) for event in events_of(5)], chance):
        deliver(tmp_path / "parts", part, chance)
        take(tmp_path / "parts")
        derive(Lake(tmp_path / "parts"), tmp_path / "parts")
    whole, parts = tables(Lake(tmp_path / "0")), tables(Lake(tmp_path / "parts"))
    for name in DERIVED:
        assert_frame_equal(whole[name], parts[name])


# ---- what waits, and what branches ----------------------------------------------------------------------------------


def told(home: Path, events: Iterable[Event], name: str = "app") -> Taken:
    """These events logged and taken."""
    (home / "logs").mkdir(parents=True, exist_ok=True)
    with (home / "logs" / f"{name}.jsonl").open("ab") as handle:
        handle.writelines(json.dumps(as_record(event)).encode() + b"\n" for event in events)
    return take(home)


def exchanges(home: Path) -> list[dict[str, Any]]:
    lake, rules = Lake(home), read(home)
    catch_up(lake, rules)
    return lake.read("exchanges").sort("answer").to_dicts()


def test_feedback_waits_for_its_answer_and_is_joined_when_it_comes(tmp_path: Path) -> None:
    first = told(tmp_path, [edited("a", "On its way.", 5), accepted("a", 6), rated("b", 1, 7), answer("end", 9000)])
    assert (first.waiting, first.events) == (3, 4)
    assert [each["answer"] for each in exchanges(tmp_path)] == ["end"]
    second = told(tmp_path, [answer("a")], name="late")
    assert (second.waiting, second.events) == (0, 1)
    (joined, _) = exchanges(tmp_path)
    assert (joined["answer"], joined["final"], len(joined["event_ids"])) == ("a", "On its way.", 3)
    assert take(tmp_path) == Taken()


@pytest.mark.parametrize("rows", [1, 1000])
@pytest.mark.parametrize("feedback_first", [True, False])
def test_what_comes_in_the_same_run_does_not_wait(
    feedback_first: bool, rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "BATCH_ROWS", rows)
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 50)
    events = [rated("a", 1, 5), edited("a", "t", 6), answer("a")]
    assert told(tmp_path, events if feedback_first else events[::-1]).waiting == 0
    assert len(Lake(tmp_path).read("ingest_files")) == (3 if rows == 1 else 1)


def test_what_waits_is_told_once(tmp_path: Path) -> None:
    assert told(tmp_path, [rated("a", 1, 5)]).waiting == 1
    assert told(tmp_path, [rated("a", 1, 5)]).waiting == 0
    assert told(tmp_path, [rated("a", -1, 6), answer("other")]).waiting == 1


def test_feedback_may_speak_of_a_conversation(tmp_path: Path) -> None:
    whole = Outcome(id="o", at=at(1), workload="drafts", name="solved", value=1, answer="talk-a")
    assert told(tmp_path, [answer("a"), whole]).waiting == 0
    later = dataclasses.replace(whole, id="p")
    nobody = dataclasses.replace(whole, id="q", answer=None)
    other = dataclasses.replace(whole, id="r", workload="others")
    assert told(tmp_path, [later, nobody, other]).waiting == 1


@pytest.mark.parametrize(
    ("texts", "branches"),
    [(["x"], 0), (["x", "y"], 1), (["x", "y", "z"], 1), (["x", "x"], 0), (["x", "y", "x"], 1)],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_a_prompt_with_more_than_one_distinct_answer_is_a_branch(
    texts: list[str], branches: int, at_once: bool, tmp_path: Path
) -> None:
    events = [answer(f"{n}", n, parent="ask", text=text) for n, text in enumerate(texts)]
    events.append(answer("alone", 50))
    if at_once:
        assert told(tmp_path, events).branches == branches
    else:
        assert told(tmp_path, events[:1]).branches == 0
        assert told(tmp_path, events[1:]).branches == branches
        assert told(tmp_path, [answer("more", 60)]).branches == 0


def test_prompts_of_two_workloads_or_sources_are_two_prompts(tmp_path: Path) -> None:
    one = answer("a", parent="ask", text="x")
    other = dataclasses.replace(one, workload="others", text="y")
    assert told(tmp_path, [one, other]).branches == 0
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "x.jsonl").write_text(json.dumps(as_record(dataclasses.replace(one, text="z"))))
    apart = [*SOURCES, Source(name="web", path="{home}/web/*")]
    taken = ingest(Lake(tmp_path), apart, now=LATER)
    assert (taken.accepted, taken.branches) == (1, 0)
