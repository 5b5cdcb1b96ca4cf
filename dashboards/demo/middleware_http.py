"""The server of the emulated middleware: requests in, answers out, on a free port of this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """One call; `path` is decoded, `headers` have names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def form(self, name: str) -> str:
        """A field of a form, or ''."""
        return parse_qs(self.body.decode("utf-8", "replace")).get(name, [""])[0]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said: JSON, or a page."""

    status: int
    content: Mapping[str, object] | str
    location: str = ""


class Server:
    """Listens until it is closed."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, name="middleware-http", daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def serve(answer: Callable[[Request], Answer]) -> Server:
    """Answer calls, each on a thread of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = min(int(self.headers.get("content-length", 0)), MOST_BYTES)
            headers = {name.lower(): value for name, value in self.headers.items()}
            path = unquote(urlsplit(self.path).path)
            said = answer(Request(self.command, path, headers, self.rfile.read(length)))
            page = isinstance(said.content, str)
            text = said.content if isinstance(said.content, str) else json.dumps(said.content)
            body = text.encode()
            self.send_response(said.status)
            if said.location:
                self.send_header("Location", said.location)
            self.send_header("Content-Type", "text/html; charset=utf-8" if page else "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer  # noqa: N815 - the names that the server looks for

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Server(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
