"""Dead letters: look at them, and read webhooks again with the code and the connections of today.

A retry makes the same log records as the edge would have made, with the time at which the webhook came, and
inserts them as the loader does. Event identities make repeats harmless; the letter stays, marked.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from throughline.collector.connections import Connections
from throughline.collector.examine import EVENTS
from throughline.collector.hook_events import convert, describe
from throughline.collector.landing import Landing
from throughline.collector.spool import Record, Segment
from throughline.collector.spool_records import envelope_of
from throughline.collector.store import Role, Store, load_queries
from throughline.probes.errors import InvalidRequest, ThroughlineError
from throughline.probes.platforms.adapter import HookRequest

SQL = load_queries("throughline.collector", "dead_letters")
LAST_ID = 2**64
AFTER_ALL = datetime(2200, 1, 1, tzinfo=UTC)
INSERT_SECONDS = 60
MICROSECOND = 1_000
Row = dict[str, Any]


class NotRetryable(ThroughlineError):
    """Only webhooks that could not be read are read again; see the reason of this letter."""


@dataclass(frozen=True, slots=True)
class Retried:
    """What came of one letter."""

    id: str
    outcome: str
    """`stored`, `failed` or `refused`: nothing was tried."""
    events: int = 0
    detail: str = ""


class DeadLetters:
    """The dead letters of one tenant."""

    def __init__(self, store: Store, tenant: str, *, payload_bytes: int) -> None:
        """`payload_bytes`: how much of a body is kept beside its events, as the edge does."""
        self._store = store
        self._tenant = tenant
        self._payload_bytes = payload_bytes

    def listed(
        self,
        *,
        state: str = "",
        reason: str = "",
        connection: str = "",
        before: tuple[datetime, int] = (AFTER_ALL, LAST_ID),
        limit: int = 50,
    ) -> list[Row]:
        """Return letters, newest first; `before` is time and upper half of the id of the last one seen."""
        given = {"state": state, "reason": reason, "connection": connection, "limit": limit}
        return self._rows("listed", {**given, "before": before[0], "last": before[1]})

    def one(self, letter: str) -> Row | None:
        """Return a letter with its body and the tries to read it again."""
        found = self._rows("one", {"id": int(letter, 16)})
        if not found:
            return None
        return {"id": letter, **found[0], "tries": self._rows("tries", {"id": int(letter, 16)})}

    def open_of(self, connection: str, limit: int) -> list[str]:
        """Return the ids of webhooks not read yet, oldest first; of one connection, or ('') of all."""
        return [row["id"] for row in self._rows("open_of", {"connection": connection, "limit": limit})]

    def retry(
        self, letters: Sequence[str], connections: Connections, *, actor: str, now: datetime
    ) -> list[Retried]:
        """Read these letters again and keep what came of each.

        Raises: StoreError.
        """
        return [self._retry(letter, connections, actor, now) for letter in letters]

    def _retry(self, letter: str, connections: Connections, actor: str, now: datetime) -> Retried:
        found = self.one(letter)
        if found is None:
            return Retried(letter, "refused", detail=f"There is no dead letter {letter}.")
        try:
            request, records = self._read(found, connections)
        except NotRetryable as error:
            return Retried(letter, "refused", detail=str(error))
        except (InvalidRequest, MemoryError) as error:
            return self._mark(Retried(letter, "failed", detail=str(error)), now, actor)
        self._insert(letter, request, records, int(found["received_micro"]) * MICROSECOND)
        events = records - 1  # one is the request itself
        return self._mark(Retried(letter, "stored", events), now, actor)

    def _read(self, found: Row, connections: Connections) -> tuple[bytes, int]:
        """Return the OTLP request of a letter and its records. Raises: NotRetryable, InvalidRequest."""
        if found["reason"] != "unreadable":
            raise NotRetryable(f"The reason is {found['reason']!r}: only webhooks are read again.")
        given = json.loads(found["body"])
        configured = connections.find(given["platform"], given["connection"])
        if configured is None or configured.tenant != self._tenant:
            raise NotRetryable(
                f"connections.yaml has no connection {given['connection']!r} of {given['platform']} any more."
            )
        body = bytes.fromhex(given["body"]) if given["encoding"] == "hex" else given["body"].encode()
        request = HookRequest(given["method"], given["url"], given["headers"], body, found["received_at"])
        hook = describe(request, configured.connection, payload_bytes=self._payload_bytes)
        return convert(hook, body, int(found["received_micro"]) * MICROSECOND)

    def _insert(self, letter: str, request: bytes, records: int, received_unix_nano: int) -> None:
        """Insert under a token of letter and content: the same twice is the same once."""
        token = f"{EVENTS}-retry-{letter}-{blake2b(request, digest_size=8).hexdigest()}"
        envelope = envelope_of(
            token,
            1,
            tenant=self._tenant,
            items=records,
            request=request,
            received_unix_nano=received_unix_nano,
        )
        segment = Segment(token, Path(token), EVENTS, len(envelope))
        landing = Landing(self._store, insert_seconds=INSERT_SECONDS)
        landing.insert(segment, [Record(self._tenant, records, envelope, 1)], token=token)

    def _mark(self, tried: Retried, now: datetime, actor: str) -> Retried:
        columns = ["Tenant", "Id", "At", "Outcome", "Events", "Detail", "Actor"]
        row = (self._tenant, int(tried.id, 16), now, tried.outcome, tried.events, tried.detail, actor)
        self._store.insert_rows("dead_letter_retries", [row], columns, role=Role.LOADER)
        return tried

    def _rows(self, query: str, parameters: Row) -> list[Row]:
        given = {**parameters, "tenant": self._tenant}
        return list(self._store.query(SQL[query], given, role=Role.PAGES).named_results())
