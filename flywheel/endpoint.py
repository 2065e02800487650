"""Asking a model behind an endpoint that speaks OpenAI's chat completions, a few requests at a time.

Too many requests, a server's own errors and a lost connection are tried again, later each time, then end in
`Transient`. A single request may be refused for what it asks: it is a hole as long as others are answered. Everything
else that is refused is for a person to mend. The key comes from the environment and goes
nowhere but there: a redirect is refused. What is asked, and what becomes of the answers, belongs to whoever asks.
"""

import http.client
import json
import os
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from flywheel.errors import BadInput, Terminal, Transient
from flywheel.settings import Endpoint

Messages = list[dict[str, str]]
Sending = Callable[[int, str], None]
"""Told the number of a request and its whole text, in the moment before it goes out for the first time."""

AT_ONCE = 8
TRIES = 5
WAIT, LONGEST_WAIT = 1.0, 60.0
AGAIN = {408, 409, 425, 429}
REFUSED = {400, 413, 422}
"""What an endpoint says to one request: too long, or not to its taste."""
MOST_REFUSED = 16
"""So many refused before one is answered is no matter of single requests."""
MOST = 4_000_000
"""Bytes of a reply that are read."""


class Reply(NamedTuple):
    """What came back, the tokens that the endpoint counted (null where it does not), and how long that took."""

    text: str
    tokens_in: int | None
    tokens_out: int | None
    seconds: float


@dataclass(frozen=True)
class Refused:
    """This one request was refused: the sentence for a person, should all be."""

    error: Terminal

    tokens_in: None = None
    tokens_out: None = None

    @property
    def text(self) -> str:
        return f"refused: {self.error.seen}"


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How one endpoint is asked; `whose`, `written` and `again` are for the sentences of what goes wrong."""

    endpoint: Endpoint
    max_tokens: int
    temperature: float = 0.0
    whose: str = "the endpoint"
    written: str = "its section in flywheel.toml"
    again: str = "run it again: the answers so far are kept"
    at_once: int = AT_ONCE
    answers: bool = False
    """It is known to answer such requests: what it refuses is refused for what it asks, even where all are."""

    def __post_init__(self) -> None:
        if not self.endpoint.url.startswith(("http://", "https://")):
            what, allowed = f"the url of {self.whose} is no http address", "http://, https://"
            raise BadInput(what, seen=self.endpoint.url, allowed=allowed, do=f"mend {self.written}")

    def texts(self, asked: Sequence[Messages]) -> list[str]:
        """The endpoint's reply to each list of messages, in order."""
        found = dict(self.each(asked))
        return [found[number].text for number in range(len(asked))]

    def each(
        self, asked: Iterable[Messages], *, seeds: Sequence[int] = (), sending: Sending = lambda number, text: None
    ) -> Iterator[tuple[int, Reply | Refused]]:
        """The replies with the numbers of their requests, as they come; after a failure those under way still do.

        What is refused waits until another is answered; where none is, that ends it. A request is drawn only when there
        is room for it: who asks may stop at any time and loses no answer.
        """
        under_way: set[Future[tuple[int, Reply | Refused]]] = set()
        failed: list[BaseException] = []
        answers, refused = self.answers, dict[int, Refused]()
        stop = threading.Event()

        def one(number: int, messages: Messages) -> tuple[int, Reply | Refused]:
            body = self._body(messages, seeds[number] if seeds else None)
            sending(number, body)
            return number, self._reply(body, stop)

        def ended(done: Iterable[Future[tuple[int, Reply | Refused]]]) -> Iterator[tuple[int, Reply | Refused]]:
            nonlocal answers
            for each in done:
                if error := each.exception():
                    failed.append(error)
                    stop.set()
                    continue
                number, reply = each.result()
                if isinstance(reply, Refused):
                    refused[number] = reply
                else:
                    answers = True
                    yield number, reply
            if answers:
                yield from refused.items()
                refused.clear()

        with ThreadPoolExecutor(self.at_once) as pool:
            try:
                for number, messages in enumerate(asked):
                    under_way.add(pool.submit(one, number, messages))
                    if len(under_way) == self.at_once:
                        done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                        yield from ended(done)
                    if len(refused) >= MOST_REFUSED:  # none was answered: perhaps one of those under way
                        done, under_way = under_way, set()
                        yield from ended(as_completed(done))
                    if failed or len(refused) >= MOST_REFUSED:
                        break
                yield from ended(as_completed(under_way))
            finally:
                stop.set()
        if failed or refused:
            raise failed[0] if failed else next(iter(refused.values())).error

    def _body(self, messages: Messages, seed: int | None) -> str:
        if self.endpoint.system and not any(message["role"] == "system" for message in messages):
            messages = [{"role": "system", "content": self.endpoint.system}, *messages]
        body = {"model": self.endpoint.model, "messages": messages, "temperature": self.temperature}
        drawn = {} if seed is None else {"seed": seed}
        return json.dumps({**body, "max_tokens": self.max_tokens, **drawn})

    def _reply(self, body: str, stop: threading.Event) -> Reply | Refused:
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(self.endpoint.key):
            headers["Authorization"] = f"Bearer {key}"
        url = self.endpoint.url.rstrip("/") + "/chat/completions"
        try:
            said, seconds = self._sent(urllib.request.Request(url, body.encode(), headers), stop)
        except _ThisOne as error:
            return Refused(error)
        try:
            told = json.loads(said)
            text = str(told["choices"][0]["message"]["content"] or "")
        except (ValueError, KeyError, IndexError, TypeError):
            what, allowed = "the endpoint's reply is no chat completion", '{"choices": [{"message": {"content": ...}}]}'
            raise Terminal(what, seen=said[:120], allowed=allowed, do=f"check {self.written} url") from None
        usage = told.get("usage")
        counted = usage if isinstance(usage, dict) else {}
        return Reply(text, _count(counted.get("prompt_tokens")), _count(counted.get("completion_tokens")), seconds)

    def _sent(self, request: urllib.request.Request, stop: threading.Event) -> tuple[str, float]:
        """What came back in the end, and the seconds of the try that brought it."""
        seen = ""
        for tried in range(1, TRIES + 1):
            wait, began = min(LONGEST_WAIT, WAIT * 2 ** (tried - 1)), time.perf_counter()
            try:
                with _opener(self.endpoint.url).open(request, timeout=self.endpoint.timeout_seconds) as reply:
                    return reply.read(MOST).decode(errors="replace"), time.perf_counter() - began
            except urllib.error.HTTPError as error:
                seen = f"{error.code} {error.reason}"
                if error.code not in AGAIN and error.code < 500:
                    raise self._refused(error, seen) from None
                wait = told_to_wait(error.headers.get("Retry-After"), wait)
            except (urllib.error.URLError, TimeoutError, http.client.HTTPException, ConnectionError) as error:
                seen = str(getattr(error, "reason", None) or error or type(error).__name__)
            if tried < TRIES and stop.wait(wait):
                break
        what = f"{self.whose} did not answer in {TRIES} tries"
        raise Transient(what, seen=seen, do=f"see that {self.endpoint.url} runs and has capacity, then {self.again}")

    def _refused(self, error: urllib.error.HTTPError, seen: str) -> Terminal:
        key, written = f"check {self.endpoint.key} in the environment", f"check {self.written} url and model"
        do = key if error.code in (401, 403) else written
        what = f"{self.whose} at {self.endpoint.url} refused the request"
        kind = _ThisOne if error.code in REFUSED else Terminal
        return kind(what, seen=f"{seen}{_code(error)}", do=do)


class _ThisOne(Terminal):
    """Refused for what this one request asks, unless all are."""


class _Straight(urllib.request.HTTPRedirectHandler):
    """An endpoint that sends us elsewhere would get the key there: it is refused."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> None:
        return None


OUTSIDE = urllib.request.build_opener(_Straight())
LOOPBACK = urllib.request.build_opener(_Straight(), urllib.request.ProxyHandler({}))


def _opener(url: str) -> urllib.request.OpenerDirector:
    """No proxy is asked for what runs on this machine."""
    return LOOPBACK if urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1") else OUTSIDE


def told_to_wait(header: str | None, otherwise: float) -> float:
    """The seconds that the server asked for, or those up to the moment it named, within reason."""
    try:
        asked = float(header or "")
    except ValueError:
        try:
            moment = parsedate_to_datetime(header or "")
        except ValueError:
            return otherwise
        asked = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(LONGEST_WAIT, max(0.0, asked)) if asked == asked else otherwise


def _code(error: urllib.error.HTTPError) -> str:
    """The one word that servers of this kind give for what is wrong; the rest may repeat what people wrote."""
    try:
        told = json.loads(error.read(MOST))["error"]
        code = str(told.get("code") or told.get("type") or "")
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        return ""
    return f" ({code})" if re.fullmatch(r"[a-zA-Z0-9_.-]{1,60}", code) else ""


def _count(told: Any) -> int | None:
    return told if isinstance(told, int) and not isinstance(told, bool) and told >= 0 else None
