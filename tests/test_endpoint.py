"""Asking endpoints: what is tried again, what is not, what is counted, and that nothing asked for is lost."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from flywheel.endpoint import LONGEST_WAIT, MOST_REFUSED, TRIES, Asking, Messages, Refused, told_to_wait
from flywheel.errors import BadInput, Terminal, Transient
from flywheel.settings import Endpoint
from tests.chat import Reply, Served, completion, failing


def question(text: str) -> Messages:
    return [{"role": "user", "content": text}]


def asking(served: Served, *, at_once: int = 8, **endpoint: Any) -> Asking:
    named = Endpoint(url=served.url, model="m", **endpoint)
    return Asking(endpoint=named, max_tokens=9, temperature=0.5, whose="the judge", written="[judge]", at_once=at_once)


def echo(number: int, body: dict[str, Any]) -> Reply:
    return completion(body["messages"][-1]["content"].upper(), (7, 3))


def test_a_busy_endpoint_is_asked_again_until_it_answers(served: Served) -> None:
    served.reply = lambda number, body: [failing(429), failing(500), completion("yes", (5, 2))][number - 1]
    [(number, reply)] = asking(served).each([question("a")])
    assert not isinstance(reply, Refused)
    assert (number, *reply[:3]) == (0, "yes", 5, 2)
    assert reply.seconds > 0
    assert len(served.asked) == 3


def test_the_request_says_what_was_set_and_nothing_else(served: Served) -> None:
    served.reply = echo
    list(asking(served).each([question("a")], seeds=[5]))
    [asked] = served.asked
    assert asked.pop("path") == "/v1/chat/completions"
    assert asked.pop("key") is None
    assert asked == {"model": "m", "messages": question("a"), "temperature": 0.5, "max_tokens": 9, "seed": 5}


def test_the_system_message_stands_before_prompts_that_have_none(served: Served) -> None:
    served.reply = echo
    own = [{"role": "system", "content": "mine"}, *question("b")]
    asking(served, system="be brief", at_once=1).texts([question("a"), own])
    assert [asked["messages"][0]["content"] for asked in served.asked] == ["be brief", "mine"]


def test_texts_come_in_the_order_of_the_questions(served: Served) -> None:
    served.reply = echo
    letters = [chr(ord("a") + number) for number in range(20)]
    assert asking(served).texts([question(letter) for letter in letters]) == [letter.upper() for letter in letters]


@pytest.mark.parametrize(
    "usage", [None, 5, {}, {"prompt_tokens": "7", "completion_tokens": True}, {"prompt_tokens": -1}]
)
def test_what_the_endpoint_did_not_count_is_not_known(served: Served, usage: Any) -> None:
    told = {"choices": [{"message": {"content": "hi"}}], "usage": usage}
    served.reply = lambda number, body: (200, json.dumps(told), {})
    [(_, reply)] = asking(served).each([question("a")])
    assert (reply.text, reply.tokens_in, reply.tokens_out) == ("hi", None, None)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_one_that_stays_busy_ends_in_a_sentence(served: Served, status: int) -> None:
    served.reply = lambda number, body: failing(status)
    with pytest.raises(Transient, match=rf"the judge did not answer in {TRIES} tries; saw `{status}"):
        asking(served).texts([question("a")])
    assert len(served.asked) == TRIES


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (failing(401), ["OPENAI_API_KEY", "401"]),
        (failing(400, '{"error": {"code": "context_length_exceeded"}}'), ["(context_length_exceeded)", "[judge]"]),
        (failing(400, '{"error": {"code": "you wrote: Anna"}}'), ["400"]),
        ((302, "", {"Location": "http://127.0.0.1:1/"}), ["302", "[judge] url and model"]),
        ((200, "<html>", {}), ["no chat completion", "<html>"]),
    ],
)
def test_what_a_person_must_mend_is_said_once(served: Served, reply: Reply, words: list[str]) -> None:
    served.reply = lambda number, body: reply
    with pytest.raises(Terminal) as raised:
        asking(served).texts([question("a")])
    assert all(word in str(raised.value) for word in words)
    assert "Anna" not in str(raised.value)
    assert len(served.asked) == 1


def refusing(*bad: str, status: int = 400) -> Callable[[int, dict[str, Any]], Reply]:
    """An endpoint that takes offence at these words."""

    def reply(number: int, body: dict[str, Any]) -> Reply:
        told = '{"error": {"code": "context_length_exceeded"}}'
        return failing(status, told) if body["messages"][-1]["content"] in bad else echo(number, body)

    return reply


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize("bad", ["a", "c", "e"])
def test_one_request_that_is_refused_leaves_the_others(served: Served, status: int, bad: str) -> None:
    served.reply = refusing(bad, status=status)
    found = dict(asking(served, at_once=2).each([question(letter) for letter in "abcde"]))
    assert {number for number, reply in found.items() if isinstance(reply, Refused)} == {"abcde".index(bad)}
    assert found["abcde".index(bad)].text.startswith(f"refused: {status}")
    assert "context_length_exceeded" in found["abcde".index(bad)].text
    assert sorted(reply.text for reply in found.values() if not isinstance(reply, Refused)) == sorted(
        set("ABCDE") - {bad.upper()}
    )


def test_where_every_request_is_refused_that_is_said_and_not_all_are_asked(served: Served) -> None:
    served.reply = lambda number, body: failing(400)
    with pytest.raises(Terminal, match="refused the request"):
        asking(served).texts([question("a"), question("b")])
    assert len(served.asked) == 2
    with pytest.raises(Terminal, match="refused the request"):
        asking(served).texts([question(str(number)) for number in range(200)])
    assert len(served.asked) < 2 + MOST_REFUSED + 2 * 8


def test_an_endpoint_that_answered_others_before_refuses_what_is_asked_and_not_us(served: Served) -> None:
    served.reply = lambda number, body: failing(422)
    [(_, reply)] = replace(asking(served), answers=True).each([question("a")])
    assert isinstance(reply, Refused)


def test_a_wrong_key_is_no_matter_of_one_request(served: Served) -> None:
    served.reply = refusing("c", status=401)
    with pytest.raises(Terminal, match="OPENAI_API_KEY"):
        asking(served, at_once=1).texts([question(letter) for letter in "abcde"])


def test_answers_that_were_under_way_are_not_lost_to_one_that_fails(served: Served) -> None:
    both = threading.Barrier(2)

    def one_fails(number: int, body: dict[str, Any]) -> Reply:
        both.wait(30)
        return failing(401) if body["messages"][0]["content"] == "bad" else completion("kept")

    served.reply = one_fails
    found: list[str] = []
    with pytest.raises(Terminal):
        found.extend(reply.text for _, reply in asking(served, at_once=2).each(map(question, ["bad", "good"])))
    assert found == ["kept"]


def test_who_stops_asking_gets_what_is_under_way_and_no_more_goes_out(served: Served) -> None:
    served.reply = echo
    got: list[str] = []

    def while_few() -> Iterator[Messages]:
        yield from (question(str(number)) for number in range(100) if len(got) < 3)

    for _, reply in asking(served, at_once=2).each(while_few()):
        got.append(reply.text)
    assert len(got) == len(served.asked) <= 5


def test_every_text_is_told_before_it_goes_out_and_once(served: Served) -> None:
    seen: list[tuple[int, int]] = []
    served.reply = lambda number, body: failing(500) if number == 1 else completion("x")
    tell: Callable[[int, str], None] = lambda number, text: seen.append((number, len(served.asked)))  # noqa: E731
    list(asking(served).each([question("secret")], sending=tell))
    assert seen == [(0, 0)]
    assert len(served.asked) == 2


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(BadInput, match="the judge is no http address"):
        Asking(endpoint=Endpoint(url="file:///etc/passwd", model="m"), max_tokens=1, whose="the judge")


def test_no_proxy_stands_before_this_machine(served: Served) -> None:
    """In a process of its own, since Python looks for proxies once."""
    script = (
        "import sys; from flywheel.endpoint import Asking; from flywheel.settings import Endpoint\n"
        "print(Asking(endpoint=Endpoint(url=sys.argv[1], model='m'), max_tokens=1).texts([[]]))"
    )
    nobody = os.environ | {"http_proxy": "http://127.0.0.1:1", "no_proxy": ""}
    command = [sys.executable, "-c", script, served.url]
    ended = subprocess.run(command, env=nobody, capture_output=True, text=True, check=False)
    assert ended.stdout == "['Hello.']\n", ended.stderr


def test_the_server_says_how_long_to_wait_within_reason() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30))
    past = format_datetime(datetime.now(UTC) - timedelta(hours=1))
    assert 20 < told_to_wait(soon, 1.0) <= 30
    assert [told_to_wait(header, 1.0) for header in ("2.5", "-3", "99999", past, "soon", "nan", None)] == [
        *(2.5, 0.0, LONGEST_WAIT, 0.0, 1.0, 1.0, 1.0)
    ]
