"""A chat completions endpoint on loopback that says what it is told to, and remembers what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, str, dict[str, str]]


class Served:
    """`reply` gets the number of the request, from 1, and its body; `asked` holds every body with path and key."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.reply: Callable[[int, dict[str, Any]], Reply] = lambda number, body: completion("Hello.")
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked.append({"path": self.path, "key": self.headers["Authorization"], **body})
                status, text, headers = outer.reply(len(outer.asked), body)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(text.encode()))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"


def completion(text: str, tokens: tuple[int, int] | None = None) -> Reply:
    """A reply as such servers give it; some count tokens."""
    usage = {"usage": {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]}} if tokens else {}
    return 200, json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}], **usage}), {}


def failing(status: int, body: str = "{}") -> Reply:
    return status, body, {"Retry-After": "0"}


@contextmanager
def serving() -> Iterator[Served]:
    it = Served()
    thread = threading.Thread(target=it.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield it
    finally:
        it.server.shutdown()
        thread.join()
        it.server.server_close()
