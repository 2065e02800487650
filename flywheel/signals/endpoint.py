"""Asking a model behind an endpoint that speaks OpenAI's chat completions, a few requests at a time.

Too many requests, a server's own errors and a lost connection are tried again, later each time, then end in
`Transient`; everything else that is refused is for a person to mend. The key comes from the environment and goes
nowhere but there.
"""

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from flywheel.errors import BadInput, Terminal, Transient
from flywheel.settings import Classifier

AT_ONCE = 8
TRIES = 5
WAIT, LONGEST_WAIT = 1.0, 60.0
AGAIN = {408, 409, 425, 429}
MOST = 4_000_000
"""Bytes of a reply that are read."""


class _Straight(urllib.request.HTTPRedirectHandler):
    """An endpoint that sends us elsewhere would get the key there: it is refused."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> None:
        return None


OPENER = urllib.request.build_opener(_Straight())


def asking(classifier: Classifier) -> Callable[[Sequence[list[dict[str, str]]]], list[str]]:
    """A function that gives the endpoint's reply to each list of messages, in order."""
    if not classifier.url.startswith(("http://", "https://")):
        raise BadInput("the classifier's url is no http address", seen=classifier.url, allowed="http://, https://")
    one = partial(_reply, classifier)

    def ask(asked: Sequence[list[dict[str, str]]]) -> list[str]:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                return list(pool.map(one, asked))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    return ask


def _reply(classifier: Classifier, messages: list[dict[str, str]]) -> str:
    body = {"model": classifier.model, "messages": messages, "temperature": 0, "max_tokens": 200}
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get(classifier.key):
        headers["Authorization"] = f"Bearer {key}"
    url = classifier.url.rstrip("/") + "/chat/completions"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    said = _sent(request, classifier)
    try:
        return str(json.loads(said)["choices"][0]["message"]["content"] or "")
    except (ValueError, KeyError, IndexError, TypeError):
        what, allowed = "the endpoint's reply is no chat completion", '{"choices": [{"message": {"content": ...}}]}'
        raise Terminal(what, seen=said[:120], allowed=allowed, do="check [signals.classifier] url") from None


def _sent(request: urllib.request.Request, classifier: Classifier) -> str:
    seen = ""
    for tried in range(1, TRIES + 1):
        wait = min(LONGEST_WAIT, WAIT * 2 ** (tried - 1))
        try:
            with OPENER.open(request, timeout=classifier.timeout_seconds) as reply:
                return reply.read(MOST).decode(errors="replace")
        except urllib.error.HTTPError as error:
            seen = f"{error.code} {error.reason}"
            if error.code not in AGAIN and error.code < 500:
                raise _refused(error.code, seen, classifier) from None
            wait = _told_to_wait(error.headers.get("Retry-After"), wait)
        except (urllib.error.URLError, TimeoutError, http.client.HTTPException, ConnectionError) as error:
            seen = str(getattr(error, "reason", None) or error or type(error).__name__)
        if tried < TRIES:
            time.sleep(wait)
    what = f"the classifier's endpoint did not answer in {TRIES} tries"
    raise Transient(what, seen=seen, do=f"see that {classifier.url} runs and has capacity, then derive again")


def _refused(code: int, seen: str, classifier: Classifier) -> Terminal:
    do = (
        f"check {classifier.key} in the environment"
        if code in (401, 403)
        else "check [signals.classifier] url and model"
    )
    return Terminal(f"the classifier's endpoint {classifier.url} refused the request", seen=seen, do=do)


def _told_to_wait(header: str | None, otherwise: float) -> float:
    """What the server asked for, in seconds, within reason."""
    try:
        return min(LONGEST_WAIT, max(0.0, float(header or "")))
    except ValueError:
        return otherwise
