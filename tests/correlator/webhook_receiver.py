"""A subscriber over real HTTP, which verifies what it gets by code of its own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from tests.listening import Quiet, listening


class Forged(Exception):
    """The signature is not the sender's."""


def verify(secret: str, headers: Mapping[str, str], body: bytes) -> None:
    """As the specification of Standard Webhooks tells receivers. Raises: Forged."""
    key = base64.b64decode(secret.split("_", 1)[1])
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    for given in headers["webhook-signature"].split(" "):
        version, _, signature = given.partition(",")
        if version == "v1" and hmac.compare_digest(signature, expected):
            return
    raise Forged


@dataclass
class Received:
    """One request that held what it must."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """By which repeats are known."""
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        """The CloudEvent, whichever way it came."""
        if self.headers["content-type"].startswith("application/cloudevents+json"):
            found: dict[str, Any] = json.loads(self.body)
            return found
        named = {name[3:]: unquote(value) for name, value in self.headers.items() if name.startswith("ce-")}
        return {**named, "data": json.loads(self.body)}

    @property
    def said(self) -> tuple[str, str, str]:
        """What happened, to which journey, and which milestone or failed event."""
        event = self.event
        data = event["data"]
        name = data["milestone"]["name"] if "milestone" in data else f"failed {data['exception']['event']}"
        return event["type"].removeprefix("com.throughline."), data["journey"]["root"], name


@dataclass
class Subscriber:
    """What it heard, and how it answers: by default 204."""

    secret: str
    heard: list[Received] = field(default_factory=list)
    answer: Callable[[Received], tuple[int, Mapping[str, str]]] = lambda _: (204, {})
    url: str = ""

    @property
    def place(self) -> str:
        """Host and port."""
        return self.url.removeprefix("http://").partition("/")[0]

    def said(self) -> list[tuple[str, str, str]]:
        """All it heard, sorted; then it forgets."""
        found = sorted(one.said for one in self.heard)
        self.heard.clear()
        return found


@contextmanager
def subscriber(secret: str) -> Iterator[Subscriber]:
    """Listen on a port of its own."""
    hearing = Subscriber(secret)

    class Handler(Quiet):
        def answer(self) -> None:
            one = Received(self.said(), self.body())
            try:
                verify(secret, one.headers, one.body)
            except Forged:
                self.send_error(401)
                return
            hearing.heard.append(one)
            status, headers = hearing.answer(one)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status not in {204, 304}:
                self.send_header("content-length", "4")
            self.end_headers()
            if status not in {204, 304}:
                self.wfile.write(b"said")

    with listening(Handler) as address:
        hearing.url = f"{address}/hook"
        yield hearing
