"""Asking a model behind an endpoint that speaks OpenAI's chat completions, a few requests at a time.

Too many requests, a server's own errors and a lost connection are tried again, later each time, then end in
`Transient`; everything else that is refused is for a person to mend. The key comes from the environment and goes
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
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from flywheel.errors import BadInput, Terminal, Transient
from flywheel.settings import Endpoint

Messages = list[dict[str, str]]
Sending = Callable[[int, str], None]
"""Told the number of a request and its whole text, in the moment before it goes out for the first time."""

AT_ONCE = 8
TRIES = 5
WAIT, LONGEST_WAIT = 1.0, 60.0
AGAIN = {408, 409, 425, 429}
MOST = 4_000_000
"""Bytes of a reply that are read."""


class Reply(NamedTuple):
    """What came back, the tokens that the endpoint counted (null where it does not), and how long that took."""

    text: str
    tokens_in: int | None
    tokens_out: int | None
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How one endpoint is asked; `whose`, `written` and `again` are for the sentences of what goes wrong."""

    endpoint: Endpoint
    max_tokens: int
    temperature: float = 0.0
    whose: str = "the endpoint"
    written: str = "its section in flywheel.toml"
    again: str = "run it again: the answers so far are kept"

    def __post_init__(self) -> None:
        if not self.endpoint.url.startswith(("http://", "https://")):
            what, allowed = f"the url of {self.whose} is no http address", "http://, https://"
            raise BadInput(what, seen=self.endpoint.url, allowed=allowed, do=f"mend {self.written}")

    def texts(self, asked: Sequence[Messages]) -> list[str]:
        """The endpoint's reply to each list of messages, in order."""
        found = dict(self.each(asked))
        return [found[number].text for number in range(len(asked))]

    def each(
        self, asked: Sequence[Messages], *, seeds: Sequence[int] = (), sending: Sending = lambda number, text: None
    ) -> Iterator[tuple[int, Reply]]:
        """The replies with the numbers of their requests, as they come; who stops listening stops the asking."""
        stop = threading.Event()

        def one(number: int) -> tuple[int, Reply]:
            body = self._body(asked[number], seeds[number] if seeds else None)
            if stop.is_set():
                raise Transient("the asking was stopped")
            sending(number, body)
            return number, self._reply(body, stop)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                for done in as_completed([pool.submit(one, number) for number in range(len(asked))]):
                    yield done.result()
            finally:
                stop.set()
                pool.shutdown(wait=False, cancel_futures=True)

    def _body(self, messages: Messages, seed: int | None) -> str:
        if self.endpoint.system and not any(message["role"] == "system" for message in messages):
            messages = [{"role": "system", "content": self.endpoint.system}, *messages]
        body = {"model": self.endpoint.model, "messages": messages, "temperature": self.temperature}
        drawn = {} if seed is None else {"seed": seed}
        return json.dumps({**body, "max_tokens": self.max_tokens, **drawn})

    def _reply(self, body: str, stop: threading.Event) -> Reply:
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(self.endpoint.key):
            headers["Authorization"] = f"Bearer {key}"
        url = self.endpoint.url.rstrip("/") + "/chat/completions"
        said, seconds = self._sent(urllib.request.Request(url, body.encode(), headers), stop)
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
                with OPENER.open(request, timeout=self.endpoint.timeout_seconds) as reply:
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
        return Terminal(what, seen=f"{seen}{_code(error)}", do=do)


class _Straight(urllib.request.HTTPRedirectHandler):
    """An endpoint that sends us elsewhere would get the key there: it is refused."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> None:
        return None


OPENER = urllib.request.build_opener(_Straight())


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
