"""Asking in the lake's terms: nothing twice, nothing lost to a kill, no text out unrecorded, no budget overrun."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flywheel import process
from flywheel.checkpoint import endpoint_folder, fingerprint
from flywheel.errors import Terminal, Transient
from flywheel.gate import asking
from flywheel.gate.kept import Kept
from flywheel.gate.sendings import spent
from flywheel.lake import Lake
from flywheel.process import Job, Result
from flywheel.settings import Budget, Endpoint, Gate
from tests import tiny
from tests.chat import Reply, Served, completion, failing

ITEMS = pl.DataFrame({"item": [f"i{n:02}" for n in range(20)], "prompt": [tiny.prompt(n) for n in range(20)]})
GATE = Gate(max_new_tokens=6)
ENDLESS = Budget()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def ask(lake: Lake, folder: Path, *, items: pl.DataFrame = ITEMS, budget: Budget = ENDLESS, **how: Any) -> None:
    gate, run = how.get("gate", GATE), how.get("run", process.run)
    asking.ask(lake, items, {fingerprint(folder): folder}, workload="w", gate=gate, budget=budget, run=run)


def hosted(lake: Lake, served: Served, **more: Any) -> Path:
    return endpoint_folder(lake.home, Endpoint(url=served.url, model="hosted", **more))


def questions(lake: Lake, folder: Path, place: Path, items: list[dict[str, str]]) -> Job:
    row = {"workload": "w", "cycle": 0, "model": fingerprint(folder), "decoding": "t1-n6"}
    spending = spent(lake, "w", 0, ENDLESS)
    return asking.questions(folder, items, GATE, row=row, kept=place, spending=spending)


def echo(number: int, body: dict[str, Any]) -> Reply:
    return completion("re: " + body["messages"][-1]["content"], (10, 5))


def refused(stage: str, folder: Path, job: Job) -> Result:
    raise AssertionError("nothing should be asked")


def test_a_local_model_answers_once_with_its_tokens_and_its_time(lake: Lake, tiny_model: Path) -> None:
    ask(lake, tiny_model)
    found = lake.read("answers").sort("item")
    assert found["item"].to_list() == ITEMS["item"].to_list()
    assert found.select("model", "decoding", "workload", "cycle").unique().rows() == [
        (fingerprint(tiny_model), "t1-n6", "w", 0)
    ]
    assert found["tokens_out"].is_between(1, 6).all()
    assert found["tokens_in"].min() > 5  # pyright: ignore[reportOptionalOperand, reportOperatorIssue]
    assert (found["seconds"] > 0).all()
    assert lake.read("sendings").is_empty()
    ask(lake, tiny_model, run=refused)
    assert len(lake.read("answers")) == 20


def test_other_settings_are_asked_anew_and_both_are_kept(lake: Lake, served: Served) -> None:
    served.reply = echo
    for gate in (GATE, Gate(max_new_tokens=7)):
        ask(lake, hosted(lake, served), gate=gate)
    assert sorted(lake.read("answers")["decoding"]) == ["t1-n6"] * 20 + ["t1-n7"] * 20
    assert len(lake.read("sendings")) == 40


def test_an_endpoint_answers_and_every_text_that_went_out_is_recorded(lake: Lake, served: Served) -> None:
    served.reply = echo
    ask(lake, hosted(lake, served, system="be brief"))
    found, sent = lake.read("answers").sort("item"), lake.read("sendings")
    request = json.loads(ITEMS["prompt"][3])[0]["content"]
    assert found.filter(item="i03").select("text", "tokens_in", "tokens_out").row(0) == (f"re: {request}", 10, 5)
    assert found["cycle"].null_count() == 20  # it took tokens, not this machine's time
    assert sent.select("workload", "endpoint", "model", "purpose", "cycle", "tokens").unique().rows() == [
        ("w", served.url, "hosted", "answer", 0, 15)
    ]
    assert sorted(sent["item"]) == ITEMS["item"].to_list()
    assert sent["digest"].n_unique() == 20
    assert request not in str(sent.to_dicts())
    assert (sent["characters"] > len(request)).all()
    assert served.asked[0]["messages"][0] == {"role": "system", "content": "be brief"}
    assert spent(lake, "w", 0, ENDLESS).tokens == 300


def test_what_an_endpoint_does_not_count_is_estimated_for_the_budget_and_told_as_unknown(
    lake: Lake, served: Served
) -> None:
    served.reply = lambda number, body: completion("yes")
    ask(lake, hosted(lake, served))
    assert lake.read("answers")["tokens_out"].null_count() == 20
    sent = lake.read("sendings")
    assert sent["tokens"].null_count() == 20
    assert spent(lake, "w", 0, ENDLESS).tokens == (sent["characters"] // 4).sum() > 0


def test_a_failure_keeps_what_was_answered_and_the_next_run_asks_the_rest(lake: Lake, served: Served) -> None:
    served.reply = lambda number, body: echo(number, body) if number <= 12 else failing(429)
    with pytest.raises(Transient, match="the answers so far are kept"):
        ask(lake, hosted(lake, served))
    before, unsure = lake.read("answers"), lake.read("sendings").filter(pl.col("tokens").is_null())
    assert 0 < len(before) < 20
    assert not unsure.is_empty()  # it went out, and nobody knows what came of it
    served.reply, asked = echo, len(served.asked)
    ask(lake, hosted(lake, served))
    assert len(served.asked) - asked == 20 - len(before)
    assert len(lake.read("answers")) == 20
    assert lake.read("sendings")["tokens"].to_list() == [15] * 20


def test_an_item_that_the_endpoint_refuses_is_a_hole_and_the_others_are_answered(lake: Lake, served: Served) -> None:
    bad = json.loads(ITEMS["prompt"][7])[0]["content"]
    served.reply = lambda number, body: failing(400) if body["messages"][-1]["content"] == bad else echo(number, body)
    for _ in range(2):  # asked again, when it is the only one left, it is a hole again
        ask(lake, hosted(lake, served))
        assert sorted(lake.read("answers")["item"]) == sorted(set(ITEMS["item"]) - {"i07"})
    assert len(served.asked) == 21
    assert lake.read("sendings").filter(item="i07")["tokens"].to_list() == [None]


def test_an_endpoint_that_refuses_every_item_stops_with_its_sentence(lake: Lake, served: Served) -> None:
    served.reply = lambda number, body: failing(400)
    with pytest.raises(Terminal, match="refused the request"):
        ask(lake, hosted(lake, served))
    assert lake.read("answers").is_empty()


def test_the_budget_of_tokens_stops_with_a_sentence_and_counts_over_runs(lake: Lake, served: Served) -> None:
    served.reply = echo
    small = Budget(tokens=100)
    with pytest.raises(Terminal) as raised:
        ask(lake, hosted(lake, served), budget=small)
    for words in ("budget of cycle 0 of w is spent", "100 tokens", "raise tokens under [budget]", "of 20 questions"):
        assert words in str(raised.value)
    kept = len(lake.read("answers"))
    assert 100 <= kept * 15 <= 100 + 8 * 15  # what was under way when it was reached
    assert len(served.asked) == kept
    with pytest.raises(Terminal, match=rf"saw `{kept * 15} tokens, {kept} of 20"):
        ask(lake, hosted(lake, served), budget=small, run=refused)
    ask(lake, hosted(lake, served), budget=Budget(tokens=10_000))
    assert len(lake.read("answers")) == 20


def test_the_budget_of_minutes_stops_the_models_of_this_machine(lake: Lake, tiny_model: Path) -> None:
    ask(lake, tiny_model, items=ITEMS.head(2))
    took = float(lake.read("answers")["seconds"].sum())
    with pytest.raises(Terminal, match=r"raise gpu_minutes under \[budget\]"):
        ask(lake, tiny_model, budget=Budget(gpu_minutes=took / 60), run=refused)
    assert len(lake.read("answers")) == 2


def test_another_cycle_has_a_budget_of_its_own(lake: Lake, served: Served) -> None:
    served.reply = echo
    ask(lake, hosted(lake, served))
    assert spent(lake, "w", 1, ENDLESS).tokens == 0
    assert spent(lake, "other", 0, ENDLESS).tokens == 0


def test_a_killed_process_loses_what_it_had_in_hand_and_no_more(lake: Lake, served: Served) -> None:
    """Killed while the server holds some of its questions, and nobody was left to take its answers over."""
    folder, started = hosted(lake, served), list[subprocess.Popen[bytes]]()
    place = lake.home / "gate" / "w" / fingerprint(folder)

    def kills(number: int, body: dict[str, Any]) -> Reply:
        if number > 12:
            started[0].send_signal(signal.SIGKILL)
        return echo(number, body)

    served.reply = kills
    command = process.prepare("gate", place, questions(lake, folder, place, ITEMS.to_dicts()))
    started.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
    assert started[0].wait() == -signal.SIGKILL
    left = {row["item"] for row in Kept(place).read("answer")}
    assert len(left) >= 12 - 8
    served.reply, before = echo, len(served.asked)
    ask(lake, folder)
    again = {json.dumps(asked["messages"]) for asked in served.asked[before:]}
    assert again == set(ITEMS.filter(~pl.col("item").is_in(left))["prompt"])
    assert lake.read("answers")["item"].sort().to_list() == ITEMS["item"].to_list()
    assert len(lake.read("sendings")) == 20
    assert not Kept(place).path.exists()


def test_what_a_killed_run_left_is_filed_under_what_it_was_asked(lake: Lake, served: Served) -> None:
    served.reply, folder = echo, hosted(lake, served)
    place = lake.home / "gate" / "w" / fingerprint(folder)
    process.run("gate", place, questions(lake, folder, place, ITEMS.head(3).to_dicts()))
    ask(lake, folder, gate=Gate(max_new_tokens=7))
    assert sorted(lake.read("answers")["decoding"]) == ["t1-n6"] * 3 + ["t1-n7"] * 20


def test_a_torn_last_line_is_ignored_and_what_comes_after_it_is_whole(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.add("answer", {"item": "a"}, {"item": "b"})
    whole = kept.path.read_bytes()
    for cut in range(1, len(whole)):
        kept.path.write_bytes(whole[:cut])
        before = [row["item"] for row in kept.read("answer")]
        kept.add("answer", {"item": "c"})
        assert [row["item"] for row in kept.read("answer")] == [*before, "c"]
        assert before == ["a", "b"][: len(before)]


def test_taking_over_twice_changes_nothing(lake: Lake, served: Served) -> None:
    served.reply = echo
    ask(lake, folder := hosted(lake, served))
    place = lake.home / "gate" / "w" / fingerprint(folder)
    before = {table: lake.read(table).sort("item") for table in ("answers", "sendings")}
    row = {"item": "i00", "text": "re", "tokens_in": 1, "tokens_out": 1, "seconds": 1.0, "key": "k"}
    for _ in range(2):
        Kept(place).add("answer", row)
        Kept(place).add("sending", {"item": "i00", "digest": "d", "characters": 4})
        asking.take_over(lake, place)
        assert len(lake.read("answers")) == 20
        assert len(lake.read("sendings")) == 21
    assert lake.read("answers").filter(item="i01").equals(before["answers"].filter(item="i01"))


def test_a_changed_prompt_is_another_question(lake: Lake, served: Served, tiny_model: Path) -> None:
    """A process folder that holds answers to what an item said before does not answer what it says now."""
    served.reply = echo
    folder, place = hosted(lake, served), lake.home / "elsewhere"
    for n in (0, 1):
        process.run("gate", place, questions(lake, folder, place, [{"item": "i", "prompt": tiny.prompt(n)}]))
    assert len(served.asked) == 2
