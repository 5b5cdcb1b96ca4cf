"""A fake PagerDuty: takes events over HTTP, keeps incidents by dedup key, refuses what the real one refuses.

It may be told to be down. `python -m tests.correlator.notify.pager FILE` serves as a process of its own, and
writes what it has got to FILE at each event.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.listening import Quiet, listening


@dataclass
class Pager:
    """What has come in: every event, and the incidents that came of them."""

    down: bool = False
    status: int = 503
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    opened: dict[str, int] = field(default_factory=dict)
    """How often an incident was opened, by its key: again only after it was resolved."""
    state: dict[str, str] = field(default_factory=dict)
    address: str = ""

    def take(self, path: str, event: dict[str, Any]) -> int:
        """Take an event as PagerDuty does; the status of the answer."""
        if self.down:
            return self.status
        self.events.append((path, event))
        if path != "/v2/enqueue":
            return 202
        key, action = event.get("dedup_key"), event["event_action"]
        if not key or (action == "trigger" and not event["payload"]["summary"]):
            return 400
        if action == "trigger" and self.state.get(key) in {None, "resolve"}:
            self.opened[key] = self.opened.get(key, 0) + 1
        if action == "trigger" or key in self.state:
            self.state[key] = action
        return 202

    def said(self) -> list[tuple[str, str]]:
        """Path and action of each event."""
        return [(path, str(event.get("event_action", ""))) for path, event in self.events]


@contextlib.contextmanager
def serving(pager: Pager, kept: Path | None = None) -> Iterator[Pager]:
    """Serve until the end of the block."""
    lock = threading.Lock()

    class Handler(Quiet):
        def answer(self) -> None:
            body = self.body()
            with lock:
                pager.headers.append(self.said())
                status = pager.take(self.path, json.loads(body))
                if kept is not None:
                    kept.write_text(json.dumps({"opened": pager.opened, "state": pager.state}))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b'{"status":"success"}')

    with listening(Handler) as pager.address:
        yield pager


if __name__ == "__main__":
    with serving(Pager(), Path(sys.argv[1])) as served:
        print(served.address, flush=True)  # noqa: T201 - whoever started it reads that
        sys.stdin.read()
